// When schedules are due: as the library that Kubernetes uses says for schedules drawn at random, in zones that change their clocks; and
// as the calendar says, whatever the schedule.
import { readFileSync } from "node:fs"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { CronClock, cronClock, TimeZone } from "#apiserver"
import { rfc3339 } from "#kube"
import { runSeed } from "../../Seed.ts"

const seed = runSeed()

const rows = readFileSync(new URL("cron.txt", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => line.split("|"))

const clockOf = (schedule: string, zone = ""): CronClock => {
  const clock = cronClock(schedule, zone)
  if (typeof clock === "string") throw new Error(clock)
  return clock
}

describe("a schedule", () => {
  it("is due when robfig/cron says, in every zone", () => {
    assert.isAbove(rows.length, 250)
    for (const [schedule = "", zone = "", from = "", next = ""] of rows) {
      const clock = clockOf(schedule, zone)
      let at = Number(from) * 1000
      for (const wanted of next.split(",").map(Number)) {
        const found = clock.nextMs(at)
        assert.strictEqual(
          found === undefined ? -1 : found / 1000,
          wanted,
          `${schedule} in ${zone} after ${rfc3339(at)}`
        )
        if (found === undefined) break
        at = found
      }
    }
  })

  it(`is due at each minute that fits, and at no other (SEED=${seed})`, () => {
    const some = (low: number, high: number) =>
      fc.uniqueArray(fc.integer({ min: low, max: high }), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(some(0, 59), some(0, 23), fc.integer({ min: 0, max: 4_000_000_000 }), (minutes, hours, second) => {
        const clock = clockOf(`${minutes.join(",")} ${hours.join(",")} * * *`)
        const next = clock.nextMs(second * 1000) ?? 0
        // A day has one of each: the naive search, minute by minute.
        let naive = (Math.floor(second / 60) + 1) * 60
        while (!minutes.includes((naive / 60) % 60) || !hours.includes(Math.floor(naive / 3600) % 24)) naive += 60
        assert.strictEqual(next / 1000, naive)
      }),
      { seed, numRuns: 200 }
    )
  })

  it("names what is wrong with it, or with its zone", () => {
    assert.strictEqual(cronClock("61 * * * *"), "end of range (61) above maximum (59): 61")
    assert.include(cronClock("* * * * *", "Nowhere/Else") as string, "unknown time zone Nowhere/Else")
    assert.strictEqual(clockOf("0 0 31 2 *").nextMs(0), undefined)
    assert.strictEqual(TimeZone.named("Asia/Kathmandu")?.offsetMs(1_700_000_000_000), 20_700_000)
  })
})

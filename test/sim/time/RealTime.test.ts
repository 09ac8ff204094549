// Worlds in the real world: run in slices they come to the same end, and in step with the clock they run what falls due.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { followRealTime, Kernel, memoryBytes, runInSlices, SpeedMeter, wallMs } from "#sim"

const busy = (seed: number): Kernel => {
  const kernel = new Kernel({ seed })
  const { clockwork } = kernel.process("a")
  const again = (): void => void clockwork.after(1 + clockwork.random(), again)
  for (let at = 0; at < 20; at++) again()
  return kernel
}

describe("a world", () => {
  it.effect("run in slices comes to the same end as in one go", () =>
    Effect.gen(function* () {
      const [sliced, whole] = [busy(1), busy(1)]
      const meter = new SpeedMeter(sliced, wallMs)
      assert.strictEqual(yield* runInSlices(sliced, { untilMs: 2000 }), "time")
      whole.run({ untilMs: 2000 })
      assert.strictEqual(sliced.log.hash(), whole.log.hash())
      const { events, virtualMs } = meter.read()
      assert.strictEqual(events, whole.log.count)
      assert.strictEqual(virtualMs, 2000)
      assert.isAbove(memoryBytes().residentBytes, 0)
    })
  )

  it("in step with the clock runs what falls due, also what is scheduled from outside, and stops", async () => {
    const kernel = new Kernel({ seed: 1 })
    const { clockwork } = kernel.process("a")
    const seen: Array<string> = []
    const stop = followRealTime(kernel)
    await new Promise<void>((resolve) => {
      clockwork.after(20, () => seen.push("timer"))
      clockwork.defer(() => seen.push("deferred"))
      clockwork.after(30, resolve)
    })
    stop()
    assert.deepStrictEqual(seen, ["deferred", "timer"])
    clockwork.after(0, () => seen.push("never"))
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.lengthOf(seen, 2)
  })
})

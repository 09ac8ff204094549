// Worlds in the real world: run in slices they come to the same end, and in step with the clock they run what falls due.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { vi } from "vitest"
import { followRealTime, Kernel, memoryBytes, RealTime, runInSlices, SpeedMeter, wallMs } from "#sim"

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

  it("wakes at once for an answer from outside, though nothing is due for long", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate", "performance"] })
    try {
      const kernel = new Kernel({ seed: 1 })
      const process = kernel.process("a")
      const seen: Array<number> = []
      process.clockwork.after(60_000, () => seen.push(kernel.nowMs))
      const time = new RealTime(kernel)
      await vi.advanceTimersByTimeAsync(100)
      time.enter(process, () => seen.push(kernel.nowMs))
      await vi.advanceTimersByTimeAsync(1)
      process.clockwork.after(5, () => seen.push(kernel.nowMs))
      await vi.advanceTimersByTimeAsync(6)
      time.stop()
      assert.deepStrictEqual(seen.map(Math.round), [100, 105])
    } finally {
      vi.useRealTimers()
    }
  })
})

// When clients are asked to go elsewhere: always, or while one of three measures is above its threshold, and no longer.
import { assert, describe, it } from "vitest"
import { LoadPressure, type LoadThresholds } from "../../../core/gateway/proxy/LoadPressure.ts"
import { VirtualClock } from "../limits/VirtualClock.ts"

const none: LoadThresholds = { inFlight: 0, perSecond: 0, megabytesPerSecond: 0 }

const pressed = (thresholds: LoadThresholds) => {
  const clock = new VirtualClock()
  const work = { inFlight: 0, begun: 0, bytes: 0 }
  const pressure = new LoadPressure(clock, 0.01, thresholds, () => ({ ...work }))
  return { clock, work, pressure }
}

describe("clients are asked to go elsewhere", () => {
  it("always by chance, where no threshold is set", () => {
    const { clock, pressure } = pressed(none)
    assert.strictEqual(pressure.chance, 0.01)
    clock.advance(60_000)
    assert.strictEqual(pressure.chance, 0.01)
  })

  it("while too many requests are in flight", () => {
    const { clock, pressure, work } = pressed({ ...none, inFlight: 100 })
    clock.advance(5000)
    assert.strictEqual(pressure.chance, 0)
    work.inFlight = 101
    clock.advance(1000)
    assert.strictEqual(pressure.chance, 0.01)
    work.inFlight = 100
    clock.advance(1000)
    assert.strictEqual(pressure.chance, 0)
  })

  it("while too many begin, or too many bytes pass, over half a minute", () => {
    for (const [thresholds, field, each] of [
      [{ ...none, perSecond: 50 }, "begun", 100],
      [{ ...none, megabytesPerSecond: 5 }, "bytes", 10e6]
    ] as const) {
      const { clock, pressure, work } = pressed(thresholds)
      clock.advance(40_000)
      assert.strictEqual(pressure.chance, 0)
      // Ten seconds of twice the threshold are less than it in half a minute.
      for (let second = 0; second < 10; second++) {
        work[field] += each
        clock.advance(1000)
      }
      assert.strictEqual(pressure.chance, 0, field)
      for (let second = 0; second < 20; second++) {
        work[field] += each
        clock.advance(1000)
      }
      assert.strictEqual(pressure.chance, 0.01, field)
      clock.advance(40_000)
      assert.strictEqual(pressure.chance, 0, field)
      pressure.stop()
    }
  })
})

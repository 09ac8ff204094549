import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { LoadShape } from "../../scenarios/LoadShape.ts"
import { randomness } from "../../scenarios/Randomness.ts"
import { type OpenSchedule, schedule, type ScheduleBounds } from "../../scenarios/Schedule.ts"

const rate = fc.double({ min: 1, max: 5000, noNaN: true })
const limitMs = fc.integer({ min: 100, max: 20_000 })

const openShapes: Record<string, fc.Arbitrary<LoadShape>> = {
  qpsLoad: rate.map((qps) => ({ qpsLoad: { qps } })),
  randomizedLoad: rate.map((averageQps) => ({ randomizedLoad: { averageQps } })),
  steppedLoad: fc
    .record({ burstSize: fc.integer({ min: 1, max: 200 }), stepDelay: fc.integer({ min: 1, max: 2000 }) })
    .map((steppedLoad) => ({ steppedLoad })),
  timeLimitedLoad: limitMs.map((timeLimit) => ({ timeLimitedLoad: { timeLimit } })),
  randomizedTimeLimitedLoad: limitMs.map((timeLimit) => ({ randomizedTimeLimitedLoad: { timeLimit } })),
  globalQPSLoad: fc
    .record({ qps: rate, burst: fc.integer({ min: 1, max: 200 }) })
    .map((globalQPSLoad) => ({ globalQPSLoad })),
  poissonLoad: rate.map((expectedActionsPerSecond) => ({ poissonLoad: { expectedActionsPerSecond } }))
}

const open = (shape: LoadShape, bounds: ScheduleBounds): OpenSchedule => {
  const made = schedule(shape, bounds)
  assert(made.loop === "open")
  return made
}

const drain = (made: OpenSchedule): Array<number> => {
  const times: Array<number> = []
  for (let at = made.next(); at !== undefined; at = made.next()) times.push(at)
  return times
}

const bounds = (seed: number, actions: number): ScheduleBounds => ({ seed, name: "load", actions })

describe("every open shape", () => {
  for (const [name, shapes] of Object.entries(openShapes)) {
    it(`${name}: plans exactly its actions, from 0 on, never going back, the same for the same seed`, () => {
      fc.assert(
        fc.property(shapes, fc.nat(), fc.integer({ min: 1, max: 2000 }), (shape, seed, actions) => {
          const times = drain(open(shape, bounds(seed, actions)))
          assert.lengthOf(times, actions)
          assert.isAtLeast(times[0], 0)
          for (let index = 1; index < times.length; index++) assert.isAtLeast(times[index], times[index - 1])
          assert.deepStrictEqual(drain(open(shape, bounds(seed, actions))), times)
        }),
        { numRuns: 60 }
      )
    })

    it(`${name}: plans nothing at or after its duration`, () => {
      fc.assert(
        fc.property(shapes, fc.nat(), fc.integer({ min: 1, max: 3000 }), (shape, seed, durationMs) => {
          const times = drain(open(shape, { ...bounds(seed, 5000), durationMs }))
          for (const at of times) assert.isBelow(at, durationMs)
        }),
        { numRuns: 60 }
      )
    })
  }
})

describe("what each shape promises", () => {
  it("qpsLoad keeps one action each 1/qps seconds", () => {
    fc.assert(
      fc.property(rate, (qps) => {
        const times = drain(open({ qpsLoad: { qps } }, bounds(1, 100)))
        times.forEach((at, index) => assert.closeTo(at, (index * 1000) / qps, 1e-6))
      })
    )
  })

  it("randomizedLoad and poissonLoad keep their average rate, with the right spread", () => {
    fc.assert(
      fc.property(rate, fc.nat(), (perSecond, seed) => {
        const actions = 20_000
        const meanGap = 1000 / perSecond
        const gaps = (shape: LoadShape) => {
          const times = drain(open(shape, bounds(seed, actions)))
          return times.slice(1).map((at, index) => at - times[index])
        }
        const even = gaps({ randomizedLoad: { averageQps: perSecond } })
        assert.closeTo(even.reduce((sum, gap) => sum + gap, 0) / even.length / meanGap, 1, 0.03)
        for (const gap of even) assert.isAtMost(gap, 2 * meanGap + 1e-6)
        const poisson = gaps({ poissonLoad: { expectedActionsPerSecond: perSecond } })
        assert.closeTo(poisson.reduce((sum, gap) => sum + gap, 0) / poisson.length / meanGap, 1, 0.04)
        const longerThanMean = poisson.filter((gap) => gap > meanGap).length / poisson.length
        assert.closeTo(longerThanMean, Math.exp(-1), 0.02)
      }),
      { numRuns: 20 }
    )
  })

  it("steppedLoad sends burstSize at once, then waits stepDelay", () => {
    const times = drain(open({ steppedLoad: { burstSize: 3, stepDelay: 500 } }, bounds(1, 7)))
    assert.deepStrictEqual(times, [0, 0, 0, 500, 500, 500, 1000])
  })

  it("timeLimitedLoad spreads its actions evenly over the limit", () => {
    assert.deepStrictEqual(drain(open({ timeLimitedLoad: { timeLimit: 1000 } }, bounds(1, 4))), [0, 250, 500, 750])
  })

  it("randomizedTimeLimitedLoad spreads its actions uniformly within the limit", () => {
    fc.assert(
      fc.property(limitMs, fc.nat(), (timeLimit, seed) => {
        const times = drain(open({ randomizedTimeLimitedLoad: { timeLimit } }, bounds(seed, 4000)))
        for (const at of times) assert.isAtMost(at, timeLimit)
        for (const part of [0.25, 0.5, 0.75]) {
          assert.closeTo(times.filter((at) => at < part * timeLimit).length / times.length, part, 0.04)
        }
      }),
      { numRuns: 30 }
    )
  })

  it("globalQPSLoad starts with its burst, and loads that share it add up to one bucket", () => {
    fc.assert(
      fc.property(rate, fc.integer({ min: 1, max: 50 }), fc.integer({ min: 2, max: 5 }), (qps, burst, of) => {
        const shape: LoadShape = { globalQPSLoad: { qps, burst } }
        const alone = drain(open(shape, bounds(1, 60 * of)))
        assert.strictEqual(alone.filter((at) => at === 0).length, Math.min(burst, alone.length))
        const shared = Array.from({ length: of }, (_, index) =>
          drain(open(shape, { ...bounds(1, 60), share: { index, of } }))
        ).flat()
        assert.deepStrictEqual(
          shared.sort((left, right) => left - right),
          alone
        )
      }),
      { numRuns: 40 }
    )
  })

  it("parallelismLimitedLoad is a closed loop of that many actions", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), (parallelismLimit) => {
        const made = schedule({ parallelismLimitedLoad: { parallelismLimit } }, bounds(1, 10))
        assert.deepStrictEqual(made, { loop: "closed", parallelism: parallelismLimit })
      })
    )
  })

  it("different seeds and different loads of one seed get different times", () => {
    const shape: LoadShape = { poissonLoad: { expectedActionsPerSecond: 100 } }
    const first = drain(open(shape, bounds(1, 50)))
    assert.notDeepEqual(drain(open(shape, bounds(2, 50))), first)
    assert.notDeepEqual(drain(open(shape, { ...bounds(1, 50), name: "other" })), first)
  })
})

describe("randomness", () => {
  it("stays in its bounds and fills them evenly", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 4_294_967_295 }), (seed, below) => {
        const random = randomness(seed, "bounds")
        for (let draw = 0; draw < 100; draw++) {
          const whole = random.below(below)
          assert(Number.isInteger(whole) && whole >= 0 && whole < below)
          const fraction = random.fraction()
          assert(fraction >= 0 && fraction < 1)
        }
      })
    )
    const random = randomness(7)
    const cells = new Array<number>(10).fill(0)
    for (let draw = 0; draw < 100_000; draw++) cells[random.below(10)]++
    for (const cell of cells) assert.closeTo(cell, 10_000, 500)
  })
})

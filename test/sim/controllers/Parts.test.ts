// The parts of the batch and autoscaling controllers that are arithmetic, against the plainest way to do the same.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { IndexSet } from "../../../sim/controllers/batch/IndexSet.ts"
import { Recommendations } from "../../../sim/controllers/autoscaling/Recommendations.ts"
import { steppedValue } from "../../../sim/controllers/autoscaling/LoadProfile.ts"
import { runSeed } from "../../Seed.ts"

const seed = runSeed()
const runs = (numRuns: number) => ({ seed, numRuns })

describe(`index sets (SEED=${seed})`, () => {
  const indexes = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 40 })
  const sorted = (all: Iterable<number>) => [...new Set(all)].sort((a, b) => a - b)
  const members = (set: IndexSet) => Array.from({ length: 70 }, (_, at) => at).filter((at) => set.has(at))

  it("hold what was put in, in the text that Kubernetes writes", () => {
    fc.assert(
      fc.property(indexes, (all) => {
        const set = IndexSet.of(all)
        assert.deepStrictEqual(members(set), sorted(all))
        assert.strictEqual(set.size, all.length)
        assert.deepStrictEqual(members(IndexSet.parse(set.toString(), 100)), sorted(all))
        // A pair is never written as an interval.
        for (const [, first, last] of set.toString().matchAll(/(\d+)-(\d+)/g))
          assert.isAtLeast(Number(last) - Number(first), 2)
      }),
      runs(300)
    )
  })

  it("unite, meet and leave out as sets do", () => {
    fc.assert(
      fc.property(indexes, indexes, fc.integer({ min: 0, max: 70 }), (a, b, below) => {
        const [first, second] = [IndexSet.of(a), IndexSet.of(b)]
        assert.deepStrictEqual(members(first.union(second)), sorted([...a, ...b]))
        assert.strictEqual(first.shared(second), a.filter((one) => b.includes(one)).length)
        const missing = Array.from({ length: below }, (_, at) => at).filter((at) => !a.includes(at))
        assert.deepStrictEqual(first.missing(5, below), missing.slice(0, 5))
        assert.deepStrictEqual(members(IndexSet.parse(first.toString(), below)), sorted(a.filter((one) => one < below)))
      }),
      runs(300)
    )
  })
})

interface Policy {
  readonly type: "Pods" | "Percent"
  readonly value: number
  readonly periodSeconds: number
}

interface Rules {
  readonly stabilizationWindowSeconds: number
  readonly selectPolicy: "Max" | "Min" | "Disabled"
  readonly policies: ReadonlyArray<Policy>
}

/** The same rules over the whole history, with nothing forgotten or written over. */
class PlainReference {
  readonly said: Array<{ readonly replicas: number; readonly at: number }> = []
  readonly changes: Array<{ readonly by: number; readonly at: number }> = []

  next(
    desired: number,
    current: number,
    bounds: readonly [number, number],
    behavior: { up: Rules; down: Rules },
    now: number
  ): number {
    const { down, up } = behavior
    const since = (seconds: number) =>
      this.said.filter(({ at }) => at > now - seconds * 1000).map(({ replicas }) => replicas)
    const least = Math.min(desired, ...since(up.stabilizationWindowSeconds))
    const most = Math.max(desired, ...since(down.stabilizationWindowSeconds))
    this.said.push({ replicas: desired, at: now })
    const calm = Math.min(Math.max(current, least), most)
    if (calm > current) return Math.min(calm, bounds[1], Math.max(current, this.limit(up, current, 1, now)))
    if (calm < current) return Math.max(calm, bounds[0], Math.min(current, this.limit(down, current, -1, now)))
    return calm
  }

  private limit(rules: Rules, current: number, way: 1 | -1, now: number): number {
    if (rules.selectPolicy === "Disabled") return current
    const limits = rules.policies.map(({ periodSeconds, type, value }) => {
      const changed = this.changes
        .filter(({ at }) => at > now - periodSeconds * 1000)
        .reduce((sum, { by }) => sum + by, 0)
      const start = current - changed
      if (type === "Pods") return start + way * value
      return way === 1 ? Math.ceil(start * (1 + value / 100)) : Math.trunc(start * (1 - value / 100))
    })
    // The policy that allows most, or least, of a change.
    return rules.selectPolicy === "Max"
      ? way * Math.max(...limits.map((one) => way * one))
      : way * Math.min(...limits.map((one) => way * one))
  }
}

describe(`recommendations (SEED=${seed})`, () => {
  const policy = fc.record({
    type: fc.constantFrom("Pods" as const, "Percent" as const),
    value: fc.integer({ min: 1, max: 120 }),
    periodSeconds: fc.integer({ min: 1, max: 120 })
  })
  const rules = fc.record({
    stabilizationWindowSeconds: fc.integer({ min: 0, max: 180 }),
    selectPolicy: fc.constantFrom("Max" as const, "Min" as const, "Disabled" as const),
    policies: fc.array(policy, { minLength: 1, maxLength: 3 })
  })
  const looks = fc.array(
    fc.record({ afterMs: fc.integer({ min: 1, max: 60_000 }), desired: fc.integer({ min: 1, max: 60 }) }),
    {
      minLength: 1,
      maxLength: 60
    }
  )

  it("are held back and limited as the whole history says, and never leave the bounds", () => {
    fc.assert(
      fc.property(
        rules,
        rules,
        looks,
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 0, max: 40 }),
        (up, down, all, least, more) => {
          const behavior = { scaleUp: up, scaleDown: down } as never
          const bounds = [least, least + more] as const
          const memory = new Recommendations(300_000)
          const plain = new PlainReference()
          let now = 0
          let current: number = least
          memory.begin(current, now)
          plain.said.push({ replicas: current, at: now })
          for (const { afterMs, desired } of all) {
            now += afterMs
            const { limited } = memory.normalize(desired, { current, least: bounds[0], most: bounds[1] }, behavior, now)
            assert.strictEqual(limited.replicas, plain.next(desired, current, bounds, { up, down }, now))
            assert.isAtLeast(limited.replicas, bounds[0])
            assert.isAtMost(limited.replicas, bounds[1])
            if (limited.replicas === current) continue
            memory.scaled(current, limited.replicas, behavior, now)
            plain.changes.push({ by: limited.replicas - current, at: now })
            current = limited.replicas
          }
        }
      ),
      runs(400)
    )
  })

  it("without behaviour of their own go down only when five minutes have asked for it, and at most double", () => {
    fc.assert(
      fc.property(looks, (all) => {
        const memory = new Recommendations(300_000)
        const said: Array<readonly [number, number]> = [[4, 0]]
        let [now, current] = [0, 4]
        memory.begin(current, now)
        for (const { afterMs, desired } of all) {
          now += afterMs
          said.push([desired, now])
          const { limited, stabilized } = memory.normalize(desired, { current, least: 1, most: 50 }, undefined, now)
          const recent = said.filter(([, at]) => at >= now - 300_000).map(([replicas]) => replicas)
          assert.strictEqual(stabilized.replicas, Math.max(...recent))
          assert.strictEqual(limited.replicas, Math.min(stabilized.replicas, 50, Math.max(2 * current, 4)))
          current = limited.replicas
        }
      }),
      runs(400)
    )
  })
})

describe("steps of a demand", () => {
  it("hold from their time on", () => {
    const text = "0s=500m,10m=4,1h=1"
    assert.deepStrictEqual(
      [0, 599_999, 600_000, 3_599_999, 3_600_000].map((at) => steppedValue(text, at)),
      [500, 500, 4000, 4000, 1000]
    )
    assert.strictEqual(steppedValue("250m", 5), 250)
    assert.strictEqual(steppedValue("5m=1", 0), 0)
    assert.isUndefined(steppedValue("soon=1", 0))
  })
})

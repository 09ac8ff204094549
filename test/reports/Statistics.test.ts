import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { ratioOfMedians } from "../../reports/Bootstrap.ts"
import { mannWhitney } from "../../reports/MannWhitney.ts"
import { cliffsDelta, coefficientOfVariation, geometricMean, holm, median } from "../../reports/Statistics.ts"

const close = (actual: number, expected: number, tolerance: number) =>
  assert.isTrue(Math.abs(actual - expected) <= tolerance, `${actual} is not within ${tolerance} of ${expected}`)

const samples = (maxLength: number) => fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength })

/** p of every way to deal the pooled values into two hands, counted one by one. */
const enumeratedP = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number => {
  const pooled = [...a, ...b]
  const centre = (a.length * b.length) / 2
  const uOf = (left: ReadonlyArray<number>, right: ReadonlyArray<number>) =>
    left.reduce((sum, x) => sum + right.reduce((inner, y) => inner + (y > x ? 1 : y === x ? 0.5 : 0), 0), 0)
  const observed = Math.abs(uOf(a, b) - centre)
  let [extreme, all] = [0, 0]
  for (let mask = 0; mask < 1 << pooled.length; mask++) {
    const left = pooled.filter((_, index) => (mask >> index) & 1)
    if (left.length !== a.length) continue
    all++
    if (
      Math.abs(
        uOf(
          left,
          pooled.filter((_, index) => !((mask >> index) & 1))
        ) - centre
      ) >= observed
    )
      extreme++
  }
  return extreme / all
}

describe("Mann-Whitney", () => {
  it("agrees with R's wilcox.test", () => {
    const x = [0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    const y = [1.15, 0.88, 0.9, 0.74, 1.21]
    const { exact, p, u } = mannWhitney(y, x)
    assert.isTrue(exact)
    assert.strictEqual(u, 35)
    close(p, 0.2544, 5e-5)
  })

  it("agrees with counting every ordering, for distinct values", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer(), { minLength: 2, maxLength: 9 }), fc.nat(), (values, cut) => {
        const at = 1 + (cut % (values.length - 1))
        const [a, b] = [values.slice(0, at), values.slice(at)]
        close(mannWhitney(a, b).p, enumeratedP(a, b), 1e-12)
      }),
      { seed: 11, numRuns: 150 }
    )
  })

  it("approximates with a tie correction when values repeat", () => {
    // The airquality example of R's own wilcox.test page (ozone in May and August): W = 127.5, p = 0.0001208.
    const may = [41, 36, 12, 18, 28, 23, 19, 8, 7, 16, 11, 14, 18, 14, 34, 6, 30, 11, 1, 11, 4, 32, 23, 45, 115, 37]
    const august = [
      39, 9, 16, 78, 35, 66, 122, 89, 110, 44, 28, 65, 22, 59, 23, 31, 44, 21, 9, 45, 168, 73, 76, 118, 84, 85
    ]
    const { exact, p, u } = mannWhitney(august, may)
    assert.isFalse(exact)
    assert.strictEqual(u, 127.5)
    close(p, 0.0001208, 5e-8)
  })

  it("is symmetric, bounded, and silent about identical or empty sides", () => {
    fc.assert(
      fc.property(samples(30), samples(30), (a, b) => {
        const forward = mannWhitney(a, b)
        close(forward.p, mannWhitney(b, a).p, 1e-9)
        close(forward.u + mannWhitney(b, a).u, a.length * b.length, 1e-9)
        assert.isTrue(forward.p >= 0 && forward.p <= 1)
      }),
      { seed: 12 }
    )
    assert.strictEqual(mannWhitney([3, 3, 3], [3, 3]).p, 1)
    assert.strictEqual(mannWhitney([], [1]).p, 1)
  })

  it("joins the exact and the approximate branch without a step", () => {
    const a = Array.from({ length: 25 }, (_, index) => index * 2)
    const b = Array.from({ length: 25 }, (_, index) => index * 2 + 9)
    const tied = [...b.slice(1), a[24] ?? 0]
    close(mannWhitney(a, b).p, mannWhitney(a, tied).p, 0.05)
  })
})

describe("effect sizes and corrections", () => {
  it("holds Holm's textbook example", () => {
    const adjusted = holm([0.01, 0.04, 0.03, 0.005])
    for (const [index, expected] of [0.03, 0.06, 0.06, 0.02].entries())
      close(adjusted[index] ?? Number.NaN, expected, 1e-12)
  })

  it("never lowers a p-value, never exceeds one, keeps the order", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }), (pValues) => {
        const adjusted = holm(pValues)
        for (const [index, p] of pValues.entries()) {
          assert.isTrue((adjusted[index] ?? 0) >= p && (adjusted[index] ?? 2) <= 1)
          for (const [other, q] of pValues.entries()) {
            if (p < q) assert.isTrue((adjusted[index] ?? 2) <= (adjusted[other] ?? 0))
          }
        }
      }),
      { seed: 13 }
    )
  })

  it("gives Cliff's delta its sign and bounds", () => {
    assert.strictEqual(cliffsDelta([1, 2], [3, 4]), 1)
    assert.strictEqual(cliffsDelta([3, 4], [1, 2]), -1)
    assert.strictEqual(cliffsDelta([1, 2, 3], [2]), 0)
    fc.assert(
      fc.property(samples(20), samples(20), (a, b) => {
        assert.strictEqual(cliffsDelta(a, b) + cliffsDelta(b, a), 0)
        close(cliffsDelta(a, b), (2 * mannWhitney(a, b).u) / (a.length * b.length) - 1, 1e-9)
      }),
      { seed: 14 }
    )
  })

  it("averages ratios geometrically", () => {
    close(geometricMean([2, 8]), 4, 1e-12)
    close(geometricMean([0.5, 2]), 1, 1e-12)
    assert.isNaN(geometricMean([1, 0]))
    assert.isNaN(geometricMean([]))
    close(coefficientOfVariation([9, 10, 11]), 0.1, 1e-12)
  })
})

describe("bootstrap", () => {
  const run = (value: number) => ({ value, within: [] })
  const options = { seed: 5, resamples: 1000, confidence: 0.95 }

  it("contains its own ratio, scales with the candidate, and repeats with its seed", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 1, max: 100, noNaN: true }), { minLength: 2, maxLength: 15 }),
        fc.double({ min: 0.2, max: 5, noNaN: true }),
        (values, factor) => {
          const scaledUp = ratioOfMedians(
            values.map(run),
            values.map((value) => run(value * factor)),
            options
          )
          close(scaledUp.ratio, factor, 1e-9)
          assert.isTrue(scaledUp.low <= scaledUp.ratio + 1e-9 && scaledUp.ratio <= scaledUp.high + 1e-9)
          const again = ratioOfMedians(
            values.map(run),
            values.map((value) => run(value * factor)),
            options
          )
          assert.deepStrictEqual(again, scaledUp)
        }
      ),
      { seed: 15, numRuns: 50 }
    )
  })

  it("widens when the seconds inside a run scatter", () => {
    const steady = Array.from({ length: 10 }, () => ({ value: 100, within: Array.from({ length: 10 }, () => 7) }))
    const jumpy = steady.map(() => ({ value: 100, within: [1, 1, 1, 1, 1, 1, 1, 1, 1, 30] }))
    const narrow = ratioOfMedians(steady, steady, options)
    const wide = ratioOfMedians(steady, jumpy, options)
    assert.deepStrictEqual(narrow, { ratio: 1, low: 1, high: 1 })
    assert.isTrue(wide.high - wide.low > 0.2, `${wide.low} to ${wide.high}`)
  })

  it("has nothing to say about a side of fewer than two runs", () => {
    assert.isNaN(ratioOfMedians([], [run(1), run(2)], options).low)
    assert.isNaN(ratioOfMedians([run(1), run(2)], [run(1)], options).high)
  })

  it("takes the middle of an even count between its neighbours", () => {
    assert.strictEqual(median([4, 1, 3, 2]), 2.5)
  })
})

// The Mann–Whitney U test: do two samples of runs differ in location, without assuming a normal distribution.
// Exact for small samples without ties, otherwise the normal approximation with tie and continuity correction.
// Owns the test alone; correction over several metrics is Statistics.holm's.

/** U counts the pairs in which b exceeds a (ties count half); `p` is two-sided. */
export interface MannWhitney {
  readonly u: number
  readonly p: number
  readonly exact: boolean
}

// Beyond this the exact counts exceed what a double holds exactly, and the approximation is good to three digits.
const exactMax = 25

/** Two-sided test of two samples. With an empty sample nothing can be said: p is 1. */
export const mannWhitney = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): MannWhitney => {
  if (a.length === 0 || b.length === 0) return { u: 0, p: 1, exact: true }
  let u = 0
  for (const left of a) for (const right of b) u += right > left ? 1 : right === left ? 0.5 : 0
  const ties = tieCounts([...a, ...b])
  const exact = ties.length === 0 && a.length <= exactMax && b.length <= exactMax
  return { u, p: exact ? exactP(u, a.length, b.length) : normalP(u, a.length, b.length, ties), exact }
}

const tieCounts = (values: ReadonlyArray<number>): ReadonlyArray<number> => {
  const seen = new Map<number, number>()
  for (const value of values) seen.set(value, (seen.get(value) ?? 0) + 1)
  return [...seen.values()].filter((count) => count > 1)
}

// In how many of the orderings of n + m distinct values does each U occur? Adding the j-th value of the second sample
// puts 0 to n values of the first below it: the product of the polynomials (1 − x^(n+j)) / (1 − x^j).
const orderingsByU = (n: number, m: number): Float64Array => {
  const counts = new Float64Array(n * m + 1)
  counts[0] = 1
  for (let j = 1; j <= m; j++) {
    for (let u = n * m; u >= n + j; u--) counts[u] = (counts[u] ?? 0) - (counts[u - n - j] ?? 0)
    for (let u = j; u <= n * m; u++) counts[u] = (counts[u] ?? 0) + (counts[u - j] ?? 0)
  }
  return counts
}

const exactP = (u: number, n: number, m: number): number => {
  const counts = orderingsByU(n, m)
  const tail = Math.min(u, n * m - u)
  let inTail = 0
  let all = 0
  for (const [value, count] of counts.entries()) {
    all += count
    if (value <= tail) inTail += count
  }
  return Math.min(1, (2 * inTail) / all)
}

const normalP = (u: number, n: number, m: number, ties: ReadonlyArray<number>): number => {
  const all = n + m
  const tied = ties.reduce((sum, count) => sum + count ** 3 - count, 0)
  const variance = ((n * m) / 12) * (all + 1 - tied / (all * (all - 1)))
  if (variance <= 0) return 1
  const distance = Math.max(0, Math.abs(u - (n * m) / 2) - 0.5)
  return Math.min(1, erfc(distance / Math.sqrt(2 * variance)))
}

/** Complementary error function for x ≥ 0, relative error below 1.2e-7 (a Chebyshev fit in t = 1 / (1 + x/2)). */
const erfc = (x: number): number => {
  const t = 1 / (1 + x / 2)
  const polynomial = erfcCoefficients.reduceRight((sum, coefficient) => coefficient + t * sum, 0)
  return t * Math.exp(-x * x + polynomial)
}

const erfcCoefficients = [
  -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
  0.17087277
]

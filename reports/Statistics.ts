// Plain descriptive statistics over numbers: location, effect size, correction for many tests.
// Owns no policy: which numbers are compared and what follows from them is Compare.ts's. Tests of significance and
// resampling live in MannWhitney.ts and Bootstrap.ts.

/** The q-quantile (0 to 1) of ascending values, interpolated linearly; NaN for no values. */
export const quantileOfSorted = (sorted: ArrayLike<number>, q: number): number => {
  if (sorted.length === 0) return Number.NaN
  const at = (sorted.length - 1) * q
  const low = Math.floor(at)
  const below = sorted[low] ?? Number.NaN
  const above = sorted[Math.min(low + 1, sorted.length - 1)] ?? below
  return below + (above - below) * (at - low)
}

const ascending = (values: ReadonlyArray<number>) => Float64Array.from(values).sort()

/** The middle value; NaN for no values. */
export const median = (values: ReadonlyArray<number>): number => quantileOfSorted(ascending(values), 0.5)

/** The arithmetic mean; NaN for no values. */
export const mean = (values: ReadonlyArray<number>): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** Standard deviation over mean, with n − 1 in the denominator; NaN below two values. */
export const coefficientOfVariation = (values: ReadonlyArray<number>): number => {
  const centre = mean(values)
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0)
  return Math.sqrt(squares / (values.length - 1)) / centre
}

/** The n-th root of the product, the fair average of ratios; NaN for no values or for any that is not above zero. */
export const geometricMean = (values: ReadonlyArray<number>): number =>
  values.every((value) => value > 0) ? Math.exp(mean(values.map(Math.log))) : Number.NaN

/**
 * Cliff's delta: how often a value of `b` exceeds one of `a`, minus how often it falls below, from −1 to 1.
 * 0 means neither side tends to be larger; ±1 means that the sides do not overlap.
 */
export const cliffsDelta = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number => {
  let balance = 0
  for (const left of a) for (const right of b) balance += Math.sign(right - left)
  return balance / (a.length * b.length)
}

/** Holm's step-down correction: p-values adjusted so that the chance of any false alarm in the family stays at alpha. */
export const holm = (pValues: ReadonlyArray<number>): ReadonlyArray<number> => {
  const order = pValues.map((_, index) => index).sort((x, y) => (pValues[x] ?? 1) - (pValues[y] ?? 1))
  const adjusted = Array.from(pValues)
  let floor = 0
  for (const [rank, index] of order.entries()) {
    floor = Math.max(floor, Math.min(1, (pValues[index] ?? 1) * (pValues.length - rank)))
    adjusted[index] = floor
  }
  return adjusted
}

// Whole numbers of any size, as numbers while they are safe and as bigints beyond: the arithmetic under quantities.
// Owns scaling by powers of ten and rounding away from zero; refuses fractions.

/** A number while |n| ≤ 2^53−1, a bigint beyond. */
export type ExactInteger = number | bigint

/** The number, where it is safe. */
export const compact = (value: bigint): ExactInteger => {
  const small = Number(value)
  return Number.isSafeInteger(small) ? small : value
}

const POWERS = Array.from({ length: 16 }, (_, power) => 10 ** power)

const bigPower = (power: number): bigint => 10n ** BigInt(power)

/** value × 10^power. */
export const tenTimes = (value: ExactInteger, power: number): ExactInteger => {
  if (power === 0 || value === 0) return value
  if (typeof value === "number" && power < POWERS.length) {
    const product = value * (POWERS[power] ?? 1)
    if (Number.isSafeInteger(product)) return product
  }
  return compact(BigInt(value) * bigPower(power))
}

/** value ÷ 10^power, rounded away from zero. */
export const divideUp = (value: ExactInteger, power: number): ExactInteger => {
  if (typeof value === "number" && power < POWERS.length) {
    const divisor = POWERS[power] ?? 1
    const rest = value % divisor
    const whole = (value - rest) / divisor
    return rest === 0 ? whole : whole + (value < 0 ? -1 : 1)
  }
  // Far below one: no need for a power that large.
  if (typeof value === "number") return value === 0 ? 0 : value < 0 ? -1 : 1
  const divisor = bigPower(power)
  const whole = value / divisor
  return compact(value % divisor === 0n ? whole : whole + (value < 0n ? -1n : 1n))
}

export const plus = (a: ExactInteger, b: ExactInteger): ExactInteger => {
  if (typeof a === "number" && typeof b === "number") {
    const sum = a + b
    if (Number.isSafeInteger(sum)) return sum
  }
  return compact(BigInt(a) + BigInt(b))
}

// The text of a quantity taken apart: sign, digits, suffix.
// Owns the grammar, its three failures and the cases in which Go prints a text as it was; refuses arithmetic beyond scaling.
import type { QuantityFormat } from "./Quantity.ts"
import { compact, divideUp, type ExactInteger, tenTimes } from "./ScaledInteger.ts"

const messages = {
  form: "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  number: "unable to parse numeric part of quantity",
  suffix: "unable to parse quantity's suffix"
}

/** A text that is no quantity. */
export class QuantityInvalid extends Error {
  readonly _tag = "QuantityInvalid"
  override readonly name = "QuantityInvalid"
}

interface Suffix {
  readonly exponent: number
  readonly format: QuantityFormat
}

const suffixes: ReadonlyMap<string, Suffix> = new Map([
  ...["n", "u", "m", "", "k", "M", "G", "T", "P", "E"].map((text, at): [string, Suffix] => [
    text,
    { exponent: at * 3 - 9, format: "DecimalSI" }
  ]),
  ...["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].map((text, at): [string, Suffix] => [
    text,
    { exponent: at * 10 + 10, format: "BinarySI" }
  ])
])

/** Beyond it numbers would only cost memory: Go takes any, no quantity needs one. */
const EXPONENT_MAX = 300
const LENGTH_MAX = 600

const NANO = -9
/** Digits that Go's fast path takes; what it takes, it may print as it was. */
const FAST_DIGITS = 18
const INT64_MAX = 2n ** 63n - 1n

const shape = /^([+-]?)(0*)(\d*)(?:(\.)(\d*))?([eEinumkKMGTP]*[-+]?\d*)$/

const suffixOf = (text: string): Suffix | undefined => {
  const known = suffixes.get(text)
  if (known !== undefined) return known
  if (!/^[eE][+-]?\d+$/.test(text)) return undefined
  const exponent = Number(text.slice(1))
  return Math.abs(exponent) > EXPONENT_MAX ? undefined : { exponent, format: "DecimalExponent" }
}

export interface QuantityRead {
  readonly unscaled: ExactInteger
  readonly scale: number
  readonly format: QuantityFormat
  /** The text itself, where it is printed again. */
  readonly text: string | undefined
}

interface Digits {
  readonly negative: boolean
  readonly whole: string
  readonly fraction: string
}

/** Few digits at a scale that is kept: exact as they stand. */
const readFast = (text: string, { fraction, negative, whole }: Digits, suffix: Suffix): QuantityRead | undefined => {
  const { exponent, format } = suffix
  const shifted = whole + fraction
  if (format === "BinarySI") {
    if (fraction !== "" || 15 - whole.length - Math.floor((exponent * 3) / 10) - 1 < 0) return undefined
    const kept = (Number(whole) & 7) !== 0
    const value = compact(BigInt(whole) << BigInt(exponent))
    return { unscaled: signed(value, negative), scale: 0, format, text: kept ? text : undefined }
  }
  const scale = exponent - fraction.length
  if (shifted.length > FAST_DIGITS || scale < NANO) return undefined
  const kept = scale % 3 === 0 && !shifted.endsWith("000") && !shifted.startsWith("0")
  return { unscaled: signed(compact(BigInt(shifted)), negative), scale, format, text: kept ? text : undefined }
}

const signed = (value: ExactInteger, negative: boolean): ExactInteger => (negative && value !== 0 ? -value : value)

/** Any number: rounded away from zero to 10^-9, and a binary one capped at the largest int64. */
const readExact = ({ fraction, negative, whole }: Digits, suffix: Suffix): QuantityRead => {
  const binary = suffix.format === "BinarySI"
  const digits = BigInt(whole + fraction)
  let unscaled = compact(binary ? digits << BigInt(suffix.exponent) : digits)
  let scale = (binary ? 0 : suffix.exponent) - fraction.length
  if (scale < NANO) {
    unscaled = divideUp(unscaled, NANO - scale)
    scale = NANO
  }
  let format = suffix.format
  if (binary) {
    const limit = scale < 0 ? tenTimes(INT64_MAX, -scale) : INT64_MAX
    if (unscaled > limit) {
      unscaled = INT64_MAX
      scale = 0
    } else if (unscaled > 0 && unscaled < tenTimes(1, -scale)) format = "DecimalSI"
  }
  return { unscaled: signed(unscaled, negative), scale, format, text: undefined }
}

/** Takes a text apart. */
export const readQuantity = (text: string): QuantityRead | QuantityInvalid => {
  if (text === "" || text.length > LENGTH_MAX) return new QuantityInvalid(messages.form)
  const match = shape.exec(text)
  if (match === null) return new QuantityInvalid(messages.form)
  const [, sign = "", zeros = "", whole = "", , fraction = "", suffixText = ""] = match
  const suffix = suffixOf(suffixText)
  if (suffix === undefined) return new QuantityInvalid(messages.suffix)
  const digits: Digits = { negative: sign === "-", whole: whole === "" ? "0" : whole, fraction }
  const fast = readFast(text, digits, suffix)
  if (fast !== undefined) return fast
  // Without any digit the fast path reads a zero, the exact one refuses.
  return zeros + whole + fraction === "" ? new QuantityInvalid(messages.number) : readExact(digits, suffix)
}

// Resource quantities: exact decimal numbers with a suffix, like "100m", "1.5Gi" or "12e6" (apimachinery's pkg/api/resource).
// Owns their arithmetic and canonical text; refuses floating point, in which 0.1 + 0.2 would not be 0.3.
import { QuantityInvalid, readQuantity } from "./QuantityText.ts"
import { compact, divideUp, type ExactInteger, plus, tenTimes } from "./ScaledInteger.ts"

export type QuantityFormat = "DecimalSI" | "BinarySI" | "DecimalExponent"

const decimalSuffixes: ReadonlyMap<number, string> = new Map([
  [-9, "n"],
  [-6, "u"],
  [-3, "m"],
  [0, ""],
  [3, "k"],
  [6, "M"],
  [9, "G"],
  [12, "T"],
  [15, "P"],
  [18, "E"]
])
const binarySuffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]

const SI_EXPONENT_MAX = 18

/** An exact amount: `unscaled` × 10^`scale`. Never changes. */
export class Quantity {
  readonly unscaled: ExactInteger
  readonly scale: number
  readonly format: QuantityFormat
  #text: string | undefined

  /** `text`, where it is given, is what the quantity is printed as. */
  constructor(unscaled: ExactInteger, scale: number, format: QuantityFormat, text?: string) {
    this.unscaled = unscaled
    this.scale = scale
    this.format = format
    this.#text = text
  }

  get isZero(): boolean {
    return this.unscaled === 0
  }

  get sign(): -1 | 0 | 1 {
    return this.unscaled < 0 ? -1 : this.unscaled > 0 ? 1 : 0
  }

  /** In units of 10^`scale`, rounded away from zero. */
  scaledValue(scale: number): ExactInteger {
    const shift = this.scale - scale
    return shift >= 0 ? tenTimes(this.unscaled, shift) : divideUp(this.unscaled, -shift)
  }

  /** Whole units, rounded away from zero: bytes, pods. */
  value(): ExactInteger {
    return this.scale === 0 ? this.unscaled : this.scaledValue(0)
  }

  /** Thousandths, rounded away from zero: milli-CPUs. */
  milliValue(): ExactInteger {
    return this.scale === -3 ? this.unscaled : this.scaledValue(-3)
  }

  /** -1, 0 or 1. */
  compare(other: Quantity): -1 | 0 | 1 {
    const scale = Math.min(this.scale, other.scale)
    const left = tenTimes(this.unscaled, this.scale - scale)
    const right = tenTimes(other.unscaled, other.scale - scale)
    return left < right ? -1 : left > right ? 1 : 0
  }

  add(other: Quantity): Quantity {
    const format = this.isZero ? other.format : this.format
    if (this.scale === other.scale) return new Quantity(plus(this.unscaled, other.unscaled), this.scale, format)
    const scale = Math.min(this.scale, other.scale)
    const left = tenTimes(this.unscaled, this.scale - scale)
    return new Quantity(plus(left, tenTimes(other.unscaled, other.scale - scale)), scale, format)
  }

  negate(): Quantity {
    return new Quantity(this.isZero ? 0 : -this.unscaled, this.scale, this.format)
  }

  sub(other: Quantity): Quantity {
    return this.add(other.negate())
  }

  /** Times a whole number. */
  times(factor: number): Quantity {
    return new Quantity(compact(BigInt(this.unscaled) * BigInt(factor)), this.scale, this.format)
  }

  /** The canonical text, or the one that was parsed where that is canonical enough for Go to keep it. */
  toString(): string {
    return (this.#text ??= this.canonical())
  }

  toJSON(): string {
    return this.toString()
  }

  /** The canonical text: no fraction, the largest suffix that needs none. */
  canonical(): string {
    if (this.isZero) return "0"
    if (this.format !== "BinarySI") return this.#decimal(this.format)
    const whole = this.value()
    const small = whole > -1024 && whole < 1024
    const exact = this.scale >= 0 || tenTimes(whole, -this.scale) === this.unscaled
    return small || !exact ? this.#decimal("DecimalSI") : binaryText(whole)
  }

  #decimal(format: "DecimalSI" | "DecimalExponent"): string {
    let digits = String(this.unscaled)
    let exponent = this.scale
    const zeros = digits.length - digits.replace(/0+$/, "").length
    digits = digits.slice(0, digits.length - zeros)
    exponent += zeros
    let lower = Math.floor(exponent / 3) * 3
    if (format === "DecimalSI" && lower > SI_EXPONENT_MAX) lower = SI_EXPONENT_MAX
    digits += "0".repeat(exponent - lower)
    if (format === "DecimalSI") return digits + (decimalSuffixes.get(lower) ?? `e${lower}`)
    return lower === 0 ? digits : `${digits}e${lower}`
  }
}

const binaryText = (whole: ExactInteger): string => {
  let amount = BigInt(whole)
  let times = 0
  while (times < binarySuffixes.length - 1 && amount % 1024n === 0n) {
    amount /= 1024n
    times++
  }
  return `${amount}${binarySuffixes[times] ?? ""}`
}

const CACHE_MAX = 8192

/** What was parsed before: clusters use few texts, again and again. Emptied when it is full. */
const parsed = new Map<string, Quantity>()

/** Reads a text; the failure says which of apimachinery's three rules it breaks. */
export const parseQuantity = (text: string): Quantity | QuantityInvalid => {
  const known = parsed.get(text)
  if (known !== undefined) return known
  const read = readQuantity(text)
  if (read instanceof QuantityInvalid) return read
  const quantity = new Quantity(read.unscaled, read.scale, read.format, read.text)
  if (parsed.size >= CACHE_MAX) parsed.clear()
  parsed.set(text, quantity)
  return quantity
}

/** Reads what stands in an object, where a number is as good as a text. */
export const quantityOf = (value: string | number): Quantity | QuantityInvalid =>
  parseQuantity(typeof value === "string" ? value.trim() : String(value))

/** A whole number of units. */
export const wholeQuantity = (value: number, format: QuantityFormat = "DecimalSI"): Quantity =>
  new Quantity(value, 0, format)

/** A number of thousandths. */
export const milliQuantity = (value: number, format: QuantityFormat = "DecimalSI"): Quantity =>
  new Quantity(value, -3, format)

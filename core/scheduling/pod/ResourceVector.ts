// Amounts of resources as whole numbers: thousandths of CPUs, bytes, pieces. Names are numbered once and then addressed by number.
// Owns the numbering and which names count; refuses fractions. Amounts beyond 2^53 stay exact, as bigints.
import { type Quantity } from "#kube"

/** A number while it is safe, a bigint beyond 2^53−1. */
export type Exact = number | bigint

export const CPU = 0
export const MEMORY = 1
export const EPHEMERAL = 2
const FIXED = ["cpu", "memory", "ephemeral-storage"]

/** A resource that no Kubernetes component gives meaning to: "example.com/gpu". */
export const isExtended = (name: string): boolean =>
  name.includes("/") && !name.includes("kubernetes.io/") && !name.startsWith("requests.")

/** Resources that are counted by name beside the fixed three. */
export const isScalar = (name: string): boolean =>
  isExtended(name) ||
  name.startsWith("hugepages-") ||
  name.includes("kubernetes.io/") ||
  name.startsWith("attachable-volumes-")

/** Names of resources by number, and the reverse; grows with what nodes and pods name. */
export class ResourceNames {
  readonly names: Array<string> = [...FIXED]
  private readonly numbers = new Map<string, number>(FIXED.map((name, at) => [name, at]))

  /** The number of a name that counts; undefined for "pods", "storage" and the like. */
  numberOf(name: string): number | undefined {
    const known = this.numbers.get(name)
    if (known !== undefined) return known
    if (!isScalar(name)) return undefined
    this.numbers.set(name, this.names.length)
    this.names.push(name)
    return this.names.length - 1
  }
}

/** Amounts of a few resources: numbers and amounts at equal places. */
export interface ResourceVector {
  readonly numbers: ReadonlyArray<number>
  readonly amounts: ReadonlyArray<Exact>
}

const amountIn = (number: number, quantity: Quantity): Exact =>
  number === CPU ? quantity.milliValue() : quantity.value()

/** The vector of requests; every named resource is in it, zero amounts as well. */
export const vectorOf = (names: ResourceNames, requests: ReadonlyMap<string, Quantity>): ResourceVector => {
  const numbers: Array<number> = []
  const amounts: Array<Exact> = []
  for (const [name, quantity] of requests) {
    const number = names.numberOf(name)
    if (number === undefined) continue
    numbers.push(number)
    amounts.push(amountIn(number, quantity))
  }
  return { numbers, amounts }
}

/** The amount of one resource in a vector; 0 when it is not there. */
export const amountOf = ({ amounts, numbers }: ResourceVector, number: number): Exact => {
  const at = numbers.indexOf(number)
  return at < 0 ? 0 : amounts[at]
}

/** a + b, exactly. */
export const addExact = (a: Exact, b: Exact): Exact => {
  if (typeof a === "number" && typeof b === "number") {
    const sum = a + b
    if (Number.isSafeInteger(sum)) return sum
  }
  const sum = BigInt(a) + BigInt(b)
  const small = Number(sum)
  return Number.isSafeInteger(small) ? small : sum
}

/** a − b, exactly. */
export const subExact = (a: Exact, b: Exact): Exact => addExact(a, -b)

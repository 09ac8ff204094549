// Numbers by node: one column for each resource, exact at any size.
// Owns growth and exactness: a column is doubles while all its amounts are below 2^53, and bigints beside them from the first that is not.
import type { Exact } from "../pod/ResourceVector.ts"

const SAFE = Number.MAX_SAFE_INTEGER

export class Column {
  /** Exact while `wide` is undefined, rounded otherwise. */
  narrow: Float64Array
  wide: Array<bigint> | undefined

  constructor(size: number) {
    this.narrow = new Float64Array(size)
  }

  grow(size: number): void {
    const grown = new Float64Array(size)
    grown.set(this.narrow)
    this.narrow = grown
    while (this.wide !== undefined && this.wide.length < size) this.wide.push(0n)
  }

  get(at: number): Exact {
    return this.wide === undefined ? this.narrow[at] : this.wide[at]
  }

  set(at: number, amount: Exact): void {
    if (this.wide === undefined) {
      if (typeof amount === "number") {
        this.narrow[at] = amount
        return
      }
      this.widen()
    }
    const exact = BigInt(amount)
    if (this.wide !== undefined) this.wide[at] = exact
    this.narrow[at] = Number(exact)
  }

  add(at: number, amount: Exact): void {
    if (this.wide === undefined && typeof amount === "number") {
      const sum = this.narrow[at] + amount
      if (sum <= SAFE && sum >= -SAFE) {
        this.narrow[at] = sum
        return
      }
    }
    this.set(at, BigInt(this.get(at)) + BigInt(amount))
  }

  private widen(): void {
    this.wide ??= Array.from(this.narrow, (value) => BigInt(value))
  }
}

const column = (columns: Array<Column | undefined>, number: number, size: number): Column =>
  (columns[number] ??= new Column(size))

/** Columns of resources by number, made when first written. */
export class ResourceColumns {
  readonly columns: Array<Column | undefined> = []
  private size: number

  constructor(size: number) {
    this.size = size
  }

  grow(size: number): void {
    this.size = size
    for (const one of this.columns) one?.grow(size)
  }

  get(number: number, at: number): Exact {
    return this.columns[number]?.get(at) ?? 0
  }

  set(number: number, at: number, amount: Exact): void {
    if (amount === 0 && this.columns[number] === undefined) return
    column(this.columns, number, this.size).set(at, amount)
  }

  add(number: number, at: number, amount: Exact): void {
    if (amount === 0) return
    column(this.columns, number, this.size).add(at, amount)
  }

  /** Everything about one node is zero again. */
  clear(at: number): void {
    for (const one of this.columns) one?.set(at, 0)
  }
}

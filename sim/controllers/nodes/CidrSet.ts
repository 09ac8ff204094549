// Equal parts of an address range, given out one after another and taken back.
// Owns the arithmetic of one range and which parts are taken; refuses to know who has them. Bound: one bit for each part.

const PARTS_MAX_BITS = 16

/** A range of addresses, from its first one. */
interface Range {
  readonly isV6: boolean
  readonly first: bigint
  readonly prefix: number
}

const ipv4Of = (text: string): bigint | undefined => {
  const parts = text.split(".")
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) return undefined
  return parts.reduce((value, part) => value * 256n + BigInt(part), 0n)
}

const ipv6Of = (text: string): bigint | undefined => {
  const [left = "", right, ...more] = text.split("::")
  if (more.length > 0) return undefined
  const groups = (half: string): ReadonlyArray<string> => (half === "" ? [] : half.split(":"))
  const [head, tail] = [groups(left), groups(right ?? "")]
  const missing = 8 - head.length - tail.length
  if (right === undefined ? missing !== 0 : missing < 1) return undefined
  const all = [...head, ...new Array<string>(right === undefined ? 0 : missing).fill("0"), ...tail]
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined
  return all.reduce((value, group) => value * 65_536n + BigInt(`0x${group}`), 0n)
}

/** A range in CIDR notation; undefined when the text is none. Bits beyond the prefix are dropped. */
const rangeOf = (cidr: string): Range | undefined => {
  const [address = "", length = ""] = cidr.split("/")
  const isV6 = address.includes(":")
  const value = isV6 ? ipv6Of(address) : ipv4Of(address)
  const prefix = Number(length)
  const bits = isV6 ? 128 : 32
  if (value === undefined || !/^\d{1,3}$/.test(length) || prefix > bits) return undefined
  const rest = BigInt(bits - prefix)
  return { isV6, first: (value >> rest) << rest, prefix }
}

/** An IPv6 address with its longest run of zero groups left out (RFC 5952). */
const ipv6Text = (value: bigint): string => {
  const groups = Array.from({ length: 8 }, (_, at) => ((value >> BigInt((7 - at) * 16)) & 0xffffn).toString(16))
  const runs = groups.map((_, at) => {
    const end = groups.findIndex((group, other) => other >= at && group !== "0")
    return (end < 0 ? 8 : end) - at
  })
  const longest = Math.max(...runs)
  if (longest < 2) return groups.join(":")
  const at = runs.indexOf(longest)
  return `${groups.slice(0, at).join(":")}::${groups.slice(at + longest).join(":")}`
}

const addressText = (value: bigint, isV6: boolean): string =>
  isV6 ? ipv6Text(value) : [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join(".")

export class CidrSet {
  readonly #range: Range
  readonly #prefix: number
  readonly #taken: Uint8Array
  #next = 0
  #free: number

  /** Parts of `prefix` bits of a range; a TypeError says which of the two cannot be. */
  constructor(cidr: string, prefix: number) {
    const range = rangeOf(cidr)
    if (range === undefined) throw new TypeError(`${cidr} is no range of addresses`)
    const bits = prefix - range.prefix
    if (bits < 0 || bits > PARTS_MAX_BITS || prefix > (range.isV6 ? 128 : 32)) {
      throw new TypeError(`parts of ${prefix} bits: from the range's own size on, ${PARTS_MAX_BITS} bits more at most`)
    }
    this.#range = range
    this.#prefix = prefix
    this.#taken = new Uint8Array(2 ** bits)
    this.#free = this.#taken.length
  }

  /** The next free part, as CIDR; undefined when all are taken. */
  allocate(): string | undefined {
    if (this.#free === 0) return undefined
    const parts = this.#taken.length
    while (this.#taken[this.#next] === 1) this.#next = (this.#next + 1) % parts
    const part = this.#next
    this.#next = (part + 1) % parts
    this.#set(part, 1)
    return this.#textOf(part)
  }

  /** Marks every part that a range touches; false when it lies outside. */
  occupy(cidr: string): boolean {
    return this.#mark(cidr, 1)
  }

  release(cidr: string): boolean {
    return this.#mark(cidr, 0)
  }

  get free(): number {
    return this.#free
  }

  #mark(cidr: string, value: 0 | 1): boolean {
    const range = rangeOf(cidr)
    if (range === undefined || range.isV6 !== this.#range.isV6) return false
    const width = BigInt((range.isV6 ? 128 : 32) - this.#prefix)
    const lengthBits = BigInt((range.isV6 ? 128 : 32) - range.prefix)
    const from = (range.first - this.#range.first) >> width
    const to = (range.first + (1n << lengthBits) - 1n - this.#range.first) >> width
    const parts = BigInt(this.#taken.length)
    if (to < 0n || from >= parts) return false
    for (let part = from < 0n ? 0n : from; part <= to && part < parts; part++) this.#set(Number(part), value)
    return true
  }

  #set(part: number, value: 0 | 1): void {
    if (this.#taken[part] === value) return
    this.#taken[part] = value
    this.#free += value === 1 ? -1 : 1
  }

  #textOf(part: number): string {
    const { first, isV6 } = this.#range
    const width = BigInt((isV6 ? 128 : 32) - this.#prefix)
    return `${addressText(first + (BigInt(part) << width), isV6)}/${this.#prefix}`
  }
}

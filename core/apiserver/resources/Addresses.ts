// IP addresses and CIDRs as numbers: parsing, printing, and the rules of fields that hold them.
// Owns this arithmetic; refuses names, which #kube has.
import { invalid, type Problems } from "./Problems.ts"

export interface Address {
  readonly family: "IPv4" | "IPv6"
  readonly value: bigint
}

export interface Cidr {
  readonly family: "IPv4" | "IPv6"
  /** The first address of the block. */
  readonly base: bigint
  readonly prefix: number
  /** How many addresses the block has. */
  readonly size: bigint
}

/** A plain IPv4 address as a number, −1 when it is none. Read by hand: every status of every pod has some, and every endpoint. */
const fourOf = (text: string): number => {
  let parts = 1
  let value = -1
  let whole = 0
  for (let at = 0; at < text.length; at++) {
    const letter = text.charCodeAt(at)
    if (letter === 0x2e) {
      if (value < 0 || ++parts > 4) return -1
      whole = whole * 256 + value
      value = -1
    } else if (letter < 0x30 || letter > 0x39 || value === 0) return -1
    else if ((value = (value < 0 ? 0 : value * 10) + letter - 0x30) > 255) return -1
  }
  return parts === 4 && value >= 0 ? whole * 256 + value : -1
}

const isFour = (text: string): boolean => fourOf(text) >= 0

const parse4 = (text: string): bigint | undefined => {
  const value = fourOf(text)
  return value < 0 ? undefined : BigInt(value)
}

const words = (text: string): ReadonlyArray<number> | undefined => {
  if (text === "") return []
  const found: Array<number> = []
  const parts = text.split(":")
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at] ?? ""
    if (at === parts.length - 1 && part.includes(".")) {
      const tail = parse4(part)
      if (tail === undefined) return undefined
      found.push(Number(tail >> 16n), Number(tail & 0xffffn))
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) found.push(Number.parseInt(part, 16))
    else return undefined
  }
  return found
}

const parse6 = (text: string): bigint | undefined => {
  const halves = text.split("::")
  if (halves.length > 2) return undefined
  const head = words(halves[0] ?? "")
  const tail = halves.length === 2 ? words(halves[1] ?? "") : []
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const all = [...head, ...Array.from({ length: missing }, () => 0), ...tail]
  return all.reduce((value, word) => value * 65_536n + BigInt(word), 0n)
}

/** Reads an address; undefined when it is none. */
export const parseAddress = (text: string): Address | undefined => {
  const isSix = text.includes(":")
  const value = isSix ? parse6(text) : parse4(text)
  return value === undefined ? undefined : { family: isSix ? "IPv6" : "IPv4", value }
}

/** The canonical text of an address. */
export const addressText = ({ family, value }: Address): string => {
  if (family === "IPv4") return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".")
  const parts = [7n, 6n, 5n, 4n, 3n, 2n, 1n, 0n].map((at) => Number((value >> (at * 16n)) & 0xffffn))
  let from = -1
  let length = 1
  for (let at = 0; at < 8; at++) {
    let zeros = 0
    while (at + zeros < 8 && parts[at + zeros] === 0) zeros++
    if (zeros > length) {
      from = at
      length = zeros
    }
  }
  const hex = parts.map((part) => part.toString(16))
  return from < 0 ? hex.join(":") : `${hex.slice(0, from).join(":")}::${hex.slice(from + length).join(":")}`
}

/** Reads a block like "10.96.0.0/12"; undefined when it is none. */
export const parseCidr = (text: string): Cidr | undefined => {
  const slash = text.indexOf("/")
  const address = slash < 0 ? undefined : parseAddress(text.slice(0, slash))
  const length = text.slice(slash + 1)
  if (address === undefined || !/^(0|[1-9]\d{0,2})$/.test(length)) return undefined
  const bits = address.family === "IPv4" ? 32 : 128
  const prefix = Number(length)
  if (prefix > bits) return undefined
  const size = 1n << BigInt(bits - prefix)
  return { family: address.family, base: address.value - (address.value % size), prefix, size }
}

/** Whether an address lies in a block. */
export const contains = (cidr: Cidr, address: Address): boolean =>
  cidr.family === address.family && address.value >= cidr.base && address.value < cidr.base + cidr.size

/** What is wrong with a text that is no address. */
export const NOT_AN_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"

/** Checks an address. */
export const checkAddress = (text: string, path: string, problems: Problems): void => {
  if (isFour(text)) return
  const address = parseAddress(text)
  if (address === undefined) {
    const sloppy = parseAddress(withoutLeadingZeros(text)) !== undefined
    problems.push(invalid(path, text, sloppy ? "must not have leading 0s" : NOT_AN_ADDRESS))
  } else if (isMapped(address)) problems.push(invalid(path, text, "must not be an IPv4-mapped IPv6 address"))
}

const withoutLeadingZeros = (text: string): string => text.replace(/(^|[./])0+(?=\d)/g, "$1")

/** Checks a block of addresses: one that other programs could read otherwise is refused as well. */
export const checkCidr = (text: string, path: string, problems: Problems): void => {
  const cidr = parseCidr(text)
  const address = parseAddress(text.split("/", 1)[0] ?? "")
  const refuse = (why: string): number => problems.push(invalid(path, text, why))
  if (cidr === undefined || address === undefined) {
    const sloppy = parseCidr(withoutLeadingZeros(text)) !== undefined
    refuse(
      sloppy
        ? "must not have leading 0s in IP or prefix length"
        : "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    )
  } else if (isMapped(address)) refuse("must not have an IPv4-mapped IPv6 address")
  else if (address.value !== cidr.base) refuse("must not have bits set beyond the prefix length")
}

/** Whether an address of the newer family stands for one of the older. */
const isMapped = ({ family, value }: Address): boolean => family === "IPv6" && value >> 32n === 0xffffn

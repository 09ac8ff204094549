// Blocks of addresses, as rules name them, and addresses as numbers of 128 bits.
// Owns their text (IPv4, IPv6 and IPv4 inside IPv6, which counts as IPv4); refuses host names and zones.
import { isIP } from "node:net"

/** Addresses whose bits above `shift` are `top`. */
export interface CidrBlock {
  readonly top: bigint
  readonly shift: bigint
}

const MAPPED = 0xffffn << 32n

const ipv4Number = (address: string): bigint => address.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n)

const groupsOf = (text: string): ReadonlyArray<bigint> =>
  text === "" ? [] : text.split(":").map((group) => BigInt(`0x${group}`))

const ipv6Number = (address: string): bigint => {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address)
  const [text, low] = dotted === null ? [address, 0n] : [`${dotted[1] ?? ""}0:0`, ipv4Number(dotted[2] ?? "")]
  const [head = "", tail] = text.split("::")
  const before = groupsOf(head)
  const after = tail === undefined ? [] : groupsOf(tail)
  const zeros = new Array<bigint>(8 - before.length - after.length).fill(0n)
  return [...before, ...zeros, ...after].reduce((sum, group) => (sum << 16n) | group, 0n) | low
}

/** The number of an address, an IPv4 one as its IPv6 form; undefined when the text is no address. */
export const addressNumber = (address: string): bigint | undefined => {
  switch (isIP(address)) {
    case 4:
      return MAPPED | ipv4Number(address)
    case 6:
      return address.includes("%") ? undefined : ipv6Number(address)
    default:
      return undefined
  }
}

/** A block like "10.0.0.0/8", or one address; undefined when the text is neither. Bits beyond the prefix do not count. */
export const parseCidr = (text: string): CidrBlock | undefined => {
  const [address = "", length, ...rest] = text.split("/")
  const number = addressNumber(address)
  if (number === undefined || rest.length > 0) return undefined
  const bits = address.includes(":") ? 128 : 32
  if (length !== undefined && (!/^\d{1,3}$/.test(length) || Number(length) > bits)) return undefined
  const shift = BigInt(bits - (length === undefined ? bits : Number(length)))
  return { top: number >> shift, shift }
}

/** Whether an address lies in a block. */
export const isInBlock = (address: bigint, { shift, top }: CidrBlock): boolean => address >> shift === top

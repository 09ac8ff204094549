// What gateways and limiter say to each other: one JSON object a line, both ways on one stream.
// Owns the shapes and their reading; a line that is none of them is an error that names the field. The original sends a request for each
// statement and feeds back floats, by which quotas grow and shrink without anybody counting what is out; here every part is a lease with
// a version, an end and the epoch of the leader that gave it, and the leader pushes it when it changes.
import { isJsonObject, type Json, type JsonObject } from "#kube"

/** One limit of one cluster as its gateway sees it. */
export interface ReportItem {
  readonly cluster: string
  readonly name: string
  /** The epoch and version of the lease it goes by; epoch 0: none. */
  readonly epoch: number
  readonly version: number
  /** What it may still use, at most. */
  readonly holding: number
  /** What it could use: requests a second, requests in flight, or tokens wanted now. */
  readonly demand: number
  /** What it used of late, for people to see: requests a second, or in flight. */
  readonly used: number
}

/** From a gateway: at least every third of a lease, and at once when something changed. */
export interface Report {
  readonly seq: number
  readonly items: ReadonlyArray<ReportItem>
  /** It goes: all its leases end here. */
  readonly bye: boolean
}

/** The first line of a gateway. */
export interface Hello {
  readonly instance: string
}

export interface GrantItem {
  readonly cluster: string
  readonly name: string
  readonly epoch: number
  readonly version: number
  /** The part of the limit from now on; of a token limit how many tokens come with this. */
  readonly amount: number
  /** Tokens that come with a greater part of a rate. */
  readonly tokens: number
}

/** From the limiter. */
export interface Grants {
  /** The last report that this answers; leases begin anew at the moment that it was sent. */
  readonly ack: number
  /** How long leases last from that moment, in milliseconds. */
  readonly ttlMs: number
  /** Shards that this server leads, with the epoch of each; complete each time. */
  readonly leads: ReadonlyArray<{ readonly shard: number; readonly epoch: number }>
  /** How many shards there are. */
  readonly shards: number
  /** Where other leaders are, as far as it knows. */
  readonly hints: ReadonlyArray<string>
  readonly grants: ReadonlyArray<GrantItem>
  /** Items of the report that it has no say in: another leads their shard, or there is no such limit. */
  readonly refused: ReadonlyArray<{ readonly cluster: string; readonly name: string }>
}

/** A line that is no message; `message` names the field and the rule. */
export class MessageInvalid extends Error {
  readonly _tag = "MessageInvalid"
  override readonly name = "MessageInvalid"
}

/** Items of one message; more are refused. */
export const ITEMS_MAX = 100_000

class Reader {
  readonly object: JsonObject
  private readonly path: string

  constructor(value: Json | undefined, path: string) {
    if (!isJsonObject(value)) throw new MessageInvalid(`${path}: must be an object`)
    this.object = value
    this.path = path
  }

  number(name: string): number {
    const value = this.object[name]
    if (typeof value === "number" && Number.isFinite(value)) return value
    throw new MessageInvalid(`${this.path}.${name}: must be a number`)
  }

  text(name: string): string {
    const value = this.object[name]
    if (typeof value === "string" && value.length <= 512) return value
    throw new MessageInvalid(`${this.path}.${name}: must be a text of at most 512 characters`)
  }

  list<A>(name: string, read: (value: Reader) => A): ReadonlyArray<A> {
    const value = this.object[name]
    if (!Array.isArray(value) || value.length > ITEMS_MAX)
      throw new MessageInvalid(`${this.path}.${name}: must be a list of at most ${ITEMS_MAX}`)
    return value.map((each: Json, at) => read(new Reader(each, `${this.path}.${name}[${at}]`)))
  }

  texts(name: string): ReadonlyArray<string> {
    const value = this.object[name]
    if (Array.isArray(value) && value.every((each) => typeof each === "string")) return value
    throw new MessageInvalid(`${this.path}.${name}: must be a list of texts`)
  }
}

const parsed = <A>(line: string, read: (reader: Reader) => A): A | MessageInvalid => {
  try {
    return read(new Reader(JSON.parse(line) as Json, "message"))
  } catch (error) {
    return error instanceof MessageInvalid ? error : new MessageInvalid("message: must be JSON")
  }
}

const named = (reader: Reader) => ({ cluster: reader.text("cluster"), name: reader.text("name") })

/** Reads a gateway's line after the first. */
export const parseReport = (line: string): Report | MessageInvalid =>
  parsed(line, (reader) => ({
    seq: reader.number("seq"),
    bye: reader.object["bye"] === true,
    items: reader.list("items", (item) => ({
      ...named(item),
      epoch: item.number("epoch"),
      version: item.number("version"),
      holding: item.number("holding"),
      demand: item.number("demand"),
      used: item.number("used")
    }))
  }))

/** Reads a gateway's first line. */
export const parseHello = (line: string): Hello | MessageInvalid =>
  parsed(line, (reader) => ({ instance: reader.text("instance") }))

/** Reads a line of the limiter. */
export const parseGrants = (line: string): Grants | MessageInvalid =>
  parsed(line, (reader) => ({
    ack: reader.number("ack"),
    ttlMs: reader.number("ttlMs"),
    shards: reader.number("shards"),
    hints: reader.texts("hints"),
    leads: reader.list("leads", (lead) => ({ shard: lead.number("shard"), epoch: lead.number("epoch") })),
    grants: reader.list("grants", (item) => ({
      ...named(item),
      epoch: item.number("epoch"),
      version: item.number("version"),
      amount: item.number("amount"),
      tokens: item.number("tokens")
    })),
    refused: reader.list("refused", named)
  }))

/** The shard of a cluster, as the original computes it: FNV-1a of its name in 32 bits. */
export const shardOf = (cluster: string, shards: number): number => {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(cluster, "utf8")) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash % shards
}

// A decoded header block and the rules it must keep (RFC 9113 sections 8.1 to 8.3). Owns field lookup and well-formedness;
// refuses to own what a method does with the fields. Objects are shared between requests whose blocks decoded the same, so
// they never change after `HeaderList` is built, except for what is looked up by them (`target`) or made of them (`pairs`).
import type { HttpFields } from "./HttpExchange.ts"
import { isCleanName, isCleanValue } from "./HpackDecoder.ts"

const digits = /^\d{1,15}$/
const forbidden = new Set(["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"])
const requestPseudo = new Set([":method", ":scheme", ":path", ":authority", ":protocol"])

/** Header fields in order, with the pseudo-header fields read out. */
export class HeaderList {
  readonly fields: ReadonlyArray<string>
  /** Whether the list was larger than the limit and its fields were dropped. */
  readonly oversized: boolean
  method = ""
  scheme = ""
  path = ""
  authority = ""
  status = ""
  contentType = ""
  /** The value of `grpc-timeout`, empty when absent. */
  timeout = ""
  /** -1 when absent. */
  contentLength = -1
  /** Why the block is malformed in any role, or undefined. */
  problem: string | undefined
  /** Number of pseudo-header fields. */
  pseudoCount = 0
  /** Whatever the reader of these headers found by them, for instance the method of this path. */
  target: unknown
  private ordinary: HttpFields | undefined

  /** `clean` says that names and values keep the rules about octets already. */
  constructor(fields: ReadonlyArray<string>, oversized: boolean, clean: boolean) {
    this.fields = fields
    this.oversized = oversized
    if (!clean) this.problem = octetsProblem(fields)
    for (let at = 0; at < fields.length && this.problem === undefined; at += 2) {
      this.problem = this.read(fields[at], fields[at + 1], at)
    }
  }

  /** The first value of a field by its lower-case name. */
  get(name: string): string | undefined {
    const { fields } = this
    for (let at = 0; at < fields.length; at += 2) if (fields[at] === name) return fields[at + 1]
    return undefined
  }

  /** All fields but the pseudo-header fields. */
  get pairs(): HttpFields {
    if (this.ordinary !== undefined) return this.ordinary
    const pairs: Array<readonly [string, string]> = []
    const { fields } = this
    for (let at = this.pseudoCount * 2; at < fields.length; at += 2) pairs.push([fields[at], fields[at + 1]])
    return (this.ordinary = pairs)
  }

  /** Why this is no request header block, or undefined. */
  requestProblem(): string | undefined {
    if (this.problem !== undefined) return this.problem
    if (this.status !== "") return "a request has no :status"
    if (this.method === "CONNECT") return "CONNECT is not served"
    if (this.method === "" || this.scheme === "" || this.path === "") {
      return "a request needs :method, :scheme and :path"
    }
    return undefined
  }

  /** Why this is no trailer block, or undefined. */
  trailerProblem(): string | undefined {
    return this.problem ?? (this.pseudoCount > 0 ? "trailers have no pseudo-header fields" : undefined)
  }

  private read(name: string, value: string, at: number): string | undefined {
    if (name.charCodeAt(0) === 58) return this.readPseudo(name, value, at)
    if (forbidden.has(name)) return `${name} belongs to HTTP/1.1`
    if (name === "te" && value !== "trailers") return "te may only say trailers"
    if (name === "content-type") this.contentType ||= value
    if (name === "grpc-timeout") this.timeout ||= value
    if (name === "content-length") {
      if (!digits.test(value)) return "content-length is not a number"
      if (this.contentLength >= 0 && this.contentLength !== Number(value)) return "content-length is given twice"
      this.contentLength = Number(value)
    }
    return undefined
  }

  private readPseudo(name: string, value: string, at: number): string | undefined {
    if (at !== this.pseudoCount * 2) return "pseudo-header fields come before all others"
    this.pseudoCount++
    for (let earlier = 0; earlier < at; earlier += 2) {
      if (this.fields[earlier] === name) return `${name} is given twice`
    }
    if (name === ":status") this.status = value
    else if (!requestPseudo.has(name)) return `${printable(name)} is no pseudo-header field`
    else if (name === ":method") this.method = value
    else if (name === ":scheme") this.scheme = value
    else if (name === ":path") this.path = value
    else if (name === ":authority") this.authority = value
    if (this.status !== "" && this.pseudoCount > 1) return "a response has :status only"
    return undefined
  }
}

const octetsProblem = (fields: ReadonlyArray<string>): string | undefined => {
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]
    if (!isCleanName(name)) return `the field name ${printable(name)} is not a lower-case token`
    // Servers in Go send a status message as it is, also with a space at its end.
    if (name !== "grpc-message" && !isCleanValue(fields[at + 1])) {
      return `the value of ${printable(name)} holds a forbidden octet`
    }
  }
  return undefined
}

const printable = (name: string): string => JSON.stringify(name.slice(0, 64))

/** Bytes of a block that the cache remembers at most. */
const cachedBlockBytes = 512
/** Blocks that the cache of one connection remembers. */
const cachedBlocks = 8

interface CachedBlock {
  readonly bytes: Buffer
  readonly generation: number
  readonly headers: HeaderList
}

/**
 * Remembers what the last few different blocks decoded to. A block decodes the same when its bytes are the same and the
 * dynamic table has not changed since, and it may be skipped when decoding it did not change the table either.
 */
export class HeaderCache {
  private readonly blocks: Array<CachedBlock> = []
  private next = 0
  private last: CachedBlock | undefined
  /** Where the last two blocks differed: those of one peer mostly differ at one place, its path or its deadline. */
  private probe = 0

  find(bytes: Buffer, start: number, end: number, generation: number): HeaderList | undefined {
    if (this.last !== undefined && this.matches(this.last, bytes, start, end, generation)) return this.last.headers
    for (const block of this.blocks) {
      if (this.matches(block, bytes, start, end, generation)) {
        this.last = block
        return block.headers
      }
    }
    return undefined
  }

  keep(bytes: Buffer, start: number, end: number, generation: number, headers: HeaderList): void {
    if (end - start > cachedBlockBytes) return
    this.last = { bytes: Buffer.from(bytes.subarray(start, end)), generation, headers }
    this.blocks[this.next] = this.last
    this.next = (this.next + 1) % cachedBlocks
  }

  private matches(block: CachedBlock, bytes: Buffer, start: number, end: number, generation: number): boolean {
    const known = block.bytes
    const length = end - start
    if (block.generation !== generation || known.length !== length) return false
    const { probe } = this
    if (probe < length && known[probe] !== bytes[start + probe]) return false
    for (let at = 0; at < length; at++) {
      if (known[at] === bytes[start + at]) continue
      this.probe = at
      return false
    }
    return true
  }
}

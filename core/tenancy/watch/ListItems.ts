// A list as it comes in pieces, taken apart: its items' bytes, untouched, and everything around them as one small value.
// Owns finding where the items begin and end; refuses to look into them.

/** Bytes around the items that are held: type, metadata and a Table's columns. */
const AROUND_BYTES_MAX = 1_048_576

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c

const decoder = new TextDecoder()

/** What stands around the items. */
export interface ListAround {
  readonly [field: string]: unknown
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string }
}

export class ListItems {
  /** Hears the items' bytes, without the brackets; views of what was pushed. */
  private readonly items: (bytes: Uint8Array) => void
  /** Hears what stood before the items, once, before the first of them. */
  private readonly begin: (around: ListAround) => void
  private around: Array<string> = []
  private aroundBytes = 0
  private depth = 0
  private inString = false
  private escaped = false
  /** The last string at the outermost level, which is a field's name when a colon follows. */
  private name: Array<number> = []
  private naming = false
  private inside = false
  private hasBegun = false
  private hasItems = false
  /** How many items have begun. */
  count = 0

  constructor(begin: (around: ListAround) => void, items: (bytes: Uint8Array) => void) {
    this.begin = begin
    this.items = items
  }

  /** Takes a piece; false when it is no list that can be read. */
  push(bytes: Uint8Array): boolean {
    let from = 0
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0
      if (this.inString) {
        this.stringByte(byte)
        continue
      }
      if (byte === QUOTE) {
        this.inString = true
        this.naming = this.depth === 1
        if (this.naming) this.name = []
      } else if (byte === 0x5b || byte === 0x7b) {
        this.depth++
        if (this.inside && this.depth === 3) this.count++
        if (byte === 0x5b && this.depth === 2 && !this.inside && this.isItems()) {
          if (!this.keep(bytes.subarray(from, at + 1)) || !this.enter()) return false
          from = at + 1
        }
      } else if (byte === 0x5d || byte === 0x7d) {
        this.depth--
        if (this.inside && this.depth === 1) {
          this.put(bytes.subarray(from, at))
          this.inside = false
          from = at
        }
      }
    }
    const rest = bytes.subarray(from)
    if (!this.inside) return this.keep(rest)
    this.put(rest)
    return true
  }

  private stringByte(byte: number): void {
    if (this.escaped) this.escaped = false
    else if (byte === BACKSLASH) this.escaped = true
    else if (byte === QUOTE) {
      this.inString = false
      this.naming = false
    } else if (this.naming && this.name.length < 16) this.name.push(byte)
  }

  /** The array that opens now is the items': of a Table they are called rows. */
  private isItems(): boolean {
    const name = String.fromCharCode(...this.name)
    return name === "items" || name === "rows"
  }

  private enter(): boolean {
    this.inside = true
    const before = this.read("]}")
    if (before === undefined) return false
    this.hasBegun = true
    this.begin(before)
    return true
  }

  private put(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    if (!this.hasItems && bytes.every((byte) => byte <= 0x20)) return
    this.hasItems = true
    this.items(bytes)
  }

  private keep(bytes: Uint8Array): boolean {
    this.aroundBytes += bytes.length
    if (this.aroundBytes > AROUND_BYTES_MAX) return false
    if (bytes.length > 0) this.around.push(decoder.decode(bytes, { stream: true }))
    return true
  }

  private read(closing: string): ListAround | undefined {
    try {
      return JSON.parse(this.around.join("") + closing) as ListAround
    } catch {
      return undefined
    }
  }

  /** What stood around the items, when the list is whole; undefined when it is not. */
  end(): ListAround | undefined {
    if (this.depth !== 0 || this.inString) return undefined
    const around = this.read("")
    if (around !== undefined && !this.hasBegun) this.begin(around)
    return around
  }
}

const text = (value: string): Uint8Array => Buffer.from(value, "utf8")

const without = (around: ListAround, names: ReadonlyArray<string>): ListAround =>
  Object.fromEntries(Object.entries(around).filter(([name]) => !names.includes(name)))

/** Several lists' parts, written as one. */
export class ListJoiner {
  private readonly write: (bytes: Uint8Array) => void
  private begun: ListAround | undefined
  private items = "items"
  private wrote = false
  private needsComma = false

  constructor(write: (bytes: Uint8Array) => void) {
    this.write = write
  }

  get hasBegun(): boolean {
    return this.begun !== undefined
  }

  /** The first list's fields go first; its metadata goes last, when it is known. */
  begin(around: ListAround): void {
    if (this.begun !== undefined) return
    this.items = "rows" in around ? "rows" : "items"
    const first = without(around, ["metadata", this.items])
    this.begun = first
    const fields = JSON.stringify(first).slice(1, -1)
    this.write(text(`{${fields === "" ? "" : `${fields},`}"${this.items}":[`))
  }

  /** Another list's items follow. */
  next(): void {
    this.needsComma = this.wrote
  }

  put(bytes: Uint8Array): void {
    if (this.needsComma) this.write(Uint8Array.of(COMMA))
    this.needsComma = false
    this.wrote = true
    this.write(bytes)
  }

  /** The rest: what the first list had not said before its items, and the metadata of all. */
  end(around: ListAround, metadata: Readonly<Record<string, unknown>>): void {
    const all = without(around, ["metadata", this.items, ...Object.keys(this.begun ?? {})])
    const rest = JSON.stringify(all).slice(1, -1)
    this.write(text(`]${rest === "" ? "" : `,${rest}`},"metadata":${JSON.stringify(metadata)}}\n`))
  }
}

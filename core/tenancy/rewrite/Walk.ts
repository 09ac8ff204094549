// One pass over a value's bytes under its rules: what no rule looks at is copied as it stands, replacements are spliced between.
// Owns the splicing, so that commas and gaps of what stays are kept; refuses to know rules, which come as nodes.
// It holds nothing but places: memory is the value and its translation.
import type { Translation } from "../names/Translation.ts"
import { afterContainer, afterGap, afterString, afterValue, bytesOf, Output, stringAt, textOf } from "./Bytes.ts"
import { type Direction, type Hiding, type KeyRule, RuleNode, type Siblings } from "./RuleNode.ts"

/** A write that a rule refuses, and where in the bytes. */
export class RuleRefused extends Error {
  readonly at: number
  constructor(rule: string, at: number) {
    super(rule)
    this.at = at
  }
}

/** A patch that needs the whole object. */
export class NeedsWhole extends Error {}

/** Bytes that are no JSON where the walk looked. */
export class Malformed extends Error {}

/** What becomes of the value that was just walked. */
export const fates = { kept: 0, value: 1, object: 2, root: 3 } as const
const fateOf: Readonly<Record<Hiding, number>> = { value: 1, object: 2, root: 3 }

/** How bytes are walked. */
export interface WalkMode {
  readonly direction: Direction
  /** The value is a patch: what is absent says nothing. */
  readonly patch: boolean
  /** On write, put in what the translation adds. */
  readonly add: boolean
  /** On read, a string of this node keeps upstream's spelling, where it has one of the tenant's. */
  readonly keep?: RuleNode | undefined
}

const COMMA = 44
const CLOSE_OBJECT = 125
const CLOSE_ARRAY = 93
const QUOTE = 34
const COLON = 58
const BACKSLASH = 92
const DOLLAR = 36

export class Walk {
  readonly names: Translation
  readonly mode: WalkMode
  readonly out: Output
  readonly #down: boolean
  readonly #prefix: Uint8Array
  bytes: Uint8Array
  end: number
  /** Everything before this is in the output. */
  copied: number
  fate: number = fates.kept

  constructor(names: Translation, mode: WalkMode, out: Output) {
    this.names = names
    this.mode = mode
    this.out = out
    this.#down = mode.direction === "down"
    this.#prefix = bytesOf(names.prefix)
    this.bytes = new Uint8Array(0)
    this.end = 0
    this.copied = 0
  }

  /** Walks over other bytes from here on. */
  over(bytes: Uint8Array, from: number, end: number): void {
    this.bytes = bytes
    this.copied = from
    this.end = end
  }

  /** Copies everything up to a place. */
  flush(to: number): void {
    if (to > this.copied) {
      this.out.copy(this.bytes, this.copied, to)
      this.copied = to
    }
  }

  #replace(start: number, end: number, json: string): void {
    this.flush(start)
    this.out.text(json)
    this.copied = end
  }

  /** Walks the value that starts at a place, sets its fate, answers the place after it. */
  value(node: RuleNode, from: number): number {
    this.fate = fates.kept
    if (node.hidden) {
      if (!this.#down) return afterValue(this.bytes, from, this.end)
      this.fate = fates.value
      return afterValue(this.bytes, from, this.end)
    }
    if (node.whole && this.mode.patch) throw new NeedsWhole("the patch reaches into what the translation adds to")
    switch (this.bytes[from]) {
      case 123:
        return this.#object(node, from)
      case 91:
        return node.list === undefined ? this.#array(node, from) : this.#list(node, from)
      case QUOTE:
        return this.#string(node, from)
      default:
        return this.#primitive(node, from)
    }
  }

  #primitive(node: RuleNode, from: number): number {
    const to = afterValue(this.bytes, from, this.end)
    if (this.#down || node.absent === undefined || this.bytes[from] !== 110) return to
    if (this.mode.patch) throw new NeedsWhole("the patch takes away what the translation added to")
    if (this.mode.add) this.#replace(from, to, node.absent(this.names))
    return to
  }

  #string(node: RuleNode, from: number): number {
    const to = afterString(this.bytes, from, this.end)
    if (node.embedded !== undefined) return this.#embedded(node.embedded, from, to)
    const { sort } = node
    if (sort === undefined) return to
    const text = stringAt(this.bytes, from + 1, to - 1)
    if (text === undefined) throw new Malformed("a string has an escape that is none of JSON's")
    const other = this.#down ? sort.down(this.names, text) : sort.up(this.names, text)
    if (other === text) return to
    if (other === undefined) {
      if (!this.#down) throw new RuleRefused(sort.rule ?? `is no ${sort.name} that a tenant may name`, from)
      this.fate = fateOf[sort.hiding]
    } else if (node !== this.mode.keep) this.#respell(from, to, text, other)
    return to
  }

  /** Only the prefix comes or goes where that is all, so that escapes in the rest keep their spelling. */
  #respell(from: number, to: number, text: string, other: string): void {
    const { prefix } = this.names
    if (
      !this.#down &&
      other.length === text.length + prefix.length &&
      other.endsWith(text) &&
      other.startsWith(prefix)
    ) {
      this.flush(from + 1)
      this.out.add(this.#prefix)
      return
    }
    const plain = to - from - 2 === text.length
    if (
      this.#down &&
      plain &&
      text.length === other.length + prefix.length &&
      text.endsWith(other) &&
      text.startsWith(prefix)
    ) {
      this.flush(from + 1)
      this.copied = from + 1 + prefix.length
      return
    }
    this.#replace(from, to, JSON.stringify(other))
  }

  /** A string that holds an object: translated as one, without additions, which its writer never made. */
  #embedded(node: RuleNode, from: number, to: number): number {
    const text = stringAt(this.bytes, from + 1, to - 1)
    const inner = text === undefined ? undefined : translateText(this, node, text)
    if (inner === undefined) {
      // What cannot be read passes up, where it means nothing, and is not shown.
      if (this.#down) this.fate = fates.value
    } else if (inner !== text) this.#replace(from, to, JSON.stringify(inner))
    return to
  }

  #list(node: RuleNode, from: number): number {
    const { list } = node
    const to = afterContainer(this.bytes, from, this.end)
    let items: unknown
    try {
      items = JSON.parse(textOf(this.bytes.subarray(from, to)))
    } catch {
      throw new Malformed("an array is no JSON")
    }
    if (list === undefined || !Array.isArray(items) || !items.every((item) => typeof item === "string")) return to
    const others = this.#down ? list.down(this.names, items) : list.up(this.names, items)
    if ("refused" in others) throw new RuleRefused(others.refused, from)
    if (others.length !== items.length || others.some((item, at) => item !== items[at])) {
      this.#replace(from, to, JSON.stringify(others))
    }
    return to
  }

  #array(node: RuleNode, from: number): number {
    const { bytes, end } = this
    const { items } = node
    let place = 0
    if (items === undefined && node.places === undefined && (node.addition === undefined || this.#down))
      return afterContainer(bytes, from, end)
    let separator = from
    let kept = false
    let dropped = false
    let at = afterGap(bytes, from + 1, end)
    if (bytes[at] !== CLOSE_ARRAY) {
      for (;;) {
        const mark = this.out.length
        const markCopied = this.copied
        const rules = node.places?.get(place++) ?? items
        if (rules !== undefined) at = this.value(rules, at)
        else {
          this.fate = fates.kept
          at = afterValue(bytes, at, end)
        }
        if (this.fate === fates.root) return at
        if (this.fate === fates.kept) kept = true
        else {
          dropped = true
          this.#drop(mark, markCopied, separator, at, kept)
        }
        at = afterGap(bytes, at, end)
        if (bytes[at] === CLOSE_ARRAY) break
        if (bytes[at] !== COMMA) throw new Malformed("an array's items are not parted by commas")
        if (!kept) this.copied = at + 1
        separator = at
        at = afterGap(bytes, at + 1, end)
      }
    }
    if (!this.#down && this.mode.add && node.addition !== undefined) {
      this.flush(at)
      this.out.text((kept ? "," : "") + node.addition.value(this.names))
    }
    this.fate = dropped && !kept && node.vanishes ? fates.value : fates.kept
    return at + 1
  }

  /** Takes an entry back out of the output, with one of the commas beside it. */
  #drop(mark: number, markCopied: number, separator: number, after: number, kept: boolean): void {
    this.out.length = mark
    this.copied = markCopied
    this.flush(kept ? separator : separator + 1)
    this.copied = after
  }

  /**
   * The texts of those fields of an object that decide on its rules; of two of a name the last, as every reader takes it.
   * Upstream writes no name twice, so that what it says can be believed as soon as all of it was said.
   */
  #siblings(by: ReadonlyArray<string>, from: number): Siblings {
    const { bytes, end } = this
    const found = new Array<string | undefined>(by.length).fill(undefined)
    let missing = this.#down ? by.length : Infinity
    let at = afterGap(bytes, from + 1, end)
    while (bytes[at] === QUOTE) {
      const keyEnd = afterString(bytes, at, end)
      const key = stringAt(bytes, at + 1, keyEnd - 1)
      const colon = afterGap(bytes, keyEnd, end)
      const start = afterGap(bytes, colon + 1, end)
      const stop = afterValue(bytes, start, end)
      const place = key === undefined ? -1 : by.indexOf(key)
      if (place >= 0) {
        found[place] =
          bytes[start] === QUOTE
            ? stringAt(bytes, start + 1, stop - 1)
            : bytes[start] === 110
              ? undefined
              : textOf(bytes.subarray(start, stop))
        if (--missing === 0) break
      }
      at = afterGap(bytes, stop, end)
      if (bytes[at] !== COMMA) break
      at = afterGap(bytes, at + 1, end)
    }
    return found
  }

  #object(given: RuleNode, from: number): number {
    let node = given
    while (node.choice !== undefined) {
      const { by, choose, needs } = node.choice
      const siblings = this.#siblings(by, from)
      if (this.mode.patch && needs.some((name) => siblings[by.indexOf(name)] === undefined)) {
        throw new NeedsWhole("the patch changes a part of a reference, and the rest decides what it means")
      }
      const chosen = choose(this.names, siblings, this.mode.direction)
      if (chosen === undefined) return afterContainer(this.bytes, from, this.end)
      if (chosen instanceof RuleNode) {
        node = chosen
        continue
      }
      if ("refused" in chosen) throw new RuleRefused(chosen.refused, from)
      if ("hidden" in chosen) {
        this.fate = fateOf[chosen.hidden] === fates.root ? fates.root : fates.value
        return afterContainer(this.bytes, from, this.end)
      }
      const to = afterContainer(this.bytes, from, this.end)
      this.#replace(from, to, chosen.literal)
      return to
    }
    return this.#entries(node, from)
  }

  #entries(node: RuleNode, from: number): number {
    const { bytes, end } = this
    let separator = from
    let kept = false
    let dropped = false
    let seen = 0
    let at = afterGap(bytes, from + 1, end)
    if (bytes[at] !== CLOSE_OBJECT) {
      for (;;) {
        if (bytes[at] !== QUOTE) throw new Malformed("an object's field has no name")
        const mark = this.out.length
        const markCopied = this.copied
        const keyEnd = afterString(bytes, at, end)
        const child = this.#child(node, at + 1, keyEnd - 1)
        let fate: number = node.keys === undefined || this.#key(node.keys, at, keyEnd) ? fates.kept : fates.value
        at = afterGap(bytes, keyEnd, end)
        if (bytes[at] !== COLON) throw new Malformed("an object's field has no value")
        at = afterGap(bytes, at + 1, end)
        if (child === undefined) at = afterValue(bytes, at, end)
        else {
          at = this.value(child, at)
          if (this.fate === fates.root) return at
          if (this.fate === fates.object) {
            this.fate = fates.value
            return afterContainer(bytes, from, end)
          }
          fate = fate === fates.kept ? this.fate : fate
          if (node.owed !== undefined) seen |= owedBit(node.owed, child)
        }
        if (fate === fates.kept) kept = true
        else {
          dropped = true
          this.#drop(mark, markCopied, separator, at, kept)
        }
        at = afterGap(bytes, at, end)
        if (bytes[at] === CLOSE_OBJECT) break
        if (bytes[at] !== COMMA) throw new Malformed("an object's fields are not parted by commas")
        if (!kept) this.copied = at + 1
        separator = at
        at = afterGap(bytes, at + 1, end)
      }
    }
    if (node.owed !== undefined && !this.#down && this.mode.add) this.#pay(node.owed, at, kept, seen)
    this.fate = dropped && !kept && node.vanishes ? fates.value : fates.kept
    return at + 1
  }

  /** Puts in what the translation adds and was not there. */
  #pay(owed: NonNullable<RuleNode["owed"]>, at: number, kept: boolean, seen: number): void {
    let more = kept
    for (const [place, { key, node }] of owed.entries()) {
      if ((seen & (1 << place)) !== 0 || node.absent === undefined) continue
      this.flush(at)
      this.out.text(`${more ? "," : ""}${JSON.stringify(key)}:${node.absent(this.names)}`)
      more = true
    }
  }

  /** The rules of a field; one whose name is spelled with escapes is the same field. */
  #child(node: RuleNode, start: number, end: number): RuleNode | undefined {
    const { bytes } = this
    const { fields, values } = node
    if (fields === undefined) return values
    const found = fields.find(bytes, start, end)
    if (found !== undefined) return found
    const escaped = bytes.subarray(start, end).includes(BACKSLASH)
    if (!escaped && (!this.mode.patch || bytes[start] !== DOLLAR)) return values
    const key = stringAt(bytes, start, end)
    if (key === undefined) throw new Malformed("a field's name has an escape that is none of JSON's")
    return this.mode.patch && key.startsWith("$") ? this.#directive(node, key) : (fields.get(key) ?? values)
  }

  /** A directive of a strategic merge patch, like $setElementOrder/finalizers, speaks of the field behind its slash. */
  #directive(node: RuleNode, key: string): RuleNode | undefined {
    const slash = key.indexOf("/")
    if (slash >= 0) return node.fields?.get(key.slice(slash + 1)) ?? node.values
    if (node.owed !== undefined) throw new NeedsWhole("the patch replaces what the translation adds to")
    return undefined
  }

  /** Spells a key for the other side; false when it must not be there. */
  #key(rule: KeyRule, start: number, end: number): boolean {
    const key = stringAt(this.bytes, start + 1, end - 1)
    if (key === undefined) throw new Malformed("a field's name has an escape that is none of JSON's")
    const other = this.#down ? rule.down(this.names, key) : rule.up(this.names, key)
    if (other === undefined) {
      if (!this.#down) throw new RuleRefused(`the key ${key} is the platform's`, start)
      return false
    }
    if (other !== key) this.#replace(start, end, JSON.stringify(other))
    return true
  }
}

const owedBit = (owed: NonNullable<RuleNode["owed"]>, child: RuleNode): number => {
  for (let place = 0; place < owed.length; place++) if (owed[place]?.node === child) return 1 << place
  return 0
}

/** Translates the JSON inside a text; undefined when there is none, or nothing of it may be seen. */
const translateText = (outer: Walk, node: RuleNode, text: string): string | undefined => {
  try {
    JSON.parse(text)
  } catch {
    return undefined
  }
  const bytes = bytesOf(`${text} `)
  const inner = new Walk(outer.names, { ...outer.mode, patch: false, add: false }, new Output())
  inner.over(bytes, 0, bytes.length)
  const from = afterGap(bytes, 0, bytes.length)
  inner.value(node, from)
  if (inner.fate !== fates.kept) return undefined
  inner.flush(bytes.length - 1)
  return textOf(inner.out.take())
}

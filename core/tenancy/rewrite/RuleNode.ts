// The rules of one place in an object: what its string is, where the rules of its fields and items are, what the translation adds.
// Owns the compiled form that the walk reads; the table that it is compiled from stands in rules/.
import type { Translation } from "../names/Translation.ts"
import { bytesOf } from "./Bytes.ts"

/** Which way bytes go. */
export type Direction = "up" | "down"

/** What becomes of a value that is not the tenant's to see: its field or item goes, the object around it, or all of it. */
export type Hiding = "value" | "object" | "root"

/** A sort of identifier. `up` answers undefined for what no tenant may write; `down` for what the tenant may not see. */
export interface Sort {
  /** As the table calls it. */
  readonly name: string
  readonly up: (names: Translation, text: string) => string | undefined
  readonly down: (names: Translation, text: string) => string | undefined
  readonly hiding: Hiding
  /** Why `up` refuses. */
  readonly rule?: string
}

/** The texts of an object's fields that decide on its rules; an object or array as its JSON. Undefined is absent. */
export type Siblings = ReadonlyArray<string | undefined>

/** Rules by the object's own content: the fields to read first, and the choice. */
export interface Choice {
  readonly by: ReadonlyArray<string>
  /** Which of them a part of an object must have, or its rules are unknown. */
  readonly needs: ReadonlyArray<string>
  readonly choose: (names: Translation, siblings: Siblings, direction: Direction) => Chosen
}

/** Rules; nothing to do; hidden; or a literal in place of the value. */
export type Chosen =
  | RuleNode
  | undefined
  | { readonly hidden: Hiding }
  | { readonly literal: string }
  | { readonly refused: string }

/** An item that the translation puts at an array's end on write; its items' rules take it out on read. */
export interface Addition {
  /** The item's JSON. */
  readonly value: (names: Translation) => string
}

/** How a key of a map is spelled on the other side; undefined when it must not be there. */
export interface KeyRule {
  readonly up: (names: Translation, key: string) => string | undefined
  readonly down: (names: Translation, key: string) => string | undefined
}

export class RuleNode {
  fields: FieldTable | undefined
  /** Of any field that `fields` does not have. */
  values: RuleNode | undefined
  items: RuleNode | undefined
  /** Of single items by their place, before `items`. */
  places: ReadonlyMap<number, RuleNode> | undefined
  sort: Sort | undefined
  choice: Choice | undefined
  addition: Addition | undefined
  keys: KeyRule | undefined
  /** Fields that the translation adds when they are not there, each with what it adds in its node's `absent`. */
  owed: Array<{ readonly key: string; readonly node: RuleNode }> | undefined
  /** What an owed field is when it was not there, or null. */
  absent: ((names: Translation) => string) | undefined
  /** An object or array that the translation left empty goes with its field. */
  vanishes = false
  /** Never the tenant's to see, never written. */
  hidden = false
  /** A patch that reaches into this needs the whole object. */
  whole = false
  /** Of a string that holds the JSON of an object: that object's rules. */
  embedded: RuleNode | undefined
  /** Replaces the small array of strings as a whole. */
  list: ListRule | undefined

  field(key: string, node: RuleNode): this {
    this.fields ??= new FieldTable()
    this.fields.set(key, node)
    return this
  }

  /** Whether nothing here needs a look. */
  get idle(): boolean {
    return (
      this.fields === undefined &&
      this.values === undefined &&
      this.items === undefined &&
      this.sort === undefined &&
      this.choice === undefined &&
      this.addition === undefined &&
      this.keys === undefined &&
      this.list === undefined &&
      !this.hidden &&
      this.embedded === undefined
    )
  }
}

/** An array of strings that is translated as a whole; undefined hides it, a text refuses it. */
export interface ListRule {
  readonly up: (
    names: Translation,
    items: ReadonlyArray<string>
  ) => ReadonlyArray<string> | { readonly refused: string }
  readonly down: (names: Translation, items: ReadonlyArray<string>) => ReadonlyArray<string>
}

interface Slot {
  readonly key: string
  readonly bytes: Uint8Array
  readonly node: RuleNode
}

const hashOf = (bytes: Uint8Array, start: number, end: number): number =>
  start === end ? 0 : ((end - start) * 31 + bytes[start] * 7 + bytes[end - 1]) & 63

/** Nodes by field, found by the field's bytes without making a string of them. */
export class FieldTable {
  readonly #slots: Array<Array<Slot> | undefined> = new Array<Array<Slot> | undefined>(64).fill(undefined)
  readonly #all = new Map<string, RuleNode>()

  set(key: string, node: RuleNode): void {
    if (this.#all.has(key)) throw new Error(`two rules for ${key}`)
    const bytes = bytesOf(key)
    const slot = hashOf(bytes, 0, bytes.length)
    this.#slots[slot] = [...(this.#slots[slot] ?? []), { key, bytes, node }]
    this.#all.set(key, node)
  }

  find(bytes: Uint8Array, start: number, end: number): RuleNode | undefined {
    const chain = this.#slots[hashOf(bytes, start, end)]
    if (chain === undefined) return undefined
    next: for (const slot of chain) {
      const wanted = slot.bytes
      if (wanted.length !== end - start) continue
      for (let at = 0; at < wanted.length; at++) if (wanted[at] !== bytes[start + at]) continue next
      return slot.node
    }
    return undefined
  }

  /** Takes a rule out again. */
  delete(key: string): void {
    this.#all.delete(key)
    for (const [slot, chain] of this.#slots.entries()) {
      if (chain?.some((one) => one.key === key) === true) this.#slots[slot] = chain.filter((one) => one.key !== key)
    }
  }

  get(key: string): RuleNode | undefined {
    return this.#all.get(key)
  }

  entries(): Iterable<[string, RuleNode]> {
    return this.#all
  }
}

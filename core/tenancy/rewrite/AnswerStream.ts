// A list or Table in pieces of any size, translated item by item: what is not the tenant's is left out.
// Owns the envelope and the waiting for whole items; refuses single objects and events, which Rewriter.ts hands to a walk.
// It holds the item that is not yet whole, at most ITEM_BYTES_MAX of it, and the translation of the last piece.
import type { KindShape } from "../names/TenantView.ts"
import type { Translation } from "../names/Translation.ts"
import type { AnswerRules } from "./Answers.ts"
import { afterGap, afterString, afterValue, Output, stringAt, textOf, Truncated } from "./Bytes.ts"
import { BodyInvalid, type RewriteStream } from "./Contract.ts"
import { Pending } from "./Pending.ts"
import type { RuleNode } from "./RuleNode.ts"
import { rowNode } from "./Table.ts"
import { fates, Malformed, Walk } from "./Walk.ts"

type State = "start" | "fields" | "items" | "end"

const COMMA = 44

export class AnswerStream implements RewriteStream {
  readonly #shape: KindShape
  readonly #rules: AnswerRules
  readonly #pending = new Pending()
  readonly #out = new Output(1 << 16)
  readonly #walk: Walk
  #state: State = "start"
  #kind = ""
  #version = ""
  #item: RuleNode
  #fields = 0
  #items = 0
  #failed: BodyInvalid | undefined

  constructor(names: Translation, shape: KindShape, rules: AnswerRules, keep?: RuleNode) {
    this.#shape = shape
    this.#rules = rules
    this.#item = rules.object
    this.#walk = new Walk(names, { direction: "down", patch: false, add: false, keep }, this.#out)
  }

  readonly push = (chunk: Uint8Array): Uint8Array | BodyInvalid => {
    this.#pending.append(chunk)
    return this.#failed ?? (this.#pending.worthTrying ? this.#advance() : this.#out.take())
  }

  readonly end = (): Uint8Array | BodyInvalid => {
    const last = this.#failed ?? this.#advance()
    if (last instanceof BodyInvalid || this.#state === "end") return last
    return new BodyInvalid("the answer ended inside a value")
  }

  #advance(): Uint8Array | BodyInvalid {
    const pending = this.#pending
    this.#walk.over(pending.bytes, pending.start, pending.end)
    try {
      for (;;) {
        const mark = this.#out.length
        try {
          if (!this.#step()) break
        } catch (error) {
          if (error !== Truncated) throw error
          this.#out.length = mark
          break
        }
      }
    } catch (error) {
      if (!(error instanceof Malformed)) throw error
      this.#failed = new BodyInvalid(error.message)
      return this.#failed
    }
    const full = pending.settle()
    if (full !== undefined) {
      this.#failed = full
      return full
    }
    return this.#out.take()
  }

  /** Takes one part that is whole off what is pending; false when nothing is left to do. */
  #step(): boolean {
    const { bytes, end, start } = this.#pending
    if (start === end) return false
    const at = afterGap(bytes, start, end)
    switch (this.#state) {
      case "start":
        if (bytes[at] !== 123) throw new Malformed("the answer is no object")
        this.#out.text("{")
        this.#state = "fields"
        this.#pending.start = at + 1
        return true
      case "fields":
        return this.#field(bytes, at, end)
      case "items":
        return this.#nextItem(bytes, at, end)
      default:
        throw new Malformed("more follows the answer")
    }
  }

  #field(bytes: Uint8Array, from: number, end: number): boolean {
    if (bytes[from] === 125) {
      this.#out.text("}")
      this.#state = "end"
      this.#pending.start = from + 1
      return afterEnd(bytes, from + 1, end, this.#pending)
    }
    const keyAt = bytes[from] === COMMA ? afterGap(bytes, from + 1, end) : from
    if (bytes[keyAt] !== 34) throw new Malformed("a field of the answer has no name")
    const keyEnd = afterString(bytes, keyAt, end)
    const key = stringAt(bytes, keyAt + 1, keyEnd - 1)
    const colon = afterGap(bytes, keyEnd, end)
    if (bytes[colon] !== 58) throw new Malformed("a field of the answer has no value")
    const valueAt = afterGap(bytes, colon + 1, end)
    const out = this.#out
    const before = out.length
    if (this.#fields > 0) out.text(",")
    out.copy(bytes, keyAt, keyEnd)
    out.text(":")
    const listed = key === "items" || (key === "rows" && this.#isMeta("Table"))
    if (listed && bytes[valueAt] === 91) {
      out.text("[")
      this.#items = 0
      if (key === "items") this.#item = this.#rules.item(this.#isMeta("PartialObjectMetadataList"), this.#kind)
      this.#fields++
      this.#state = "items"
      this.#pending.start = valueAt + 1
      return true
    }
    const stop = this.#value(key ?? "", valueAt, before)
    this.#pending.start = stop
    return true
  }

  /** Translates a field of the envelope, and learns from it what the answer is. */
  #value(key: string, at: number, before: number): number {
    const walk = this.#walk
    const { bytes, end } = walk
    const node = this.#envelope(key)
    walk.copied = at
    const stop = node === undefined ? afterValue(bytes, at, end) : walk.value(node, at)
    if (node !== undefined && walk.fate !== fates.kept) {
      this.#out.length = before
      return stop
    }
    walk.flush(stop)
    this.#fields++
    if (key === "kind") this.#kind = stringAt(bytes, at + 1, stop - 1) ?? ""
    if (key === "apiVersion") this.#version = stringAt(bytes, at + 1, stop - 1) ?? ""
    if (key === "columnDefinitions") {
      this.#item = rowNode(this.#shape, textOf(bytes.subarray(at, stop)), this.#rules.object)
    }
    return stop
  }

  /** Whether the answer said that it is one of meta's own kinds; a tenant's may be called the same. */
  #isMeta(kind: string): boolean {
    return this.#kind === kind && this.#version.startsWith("meta.k8s.io/")
  }

  #envelope(key: string): RuleNode | undefined {
    if (this.#kind === "Status" && this.#version === "v1") return this.#rules.status.fields?.get(key)
    if (key === "metadata") return this.#rules.listMetadata
    return key === "apiVersion" ? this.#rules.version : undefined
  }

  #nextItem(bytes: Uint8Array, from: number, end: number): boolean {
    const out = this.#out
    if (bytes[from] === 93) {
      out.text("]")
      this.#state = "fields"
      this.#pending.start = from + 1
      return true
    }
    const at = bytes[from] === COMMA ? afterGap(bytes, from + 1, end) : from
    const before = out.length
    if (this.#items > 0) out.text(",")
    const walk = this.#walk
    walk.copied = at
    let stop = walk.value(this.#item, at)
    if (walk.fate === fates.kept) {
      walk.flush(stop)
      this.#items++
    } else {
      out.length = before
      stop = afterValue(bytes, at, end)
    }
    this.#pending.start = stop
    return true
  }
}

/** Behind the answer only white space may follow, which is dropped. */
const afterEnd = (bytes: Uint8Array, from: number, end: number, pending: Pending): boolean => {
  for (let at = from; at < end; at++) if (bytes[at] > 32) return true
  pending.start = end
  return false
}

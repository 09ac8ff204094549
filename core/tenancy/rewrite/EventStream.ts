// A watch's body in pieces: events line by line, each translated as soon as its line is whole; foreign ones are left out.
// Owns the lines, and the columns that a watch of Tables tells with its first event only.
import type { KindShape } from "../names/TenantView.ts"
import type { Translation } from "../names/Translation.ts"
import { choiceNode } from "../rules/References.ts"
import type { AnswerRules } from "./Answers.ts"
import { afterGap, Output, Truncated } from "./Bytes.ts"
import { BodyInvalid, type RewriteStream } from "./Contract.ts"
import { Pending } from "./Pending.ts"
import { RuleNode } from "./RuleNode.ts"
import { rowNode } from "./Table.ts"
import { fates, Malformed, Walk } from "./Walk.ts"

const NEWLINE = 10

export class EventStream implements RewriteStream {
  readonly #pending = new Pending()
  readonly #out = new Output(1 << 12)
  readonly #walk: Walk
  readonly #event: RuleNode
  #scanned = 0

  constructor(names: Translation, shape: KindShape, rules: AnswerRules, keep?: RuleNode) {
    this.#walk = new Walk(names, { direction: "down", patch: false, add: false, keep }, this.#out)
    this.#event = new RuleNode().field("object", eventObject(shape, rules))
  }

  readonly push = (chunk: Uint8Array): Uint8Array | BodyInvalid => {
    const pending = this.#pending
    pending.append(chunk)
    let from = pending.start + this.#scanned
    for (;;) {
      const newline = pending.bytes.indexOf(NEWLINE, from)
      if (newline < 0 || newline >= pending.end) break
      const failed = this.#line(pending.bytes, pending.start, newline + 1)
      if (failed !== undefined) return failed
      pending.start = newline + 1
      from = newline + 1
    }
    const full = pending.settle()
    this.#scanned = pending.length
    return full ?? this.#out.take()
  }

  readonly end = (): Uint8Array | BodyInvalid =>
    this.#pending.length === 0 ? this.#out.take() : new BodyInvalid("the watch ended inside an event")

  #line(bytes: Uint8Array, start: number, end: number): BodyInvalid | undefined {
    const walk = this.#walk
    const mark = this.#out.length
    walk.over(bytes, start, end)
    try {
      let at = start
      while (at < end && bytes[at] <= 32) at++
      if (at === end) return undefined
      walk.value(this.#event, afterGap(bytes, at, end))
      if (walk.fate === fates.kept) walk.flush(end)
      else this.#out.length = mark
      return undefined
    } catch (error) {
      if (error === Truncated) return new BodyInvalid("an event's line is not whole")
      if (error instanceof Malformed) return new BodyInvalid(error.message)
      throw error
    }
  }
}

/** An event's object, which may be a Table of one row. */
const eventObject = (shape: KindShape, rules: AnswerRules): RuleNode => {
  let row = rowNode(shape, "[]", rules.object)
  return choiceNode(
    ["kind", "apiVersion", "columnDefinitions"],
    (_names, [kind, apiVersion, columns]) => {
      if (kind !== "Table" || apiVersion?.startsWith("meta.k8s.io/") !== true) return rules.object
      if (columns !== undefined && columns !== "[]") row = rowNode(shape, columns, rules.object)
      const rows = new RuleNode()
      rows.items = row
      return new RuleNode().field("metadata", rules.listMetadata).field("rows", rows)
    },
    []
  )
}

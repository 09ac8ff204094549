// Names of spans and their hashes, made once for each: who did what with which outcome comes again with every request of the same kind.
// Owns that memory and its bound; refuses objects' names, which are as many as there are objects.
import { spanName } from "../model/Describe.ts"
import type { AuditFact, EventFact } from "../model/Fact.ts"
import { hashText } from "./Columns.ts"

export interface IndexedName {
  readonly verb: string
  readonly subresource: string
  readonly code: number
  readonly name: string
  readonly hash: number
  /** Whether lists show it already. */
  isListed: boolean
}

const NAMES_MAX = 16_384

export class SpanNames {
  /** By who acted, or by an event's reason. */
  private readonly known = new Map<string, Array<IndexedName>>()
  private count = 0

  of(fact: AuditFact | EventFact): IndexedName {
    const isAudit = fact.kind === "audit"
    const key = isAudit ? fact.username : fact.reason
    const verb = isAudit ? fact.verb : ""
    const subresource = isAudit ? fact.subresource : ""
    const code = isAudit ? fact.code : -1
    let names = this.known.get(key)
    if (names !== undefined) {
      for (const one of names) {
        if (one.verb === verb && one.code === code && one.subresource === subresource) return one
      }
    }
    if (this.count >= NAMES_MAX) {
      this.forget()
      names = undefined
    }
    if (names === undefined) this.known.set(key, (names = []))
    const name = spanName(fact)
    const made = { verb, subresource, code, name, hash: hashText(name), isListed: false }
    names.push(made)
    this.count++
    return made
  }

  forget(): void {
    this.known.clear()
    this.count = 0
  }
}

// What is known to have happened, as the store keeps it: a set of facts, each named by its content. Everything shown is computed from
// that set, so the order in which facts came, and how often, cannot matter.
// Owns the four kinds of facts; refuses what is computed from them (spans, diffs, causes).
import type { ObjectKey } from "./ObjectKey.ts"

interface FactOf<Kind extends string> {
  readonly kind: Kind
  /** 16 hex digits computed from what happened; an audit's or event's is its span id as well. */
  readonly id: string
  readonly object: ObjectKey
  /** Of the incarnation; empty when the source did not say. */
  readonly uid: string
  /** Microseconds since the epoch; decides the window. Never the time of arrival. */
  readonly atUs: number
}

/** One stage of one request, as the API server's audit says it. */
export interface AuditFact extends FactOf<"audit"> {
  readonly version: string
  readonly subresource: string
  readonly verb: string
  /** "None", "Metadata", "Request", "RequestResponse". */
  readonly level: string
  readonly stage: string
  readonly auditId: string
  readonly endUs: number
  /** Who acted: the impersonated user, where one was impersonated. */
  readonly username: string
  /** Who impersonated; empty otherwise. */
  readonly impersonator: string
  readonly userAgent: string
  readonly sourceIps: ReadonlyArray<string>
  /** Of the request's query; empty when it did not say. */
  readonly fieldManager: string
  /** 0 when there was no answer. */
  readonly code: number
  readonly reason: string
  readonly message: string
  readonly causes: ReadonlyArray<string>
  /** What the request named; empty when it did not say. */
  readonly resourceVersion: string
  /** Of the answer's object; empty below level RequestResponse. */
  readonly newResourceVersion: string
  /** Of the answer's object; 0 when unknown. */
  readonly generation: number
  /** Whether the API server cut bodies off (`audit.k8s.io/truncated`). */
  readonly truncated: boolean
  readonly dryRun: boolean
}

/** One state of a core/v1 or events.k8s.io/v1 Event: each count is a fact of its own. */
export interface EventFact extends FactOf<"event"> {
  readonly eventUid: string
  readonly eventName: string
  readonly reason: string
  /** "Normal", "Warning". */
  readonly type: string
  readonly message: string
  readonly action: string
  /** The reporting controller, else source.component. */
  readonly controller: string
  readonly instance: string
  /** How often it was seen; 1 when it is no series. */
  readonly count: number
  readonly firstUs: number
  readonly related: ObjectKey | undefined
}

/** One version of an object, redacted. */
export interface SnapshotFact extends FactOf<"snapshot"> {
  readonly source: "audit" | "watch"
  readonly version: string
  readonly resourceVersion: string
  readonly generation: number
  /** "created" and "deleted" where the source knows that this version began or ended the object. */
  readonly state: "created" | "seen" | "deleted"
  /** Whether nothing but names and versions was kept of it. */
  readonly redacted: boolean
  /** JSON. */
  readonly body: string
}

/** The same as it comes from a request's bytes, which are valid while the fact is handed over: whoever keeps it copies them. */
export interface RawSnapshot extends Omit<SnapshotFact, "body"> {
  /** The body's UTF-8. */
  readonly raw: Buffer
}

/** A relation of an object to another one, or to a span of somebody else's trace, within one window. Both ends carry one. */
export interface LinkFact extends FactOf<"link"> {
  /** The rule that found it, like "children", "node", "volume"; empty for the parent-link annotation. */
  readonly class: string
  /** What the other end is to this object. */
  readonly role: "parent" | "child"
  readonly other: ObjectKey
  /** Empty when the source did not say. */
  readonly otherUid: string
  /** A span elsewhere, by W3C traceparent: then `other` is this object itself. */
  readonly remote: { readonly traceId: string; readonly spanId: string } | undefined
}

/** A link that remembers who took it: an object names the same others again and again, and who took them need not look at their ids. */
export class MadeLink implements LinkFact {
  readonly kind = "link"
  readonly id: string
  readonly object: ObjectKey
  readonly uid: string
  readonly atUs: number
  readonly class: string
  readonly role: "parent" | "child"
  readonly other: ObjectKey
  readonly otherUid: string
  readonly remote: LinkFact["remote"]
  #taker: object | undefined

  constructor(fact: Omit<LinkFact, "kind">) {
    this.id = fact.id
    this.object = fact.object
    this.uid = fact.uid
    this.atUs = fact.atUs
    this.class = fact.class
    this.role = fact.role
    this.other = fact.other
    this.otherUid = fact.otherUid
    this.remote = fact.remote
  }

  static isTaken(fact: LinkFact, taker: object): boolean {
    return #taker in fact && fact.#taker === taker
  }

  /** Remembers a taker, or forgets whoever it was. */
  static mark(fact: LinkFact, taker: object | undefined): void {
    if (#taker in fact) fact.#taker = taker
  }
}

export type Fact = AuditFact | EventFact | SnapshotFact | LinkFact

/** Takes a fact that is valid during the call. */
export type Take = (fact: Fact | RawSnapshot) => void

/** A fact that may be kept. */
export const keptFact = (fact: Fact | RawSnapshot): Fact => {
  if (!("raw" in fact)) return fact
  const { raw, ...rest } = fact
  return { ...rest, body: raw.toString("utf8") }
}

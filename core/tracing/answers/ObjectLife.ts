// What is known of one object up to a time: its requests and events in order, its newest version, and what it is linked to.
// Owns the reading; it is all that the finders of answers see, and the same store and time give the same life.
import { isJsonObject, type Json, type JsonObject, parseRfc3339 } from "#kube"
import type { ObjectKey } from "../model/ObjectKey.ts"
import { Attribute, type Span } from "../model/Span.ts"
import type { SpanStore } from "../store/SpanStore.ts"

export interface LinkedObject {
  readonly class: string
  readonly role: "parent" | "child"
  readonly object: ObjectKey
}

export interface ObjectLife {
  readonly object: ObjectKey
  /** Of the newest incarnation; empty when unknown. */
  readonly uid: string
  /** Of the newest incarnation, by start. */
  readonly audits: ReadonlyArray<Span>
  readonly events: ReadonlyArray<Span>
  /** Versions that nobody's request is known to have written, as spans tell them. */
  readonly root: Span | undefined
  /** The newest known version; undefined below level RequestResponse without watches. */
  readonly body: JsonObject | undefined
  readonly bodyAtUs: number
  readonly gone: boolean
  readonly links: ReadonlyArray<LinkedObject>
}

/** How far back an answer looks. */
export const LOOKBACK_US = 24 * 3600 * 1e6
/** Requests and events of one object that answers look at, the newest. */
export const LIFE_SPANS_MAX = 20_000

/** Undefined when nothing is known of the object in the range. */
export const lifeOf = (
  store: SpanStore,
  object: ObjectKey,
  nowUs: number,
  fromUs = nowUs - LOOKBACK_US
): ObjectLife | undefined => {
  const range = { fromUs, toUs: nowUs + 1 }
  let all: Array<Span> = []
  const links = new Map<string, LinkedObject>()
  let root: Span | undefined
  for (const traceId of store.tracesOf(object, range)) {
    const chunks = store.trace(traceId)
    for (let spans = chunks.next(); spans !== undefined; spans = chunks.next()) {
      for (const span of spans) {
        if (span.service === "object") root = span
        else if (span.service === "link") addLink(links, span)
        else if (span.startUs <= nowUs) all.push(span)
      }
      if (all.length > 2 * LIFE_SPANS_MAX) all = all.slice(-LIFE_SPANS_MAX)
    }
  }
  if (root === undefined) return undefined
  const [revision] = store.history(object, { toUs: nowUs + 1, limit: 1 }).slice(-1)
  const uid = revision?.uid ?? newestUid(all)
  const own = all.slice(-LIFE_SPANS_MAX).filter((span) => span.uid === "" || uid === "" || span.uid === uid)
  const audits = own.filter(({ service }) => service === "audit")
  const parsed = revision === undefined ? undefined : (JSON.parse(revision.body) as Json)
  return {
    object,
    uid,
    audits,
    events: own.filter(({ service }) => service === "event"),
    root,
    body: isJsonObject(parsed) ? parsed : undefined,
    bodyAtUs: revision?.atUs ?? 0,
    gone: revision === undefined ? audits.some(isDelete) : revision.state === "deleted",
    links: [...links.values()]
  }
}

const newestUid = (spans: ReadonlyArray<Span>): string => spans.findLast(({ uid }) => uid !== "")?.uid ?? ""

const addLink = (links: Map<string, LinkedObject>, { attributes }: Span): void => {
  const of = (name: string): string => attributes[name] ?? ""
  const object = {
    cluster: of(Attribute.linkedCluster),
    group: of(Attribute.linkedGroup),
    resource: of(Attribute.linkedResource),
    namespace: of(Attribute.linkedNamespace),
    name: of(Attribute.linkedName)
  }
  const role = of(Attribute.linkRole) === "child" ? "child" : "parent"
  const link: LinkedObject = { class: of(Attribute.linkClass), role, object }
  links.set(JSON.stringify(link), link)
}

/** Whether a request changed something: it succeeded and was no trial. */
export const succeeded = ({ attributes }: Span): boolean => {
  const code = Number(attributes[Attribute.responseCode] ?? 0)
  return code >= 200 && code < 300 && attributes[Attribute.dryRun] !== "true"
}

export const verbOf = ({ attributes }: Span): string => attributes[Attribute.verb] ?? ""
export const subresourceOf = ({ attributes }: Span): string => attributes[Attribute.subresource] ?? ""

const isDelete = (span: Span): boolean => verbOf(span) === "delete" && subresourceOf(span) === "" && succeeded(span)

/** An event's own words. */
export const messageOf = ({ events }: Span): string =>
  events.find(({ type }) => type === "event/message")?.message ?? ""

export const countOf = ({ attributes }: Span): number => Number(attributes[Attribute.count] ?? 1)

/** The value at a path of fields; undefined where one is missing. */
export const at = (value: Json | undefined, ...path: ReadonlyArray<string>): Json | undefined => {
  let found = value
  for (const field of path) found = isJsonObject(found) ? found[field] : undefined
  return found
}

export const textAt = (value: Json | undefined, ...path: ReadonlyArray<string>): string => {
  const found = at(value, ...path)
  return typeof found === "string" ? found : ""
}

export const listAt = (value: Json | undefined, ...path: ReadonlyArray<string>): ReadonlyArray<Json> => {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

/** A time of an object in microseconds; undefined where there is none. */
export const timeAt = (value: Json | undefined, ...path: ReadonlyArray<string>): number | undefined => {
  const ms = parseRfc3339(textAt(value, ...path))
  return ms === undefined ? undefined : ms * 1000
}

/** When the object was made, as well as that is known. */
export const createdUs = (life: ObjectLife): number => {
  const create = life.audits.find((span) => verbOf(span) === "create" && subresourceOf(span) === "" && succeeded(span))
  const [first] = [...life.audits, ...life.events].map(({ startUs }) => startUs).sort((a, b) => a - b)
  return create?.startUs ?? timeAt(life.body, "metadata", "creationTimestamp") ?? first ?? life.root?.startUs ?? 0
}

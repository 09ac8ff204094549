// One trace from the facts of its object: the same facts give the same spans, field by field, in whatever order they came.
// Owns the order of spans and what neighbours add to each (diffs, snapshots, incarnations); refuses other objects' traces, which links name.
import { type Claims, claimsOf, isWrite, type Write } from "../model/Claims.ts"
import { diffOf } from "../model/Diff.ts"
import { attributesFrom, objectAttributes, objectName, spanAttributes, spanEndUs, spanName } from "../model/Describe.ts"
import type { AuditFact, Fact, LinkFact, SnapshotFact } from "../model/Fact.ts"
import { objectSpanId, parseTraceId, traceIdOf } from "../model/Ids.ts"
import type { ObjectKey } from "../model/ObjectKey.ts"
import { type Incarnation, incarnationAt, incarnationsOf, type Version, versionsOf } from "../model/Revisions.ts"
import { Attribute, type DiffLine, type Span, type SpanEvent, type SpanLink } from "../model/Span.ts"
import { FactExpired, type FactRef, type FactSource } from "./FactSource.ts"
import { causeOf } from "./ReadCause.ts"
import type { SpanChunks } from "./SpanStore.ts"

/** How far beyond its window a trace's versions may have been written: no API server lets a write take longer. */
const MARGIN_US = 120_000_000
/** Characters of an object shown in a span; the whole is in the object's history. */
export const SNAPSHOT_TEXT_MAX = 65_536
const SPANS_MAX = 500

interface Setting {
  readonly source: FactSource
  readonly owners: ReadonlyArray<LinkFact>
  readonly traceId: string
  readonly rootId: string
  readonly windowSeconds: number
  readonly incarnations: ReadonlyArray<Incarnation>
  readonly claims: Claims
}

const nothing: SpanChunks = { next: () => undefined }

/** The spans of one trace, chunk by chunk. */
export const readTrace = (source: FactSource, traceId: string, spansMax = SPANS_MAX): SpanChunks => {
  const parts = parseTraceId(traceId)
  if (parts === undefined) return nothing
  const { windowSeconds } = source
  const window = { fromUs: parts.startUs, toUs: parts.startUs + windowSeconds * 1_000_000 }
  const own = source.ofObject(parts.object, ["audit", "event", "link", "snapshot"], window)
  const [first] = own
  if (first === undefined) return nothing
  const { object } = first.load()
  const near = { fromUs: window.fromUs - MARGIN_US, toUs: window.toUs + MARGIN_US }
  const snapshots = source
    .ofObject(parts.object, ["snapshot"], { toUs: near.toUs })
    .map((ref) => ref.load() as SnapshotFact)
  const audits = source.ofObject(parts.object, ["audit"], near)
  const signs: Array<{ readonly uid: string; readonly atUs: number }> = snapshots.map(({ atUs, uid }) => ({
    atUs,
    uid
  }))
  const writes: Array<Write> = []
  const names = new Set<string>(snapshots.map(({ version }) => version))
  for (const ref of audits) {
    const audit = ref.load() as AuditFact
    signs.push({ uid: audit.uid, atUs: audit.atUs })
    if (isWrite(audit)) writes.push(writeOf(audit))
    if (ref.atUs >= window.fromUs && ref.atUs < window.toUs) names.add(audit.version)
  }
  for (const ref of own) if (ref.kind === "event") signs.push({ uid: ref.load().uid, atUs: ref.atUs })
  const parents = own
    .filter(({ kind }) => kind === "link")
    .map((ref) => ref.load() as LinkFact)
    .filter(({ role }) => role === "parent")
  const setting: Setting = {
    source,
    owners: parents.filter((fact) => fact.class === "children"),
    traceId,
    rootId: objectSpanId(traceId),
    windowSeconds,
    incarnations: incarnationsOf(signs),
    claims: claimsOf(writes, versionsOf(snapshots))
  }
  const version = [...names].sort().at(-1) ?? ""
  const queue = [
    ...own.filter(({ kind }) => kind === "link").sort((a, b) => (a.id < b.id ? -1 : 1)),
    ...own.filter(({ kind }) => kind === "audit" || kind === "event")
  ]
  let root: Span | undefined = rootSpan(setting, object, window, {
    [Attribute.version]: version,
    // As the original's tags of objects: where a Pod runs is what it is looked for by.
    [Attribute.nodes]: parents.flatMap((fact) => (fact.class === "node" ? [fact.other.name] : [])).sort()[0] ?? ""
  })
  let at = 0
  return {
    next: () => {
      const spans: Array<Span> = []
      if (root !== undefined) spans.push(root)
      root = undefined
      while (spans.length < spansMax && at < queue.length) {
        const span = spanIfThere(setting, queue[at++])
        if (span !== undefined) spans.push(span)
      }
      return spans.length === 0 ? undefined : spans
    }
  }
}

const writeOf = ({
  atUs,
  endUs,
  id,
  newResourceVersion,
  resourceVersion,
  subresource,
  uid,
  verb
}: AuditFact): Write => ({ id, uid, atUs, endUs, verb, resourceVersion, newResourceVersion, subresource })

const rootSpan = (
  { claims, incarnations, rootId, traceId, windowSeconds }: Setting,
  object: ObjectKey,
  window: { readonly fromUs: number; readonly toUs: number },
  more: Readonly<Record<string, string>>
): Span => {
  const unclaimed = claims.unclaimed.filter(({ fact }) => fact.atUs >= window.fromUs && fact.atUs < window.toUs)
  const uid = incarnationAt(incarnations, window.toUs - 1)
  return {
    traceId,
    spanId: rootId,
    parentSpanId: "",
    service: "object",
    name: objectName(object),
    startUs: window.fromUs,
    endUs: window.toUs,
    failed: false,
    object,
    uid,
    attributes: objectAttributes(object, window.fromUs, {
      ...more,
      [Attribute.uid]: uid,
      [Attribute.windowSeconds]: String(windowSeconds)
    }),
    events: unclaimed.map((found) => versionEvent(found, found.fact.atUs)),
    links: []
  }
}

/** A trace that is read slowly may lose its oldest spans on the way. */
const spanIfThere = (setting: Setting, ref: FactRef): Span | undefined => {
  try {
    return spanOf(setting, ref)
  } catch (error) {
    if (error instanceof FactExpired) return undefined
    throw error
  }
}

const spanOf = (setting: Setting, ref: FactRef): Span => {
  const fact = ref.load()
  const uid = fact.uid === "" ? incarnationAt(setting.incarnations, fact.atUs) : fact.uid
  const attributes = spanAttributes(fact)
  return {
    traceId: setting.traceId,
    spanId: fact.id,
    parentSpanId: setting.rootId,
    // SAFETY: snapshots are not in the queue.
    service: fact.kind as Span["service"],
    name: spanName(fact),
    startUs: fact.atUs,
    endUs: spanEndUs(fact, setting.windowSeconds),
    failed: isFailure(fact),
    object: fact.object,
    uid,
    attributes:
      fact.uid === uid || fact.kind === "link"
        ? attributes
        : attributesFrom([...Object.entries(attributes), [Attribute.uid, uid]]),
    events: eventsOf(setting, fact, uid),
    links: linksOf(setting, fact, uid)
  }
}

const isFailure = (fact: Fact): boolean =>
  fact.kind === "audit" ? fact.code >= 400 || fact.stage === "Panic" : fact.kind === "event" && fact.type === "Warning"

const eventsOf = ({ claims }: Setting, fact: Fact, uid: string): ReadonlyArray<SpanEvent> => {
  const { atUs } = fact
  if (fact.kind === "event") return fact.message === "" ? [] : [textEvent(atUs, "event/message", fact.message)]
  if (fact.kind !== "audit") return []
  const told: Array<SpanEvent> = []
  if (fact.code >= 300 || fact.stage === "Panic") {
    const words = [fact.reason, fact.message].filter((word) => word !== "").join(": ")
    if (words !== "") told.push(textEvent(atUs, "realError", words))
    for (const cause of fact.causes) told.push(textEvent(atUs, "realError", cause))
  }
  if (claims.noOps.has(fact.id)) told.push(textEvent(atUs, "realVerbose", "No-op update"))
  const claim = claims.written.get(fact.id)
  if (claim !== undefined) told.push(versionEvent(claim.version, atUs))
  else if (fact.verb === "delete" && isWrite(fact)) {
    const last = claims.versions.findLast((version) => version.fact.uid === uid && version.fact.atUs <= fact.endUs)
    if (last !== undefined) told.push(textEvent(atUs, "audit/objectSnapshot", cut(last.fact.body)))
  }
  return told
}

const textEvent = (atUs: number, type: SpanEvent["type"], message: string): SpanEvent => ({
  atUs,
  type,
  message,
  diff: []
})

const cut = (text: string): string =>
  text.length <= SNAPSHOT_TEXT_MAX ? text : `${text.slice(0, SNAPSHOT_TEXT_MAX)}… (${text.length} characters)`

const versionEvent = (version: Version, atUs: number): SpanEvent => {
  const { before, fact, state } = version
  if (before === undefined || state === "deleted") return textEvent(atUs, "audit/objectSnapshot", cut(fact.body))
  const diff = changesOf(version)
  return { atUs, type: "audit/objectDiff", message: diff.map(lineText).join("\n"), diff }
}

const lineText = ({ new: after, old, path }: DiffLine): string =>
  cut(`${path} ${old ?? "(none)"} -> ${after ?? "(none)"}`)

/** What a version changed; nothing when no earlier one is known. */
export const changesOf = ({ before, fact }: Version): ReadonlyArray<DiffLine> =>
  before === undefined ? [] : diffOf(JSON.parse(before.fact.body), JSON.parse(fact.body))

/** The other end's own span, or the span of somebody else's trace; of a creation, what it answers. */
const linksOf = ({ owners, source, windowSeconds }: Setting, fact: Fact, uid: string): ReadonlyArray<SpanLink> => {
  if (fact.kind === "audit" && fact.verb === "create" && fact.subresource === "" && isWrite(fact)) {
    const owner = owners.find((link) => link.uid === "" || link.uid === uid)
    const cause = owner === undefined ? undefined : causeOf(source, fact, owner)
    return cause === undefined ? [] : [cause]
  }
  if (fact.kind !== "link") return []
  const traceId = fact.remote?.traceId ?? traceIdOf(fact.other, fact.atUs, windowSeconds)
  const spanId = fact.remote?.spanId ?? objectSpanId(traceId)
  const attributes = attributesFrom([
    [Attribute.linkRole, fact.role],
    [Attribute.linkClass, fact.class]
  ])
  return [{ traceId, spanId, attributes }]
}

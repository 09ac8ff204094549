// One object's life over some windows as one tree: the traces of its windows merged, its incarnations apart, and the links that it names.
// Owns that merge; refuses to follow links, which FollowLinks.ts does.
import { idOf } from "../model/Ids.ts"
import type { ObjectKey } from "../model/ObjectKey.ts"
import { Attribute, type Span } from "../model/Span.ts"
import { outSpan } from "../otlp/OutSpan.ts"
import type { Range, SpanStore } from "../store/SpanStore.ts"
import type { ViewNode } from "./ViewNode.ts"

/** A link that the object's spans tell, once for all windows. */
export interface NamedLink {
  readonly class: string
  /** What the other is to this object. */
  readonly role: "parent" | "child"
  readonly other: ObjectKey
  /** A span of somebody else's trace; then `other` is the object itself. */
  readonly remote: { readonly traceId: string; readonly spanId: string } | undefined
}

export interface ObjectTree {
  readonly object: ObjectKey
  readonly root: ViewNode
  readonly links: ReadonlyArray<NamedLink>
}

/** Spans of one object that a view shows; a warning says when more were left out. */
export const SPANS_MAX = 100_000

/** Undefined when nothing is known of the object in the range. */
export const objectTree = (store: SpanStore, object: ObjectKey, range: Range): ObjectTree | undefined => {
  let root: ViewNode | undefined
  const links = new Map<string, NamedLink>()
  const happened: Array<{ readonly node: ViewNode; readonly uid: string }> = []
  for (const traceId of store.tracesOf(object, range)) {
    const chunks = store.trace(traceId)
    for (let spans = chunks.next(); spans !== undefined; spans = chunks.next()) {
      for (const span of spans) {
        if (span.service === "object") root = root === undefined ? nodeOf(span) : merged(root, span)
        else if (span.service === "link") {
          const link = linkOf(span)
          links.set(JSON.stringify(link), link)
        } else happened.push({ node: nodeOf(span), uid: span.uid })
      }
    }
  }
  if (root === undefined) return undefined
  if (happened.length > SPANS_MAX) {
    root.warnings.push(`${happened.length - SPANS_MAX} earlier spans of this object were left out`)
  }
  root.children = incarnations(root, happened.slice(-SPANS_MAX))
  return { object, root, links: [...links.values()] }
}

const nodeOf = (span: Span): ViewNode => {
  const { endUs, failed, links, logs, name, service, spanId, startUs, tags } = outSpan(span)
  return {
    spanId,
    service,
    name,
    startUs,
    endUs,
    failed,
    tags: { ...tags },
    logs: [...logs],
    links: [...links],
    warnings: [],
    children: [],
    object: span.object
  }
}

/** The object's span over several windows: the newest tag wins. */
const merged = (root: ViewNode, span: Span): ViewNode => {
  const later = nodeOf(span)
  const timeStamp = root.tags[Attribute.timeStamp] ?? ""
  const tags = { ...root.tags, ...later.tags, [Attribute.timeStamp]: timeStamp }
  return { ...root, endUs: Math.max(root.endUs, later.endUs), tags, logs: [...root.logs, ...later.logs] }
}

const linkOf = ({ attributes, links, object }: Span): NamedLink => {
  const of = (name: string): string => attributes[name] ?? ""
  const other = {
    cluster: of(Attribute.linkedCluster),
    group: of(Attribute.linkedGroup),
    resource: of(Attribute.linkedResource),
    namespace: of(Attribute.linkedNamespace),
    name: of(Attribute.linkedName)
  }
  const role = of(Attribute.linkRole) === "child" ? "child" : "parent"
  const own = other.name === object.name && other.resource === object.resource && other.group === object.group
  const [first] = links
  const isRemote = own && other.namespace === object.namespace && first !== undefined
  const remote = isRemote ? { traceId: first.traceId, spanId: first.spanId } : undefined
  return { class: of(Attribute.linkClass), role, other, remote }
}

/** What happened, in order; when the name lived more than once, under a span for each life, which names the life before it. */
const incarnations = (
  root: ViewNode,
  happened: ReadonlyArray<{ readonly node: ViewNode; readonly uid: string }>
): Array<ViewNode> => {
  const lives = Map.groupBy(happened, ({ uid }) => uid)
  if (Array.from(lives.keys()).filter((uid) => uid !== "").length < 2) return happened.map(({ node }) => node)
  let before: ViewNode | undefined
  return Array.from(lives, ([uid, members]) => {
    if (uid === "") return members.map(({ node }) => node)
    const children = members.map(({ node }) => node)
    const life = lifeOf(root, uid, children)
    if (before !== undefined) {
      const attributes = { [Attribute.linkClass]: "replaced" }
      life.links.push({ traceId: "", spanId: before.spanId, attributes })
    }
    before = life
    return [life]
  }).flat()
}

const lifeOf = (root: ViewNode, uid: string, children: Array<ViewNode>): ViewNode => ({
  spanId: idOf("incarnation", root.spanId, uid),
  service: root.service,
  name: `${root.name} (uid ${uid})`,
  startUs: children.reduce((least, { startUs }) => Math.min(least, startUs), Number.POSITIVE_INFINITY),
  endUs: children.reduce((most, { endUs }) => Math.max(most, endUs), 0),
  failed: false,
  tags: { [Attribute.uid]: uid, [Attribute.pseudoType]: "incarnation" },
  logs: [],
  links: [],
  warnings: [],
  children,
  object: root.object
})

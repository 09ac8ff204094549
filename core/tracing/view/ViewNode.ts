// A trace as a tree that display modes reshape, and the walks that they share.
// Owns the tree's shape and its way out as spans; refuses to know what any mode does, and where a tree comes from.
import type { ObjectKey } from "../model/ObjectKey.ts"
import { Attribute, type SpanLink } from "../model/Span.ts"
import type { OutLog, OutSpan } from "../otlp/OutSpan.ts"

/** One span within a tree; display modes change it in place, so no node is in two trees. */
export interface ViewNode {
  readonly spanId: string
  service: string
  name: string
  startUs: number
  endUs: number
  failed: boolean
  tags: Record<string, string>
  logs: Array<OutLog>
  links: Array<SpanLink>
  warnings: Array<string>
  children: Array<ViewNode>
  readonly object: ObjectKey
}

/** "audit", "event" or "object". */
export const traceSourceOf = ({ tags }: ViewNode): string => tags[Attribute.traceSource] ?? ""

/** "object", "incarnation", "linkClass", …; empty for what happened, like an audit. */
export const pseudoTypeOf = ({ tags }: ViewNode): string => tags[Attribute.pseudoType] ?? ""

export const isPseudo = (node: ViewNode): boolean => pseudoTypeOf(node) !== ""

/** Calls `leave` for every node below, children before their parents. */
export const walkUp = (
  node: ViewNode,
  leave: (node: ViewNode, parent: ViewNode | undefined) => void,
  parent?: ViewNode
): void => {
  for (const child of node.children) walkUp(child, leave, node)
  leave(node, parent)
}

/** Calls `enter` for every node below, parents before their children. */
export const walkDown = (
  node: ViewNode,
  enter: (node: ViewNode, parent: ViewNode | undefined) => void,
  parent?: ViewNode
): void => {
  enter(node, parent)
  for (const child of node.children) walkDown(child, enter, node)
}

/** Spans of trees, parents first, under one trace id. */
export const spansOf = (traceId: string, roots: ReadonlyArray<ViewNode>): ReadonlyArray<OutSpan> => {
  const spans: Array<OutSpan> = []
  for (const root of roots) {
    walkDown(root, (node, parent) => {
      const { endUs, failed, links, logs, name, service, spanId, startUs, tags, warnings } = node
      const parentSpanId = parent?.spanId ?? ""
      spans.push({ traceId, spanId, parentSpanId, service, name, startUs, endUs, failed, tags, logs, links, warnings })
    })
  }
  return spans
}

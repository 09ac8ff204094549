// From one object along its links to a forest of objects: who is above, who is below, and what else belongs to them.
// Owns the walk, its bound and the choice of one place for each object; refuses the choice of links, which the selector makes.
import { idOf } from "../model/Ids.ts"
import { type ObjectKey, objectText } from "../model/ObjectKey.ts"
import { Attribute } from "../model/Span.ts"
import type { Range, SpanStore } from "../store/SpanStore.ts"
import type { LinkSelector } from "./LinkSelector.ts"
import { type NamedLink, type ObjectTree, objectTree } from "./ObjectTree.ts"
import type { ViewNode } from "./ViewNode.ts"

/** Objects that one view shows; a warning on the root says how many were left out. */
export const OBJECTS_MAX = 500

/** A link between two objects of the forest. */
interface Edge {
  readonly parent: string
  readonly child: string
  readonly class: string
}

export interface Forest {
  /** The tree with the object that was asked for first. */
  readonly roots: ReadonlyArray<ViewNode>
  readonly objects: ReadonlyArray<ObjectKey>
  /** Links that lead out of the forest, by the object that has them. */
  readonly outward: ReadonlyMap<ViewNode, ReadonlyArray<NamedLink>>
}

/** Undefined when nothing is known of the object in the range. */
export const followLinks = (
  store: SpanStore,
  start: ObjectKey,
  range: Range,
  selector: LinkSelector
): Forest | undefined => {
  const { edges, leftOut, trees } = walk(store, start, range, selector)
  const first = trees.get(objectText(start))
  if (first === undefined) return undefined
  const parents = places(edges, trees)
  const roots = assemble(trees, parents, edges)
  if (leftOut > 0) first.root.warnings.push(`${leftOut} linked objects were left out: a view shows ${OBJECTS_MAX}`)
  const top = topOf(objectText(start), parents)
  const sorted = roots.toSorted(([a], [b]) => Number(b === top) - Number(a === top) || (a < b ? -1 : 1))
  const outward = new Map<ViewNode, ReadonlyArray<NamedLink>>()
  for (const { links, root } of trees.values()) {
    const leading = links.filter(({ other, remote }) => remote !== undefined || !trees.has(objectText(other)))
    if (leading.length > 0) outward.set(root, leading)
  }
  return { roots: sorted.map(([, root]) => root), objects: Array.from(trees.values(), (tree) => tree.object), outward }
}

const walk = (store: SpanStore, start: ObjectKey, range: Range, selector: LinkSelector) => {
  const trees = new Map<string, ObjectTree>()
  const edges = new Map<string, Edge>()
  const refused = new Set<string>()
  const seen = new Set([objectText(start)])
  const queue: Array<{ readonly object: ObjectKey; readonly selector: LinkSelector }> = [{ object: start, selector }]
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const tree = objectTree(store, next.object, range)
    if (tree === undefined) continue
    const own = objectText(next.object)
    trees.set(own, tree)
    for (const link of tree.links) {
      if (link.remote !== undefined) continue
      const other = objectText(link.other)
      const fromParent = link.role === "child"
      const [parent, child] = fromParent ? [next.object, link.other] : [link.other, next.object]
      const further = next.selector.admit({ parent, child, fromParent, class: link.class })
      // What is known anyway is joined, whatever the selector says.
      if (further === undefined && !seen.has(other)) continue
      const edge = { parent: objectText(parent), child: objectText(child), class: link.class }
      edges.set(JSON.stringify(edge), edge)
      if (further === undefined || seen.has(other)) continue
      if (seen.size >= OBJECTS_MAX) refused.add(other)
      else {
        seen.add(other)
        queue.push({ object: link.other, selector: further })
      }
    }
  }
  return { trees, edges: [...edges.values()], leftOut: refused.size }
}

/** Owners come first, then who was named by annotation, then the rest by class and name. */
const rank = ({ class: name }: Edge): string => (name === "children" ? "0" : name === "" ? "1" : `2${name}`)

const byRank = (a: Edge, b: Edge): number => {
  const [x, y] = [`${rank(a)} ${a.parent}`, `${rank(b)} ${b.parent}`]
  return x < y ? -1 : x > y ? 1 : 0
}

/** For each object the one that it stands under; a cycle is cut at the link that would close it. */
const places = (edges: ReadonlyArray<Edge>, trees: ReadonlyMap<string, ObjectTree>): ReadonlyMap<string, Edge> => {
  const parents = new Map<string, Edge>()
  for (const edge of edges.toSorted(byRank)) {
    if (parents.has(edge.child) || !trees.has(edge.parent) || !trees.has(edge.child)) continue
    if (topOf(edge.parent, parents) !== edge.child) parents.set(edge.child, edge)
  }
  return parents
}

const topOf = (object: string, parents: ReadonlyMap<string, Edge>): string => {
  let top = object
  for (let edge = parents.get(top); edge !== undefined; edge = parents.get(top)) top = edge.parent
  return top
}

const assemble = (
  trees: ReadonlyMap<string, ObjectTree>,
  parents: ReadonlyMap<string, Edge>,
  edges: ReadonlyArray<Edge>
): ReadonlyArray<readonly [string, ViewNode]> => {
  const classes = new Map<string, ViewNode>()
  for (const { child, class: name, parent } of parents.values()) {
    const [above, below] = [trees.get(parent)?.root, trees.get(child)?.root]
    if (above === undefined || below === undefined) continue
    if (name === "") above.children.push(below)
    else classNode(classes, above, name).children.push(below)
  }
  for (const edge of edges) {
    const [above, below] = [trees.get(edge.parent)?.root, trees.get(edge.child)?.root]
    const placed = parents.get(edge.child)
    if (above === undefined || below === undefined || placed?.parent === edge.parent) continue
    below.links.push({ traceId: "", spanId: above.spanId, attributes: { [Attribute.linkClass]: edge.class } })
  }
  for (const { root } of trees.values()) root.children.sort(byTime)
  for (const node of classes.values()) {
    node.children.sort(byTime)
    node.startUs = node.children.reduce((least, { startUs }) => Math.min(least, startUs), Number.POSITIVE_INFINITY)
    node.endUs = node.children.reduce((most, { endUs }) => Math.max(most, endUs), 0)
  }
  return Array.from(trees)
    .filter(([object]) => !parents.has(object))
    .map(([object, { root }]) => [object, root] as const)
}

const byTime = (a: ViewNode, b: ViewNode): number => a.startUs - b.startUs || (a.name < b.name ? -1 : 1)

/** The pseudo-span that holds the members of one class under their parent. */
const classNode = (classes: Map<string, ViewNode>, above: ViewNode, name: string): ViewNode => {
  const key = `${above.spanId} ${name}`
  const known = classes.get(key)
  if (known !== undefined) return known
  const node: ViewNode = {
    spanId: idOf("linkClass", above.spanId, name),
    service: name,
    name,
    startUs: above.startUs,
    endUs: above.endUs,
    failed: false,
    tags: { [Attribute.traceSource]: "object", [Attribute.pseudoType]: "linkClass", [Attribute.linkClass]: name },
    logs: [],
    links: [],
    warnings: [],
    children: [],
    object: above.object
  }
  classes.set(key, node)
  above.children.push(node)
  return node
}

// Sets of field paths in the form of managedFields' fieldsV1: a tree of JSON objects whose keys are path elements
// ("f:spec", `k:{"name":"a"}`, `v:"x"`). A path is a member where its node is empty or holds ".".
// Owns the algebra of such trees; refuses to know types. Trees are never changed in place, and an operation that changes nothing
// answers the very tree it was given: callers compare references.
import type { JsonObject } from "../../Json.ts"

/** The tree of a set; the empty object is the empty set, and as a node the member without anything below. */
export type FieldSet = JsonObject

export const EMPTY_SET: FieldSet = Object.freeze({})

/** The node of a member without anything below. */
export const LEAF: FieldSet = EMPTY_SET

const MEMBER = "."

export const isEmptySet = (set: FieldSet): boolean => {
  for (const _ in set) return false
  return true
}

/** The node below a path element. */
export const childOf = (set: FieldSet, element: string): FieldSet | undefined =>
  // SAFETY: a tree of path elements; what is read from outside was checked when it was validated.
  set[element] as FieldSet | undefined

/** Whether a node's own path is in the set. */
export const isMember = (node: FieldSet | undefined): boolean =>
  node !== undefined && (node[MEMBER] !== undefined || isEmptySet(node))

/** Whether anything below a node is in the set. */
export const hasBelow = (node: FieldSet | undefined): boolean => {
  if (node === undefined) return false
  for (const element in node) if (element !== MEMBER) return true
  return false
}

/** A set under construction. */
export type Growing = { [element: string]: Growing }

const LEAF_IN_GROWTH: Growing = Object.freeze({})

/** Adds a path to a set under construction; the path to the whole object is not kept. */
export const insert = (set: Growing, path: ReadonlyArray<string>): void => {
  const last = path.length - 1
  if (last < 0) return
  let node = set
  for (let at = 0; at < last; at++) {
    const element = path[at]
    const next = node[element]
    // A member that gets something below must say that it is a member itself.
    node =
      next === undefined
        ? (node[element] = {})
        : next === LEAF_IN_GROWTH
          ? (node[element] = { ".": LEAF_IN_GROWTH })
          : next
  }
  const element = path[last]
  const held = node[element]
  if (held === undefined) node[element] = LEAF_IN_GROWTH
  else if (held !== LEAF_IN_GROWTH) held[MEMBER] = LEAF_IN_GROWTH
}

type Tree = { [element: string]: FieldSet }

/** What is in either set; the first itself when the second adds nothing. */
export const union = (a: FieldSet, b: FieldSet): FieldSet => {
  if (a === b || isEmptySet(b)) return a
  if (isEmptySet(a)) return b
  return unionNodes(a, b)
}

const unionNodes = (a: FieldSet, b: FieldSet): FieldSet => {
  let changed: Tree | undefined
  for (const element in b) {
    const held = childOf(a, element)
    const added = childOf(b, element) ?? LEAF
    const both = held === undefined ? added : element === MEMBER ? held : unionChildren(held, added)
    if (both !== held) (changed ??= { ...(a as Tree) })[element] = both
  }
  return changed ?? a
}

const unionChildren = (a: FieldSet, b: FieldSet): FieldSet => {
  if (a === b) return a
  if (isEmptySet(a))
    return isEmptySet(b) || b[MEMBER] !== undefined ? (isEmptySet(b) ? a : b) : { [MEMBER]: LEAF, ...b }
  if (isEmptySet(b)) return a[MEMBER] !== undefined ? a : { [MEMBER]: LEAF, ...a }
  return unionNodes(a, b)
}

/** A node of its two halves; undefined when both are empty. */
const nodeOf = (member: boolean, below: FieldSet): FieldSet | undefined => {
  if (!hasBelow(below)) return member ? LEAF : undefined
  if (member) return below[MEMBER] === undefined ? { [MEMBER]: LEAF, ...below } : below
  if (below[MEMBER] === undefined) return below
  const { [MEMBER]: _, ...rest } = below
  return rest
}

/** Goes over the first set's children and keeps, replaces or drops each. */
const mapNodes = (set: FieldSet, keep: (node: FieldSet, element: string) => FieldSet | undefined): FieldSet => {
  let changed: Tree | undefined
  for (const element in set) {
    if (element === MEMBER) continue
    const node = childOf(set, element) ?? LEAF
    const kept = keep(node, element)
    if (kept === node) continue
    changed ??= { ...(set as Tree) }
    if (kept === undefined) delete changed[element]
    else changed[element] = kept
  }
  return changed ?? set
}

const sameNode = (node: FieldSet, made: FieldSet | undefined, member: boolean, below: FieldSet): FieldSet | undefined =>
  member === isMember(node) && below === node ? node : made

/** What is in the first set and not in the second; a path goes without what is below it. */
export const difference = (a: FieldSet, b: FieldSet): FieldSet => {
  if (isEmptySet(b) || isEmptySet(a)) return a
  return mapNodes(a, (node, element) => {
    const other = childOf(b, element)
    if (other === undefined) return node
    const member = isMember(node) && !isMember(other)
    const below = hasBelow(node) && hasBelow(other) ? difference(node, other) : node
    return sameNode(node, nodeOf(member, below), member, below)
  })
}

/** The first set without the paths of the second and everything below them. */
export const recursiveDifference = (a: FieldSet, b: FieldSet): FieldSet => {
  if (isEmptySet(b) || isEmptySet(a)) return a
  return mapNodes(a, (node, element) => {
    const other = childOf(b, element)
    if (other === undefined) return node
    if (isMember(other)) return undefined
    const member = isMember(node)
    const below = hasBelow(node) ? recursiveDifference(node, other) : node
    return sameNode(node, nodeOf(member, below), member, below)
  })
}

/** What is in both sets. */
export const intersection = (a: FieldSet, b: FieldSet): FieldSet => {
  const out: Tree = {}
  for (const element in a) {
    if (element === MEMBER) continue
    const node = childOf(a, element) ?? LEAF
    const other = childOf(b, element)
    if (other === undefined) continue
    const below = hasBelow(node) && hasBelow(other) ? intersection(node, other) : EMPTY_SET
    const both = nodeOf(isMember(node) && isMember(other), below)
    if (both !== undefined) out[element] = both
  }
  return out
}

/** Whether every path of the second set is in the first: without building anything. */
export const includes = (a: FieldSet, b: FieldSet): boolean => {
  for (const element in b) {
    if (element === MEMBER) continue
    const node = childOf(b, element) ?? LEAF
    const held = childOf(a, element)
    if (held === undefined) return false
    if (held === node) continue
    if (isMember(node) && !isMember(held)) return false
    if (!includes(held, node)) return false
  }
  return true
}

/** Whether the two sets have a path in common: without building anything. */
export const overlaps = (a: FieldSet, b: FieldSet): boolean => {
  for (const element in b) {
    if (element === MEMBER) continue
    const held = childOf(a, element)
    if (held === undefined) continue
    const node = childOf(b, element) ?? LEAF
    if (isMember(node) && isMember(held)) return true
    if (overlaps(held, node)) return true
  }
  return false
}

/** Whether a path is in the set. */
export const hasPath = (set: FieldSet, path: ReadonlyArray<string>): boolean => {
  let node: FieldSet | undefined = set
  for (const element of path) {
    node = node === undefined ? undefined : childOf(node, element)
    if (node === undefined) return false
  }
  return path.length > 0 && isMember(node)
}

/** Calls for each path of the set: at each level the members first, then what is below, each in the order given. */
export const eachPath = (
  set: FieldSet,
  order: (a: string, b: string) => number,
  visit: (path: ReadonlyArray<string>) => void,
  path: ReadonlyArray<string> = []
): void => {
  const elements = Object.keys(set)
    .filter((element) => element !== MEMBER)
    .toSorted(order)
  for (const element of elements) if (isMember(childOf(set, element))) visit([...path, element])
  for (const element of elements) {
    const node = childOf(set, element)
    if (node !== undefined && hasBelow(node)) eachPath(node, order, visit, [...path, element])
  }
}

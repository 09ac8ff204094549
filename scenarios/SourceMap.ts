// Where in the YAML text a field stands: path in, line and column out. Owns the walk through the parsed document,
// aliases and merge keys included. Refuses to know what the fields mean.
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type LineCounter, type Node, type Pair } from "yaml"
import type { FieldPath } from "./Diagnostic.ts"

/** A place in the text; both count from 1, and are 0 when the place is outside the file. */
export interface Place {
  readonly line: number
  readonly column: number
}

const follow = (document: Document, node: unknown): Node | undefined => {
  if (isAlias(node)) return node.resolve(document)
  return isNode(node) ? node : undefined
}

const keyText = (pair: Pair): string => String(isScalar(pair.key) ? pair.key.value : pair.key)

const findPair = (document: Document, node: Node | undefined, key: string): Pair | undefined => {
  if (!isMap(node)) return undefined
  const direct = node.items.find((pair) => keyText(pair) === key)
  if (direct !== undefined) return direct
  for (const pair of node.items) {
    if (keyText(pair) !== "<<") continue
    const merged = follow(document, pair.value)
    const sources = isSeq(merged) ? merged.items.map((item) => follow(document, item)) : [merged]
    for (const source of sources) {
      const found = findPair(document, source, key)
      if (found !== undefined) return found
    }
  }
  return undefined
}

/** Finds the place of a field. `onKey` asks for the key's own place; a missing field gives the nearest parent's. */
export const placeOf = (document: Document, lines: LineCounter, path: FieldPath, onKey = false): Place => {
  let node: Node | undefined = document.contents ?? undefined
  let offset = node?.range?.[0] ?? 0
  for (let depth = 0; depth < path.length; depth++) {
    const part = path[depth]
    if (typeof part === "number" && isSeq(node)) {
      const item: unknown = node.items[part]
      if (!isNode(item)) break
      offset = item.range?.[0] ?? offset
      node = follow(document, item)
      continue
    }
    const pair = findPair(document, node, String(part))
    if (pair === undefined) break
    const last = depth === path.length - 1
    const target = last && onKey ? pair.key : pair.value
    if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset
    if (isNode(target)) offset = target.range?.[0] ?? offset
    node = follow(document, pair.value)
  }
  const { col, line } = lines.linePos(offset)
  return { line, column: col }
}

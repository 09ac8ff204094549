// Feasible nodes in groups of equal coordinates, and within a group by their own score: the best node is found without a look at the others.
// Owns membership and order; refuses to judge. A node is in one group at most.
import type { Coordinates } from "./DomainRules.ts"

export interface NodeGroup {
  readonly coordinates: Coordinates
  /** Nodes by their own score. */
  readonly levels: Array<Array<number> | undefined>
  size: number
  /** The highest level with a node; −1 when there is none. */
  top: number
}

const EMPTY_MAX = 64
/** Groups that are looked at before the text of coordinates is made: most nodes are as one of those before them. */
const RECENT_MAX = 8

export class NodeGroups {
  private readonly byKey = new Map<string, NodeGroup>()
  private readonly groupOf: Array<NodeGroup | undefined> = []
  private readonly levelOf: Array<number> = []
  private readonly placeOf: Array<number> = []
  private readonly recent: Array<NodeGroup> = []
  private turn = 0
  private empty = 0
  size = 0

  all(): IterableIterator<NodeGroup> {
    return this.byKey.values()
  }

  has(node: number): boolean {
    return this.groupOf[node] !== undefined
  }

  of(node: number): NodeGroup | undefined {
    return this.groupOf[node]
  }

  /** A node's own score. */
  level(node: number): number {
    return this.levelOf[node]
  }

  put(node: number, coordinates: Coordinates, level: number): void {
    const before = this.groupOf[node]
    if (before !== undefined) {
      if (this.levelOf[node] === level && same(before.coordinates, coordinates)) return
      this.remove(node)
    }
    const group = before !== undefined && same(before.coordinates, coordinates) ? before : this.groupAt(coordinates)
    const members = (group.levels[level] ??= [])
    this.groupOf[node] = group
    this.levelOf[node] = level
    this.placeOf[node] = members.length
    members.push(node)
    if (group.size++ === 0) this.empty--
    this.size++
    if (level > group.top) group.top = level
  }

  remove(node: number): void {
    const group = this.groupOf[node]
    if (group === undefined) return
    const level = this.levelOf[node]
    const members = group.levels[level]
    const last = members?.pop()
    if (members !== undefined && last !== undefined && last !== node) {
      const place = this.placeOf[node]
      members[place] = last
      this.placeOf[last] = place
    }
    this.groupOf[node] = undefined
    group.size--
    this.size--
    if (group.size === 0) {
      group.top = -1
      this.empty++
    } else while (group.top >= 0 && (group.levels[group.top]?.length ?? 0) === 0) group.top--
  }

  /** Forgets groups without nodes once they are the most. */
  private tidy(): void {
    if (this.empty < EMPTY_MAX || this.empty * 2 < this.byKey.size) return
    for (const [key, group] of this.byKey) if (group.size === 0) this.byKey.delete(key)
    this.recent.length = this.turn = 0
    this.empty = 0
  }

  private groupAt(coordinates: Coordinates): NodeGroup {
    for (const known of this.recent) if (same(known.coordinates, coordinates)) return known
    const key = coordinates.join()
    let group = this.byKey.get(key)
    if (group === undefined) {
      this.tidy()
      group = { coordinates: [...coordinates], levels: [], size: 0, top: -1 }
      this.byKey.set(key, group)
      this.empty++
    }
    this.recent[this.turn++ % RECENT_MAX] = group
    return group
  }
}

const same = (a: Coordinates, b: Coordinates): boolean => {
  if (a.length !== b.length) return false
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false
  return true
}

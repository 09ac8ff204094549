// Who goes where because somebody else goes there: objects, what they need, and the clusters that follow from it.
// Owns the arithmetic, exact in the presence of cycles: a placement is always derived from what objects have of their own, so no two
// of them can hold each other in a cluster. Refuses to know objects. Bound: one node per federated object.

/** A text that names an object: group, kind, namespace and name of its source. */
export type ObjectName = string

/** Something that an object cannot be without. */
export interface Need {
  readonly object: ObjectName
  /** Only in these clusters, because only there it is named; absent: wherever the object goes. */
  readonly clusters?: ReadonlySet<string>
}

export interface FollowNode {
  /** Clusters that it is placed in for its own sake. */
  readonly own: ReadonlyArray<string>
  /** None of an object that leads nobody. */
  readonly needs: ReadonlyArray<Need>
  /** It goes nowhere for others' sake. */
  readonly followsNobody?: boolean
}

const sameNode = (a: FollowNode, b: FollowNode): boolean =>
  a.followsNobody === b.followsNobody &&
  a.own.length === b.own.length &&
  a.own.every((cluster, at) => cluster === b.own[at]) &&
  a.needs.length === b.needs.length &&
  a.needs.every((need, at) => sameNeed(need, b.needs[at]))

const sameNeed = (a: Need, b: Need | undefined): boolean =>
  b !== undefined &&
  a.object === b.object &&
  (a.clusters === b.clusters ||
    (a.clusters !== undefined && b.clusters !== undefined && a.clusters.symmetricDifference(b.clusters).size === 0))

export class FollowGraph {
  readonly #nodes = new Map<ObjectName, FollowNode>()
  /** Who needs an object, by the object; kept for objects that do not exist yet as well. */
  readonly #leaders = new Map<ObjectName, Set<ObjectName>>()

  /** Takes an object as it is now; answers the others whose placement may be another one by that. */
  set(name: ObjectName, node: FollowNode): ReadonlySet<ObjectName> {
    const before = this.#nodes.get(name)
    if (before !== undefined && sameNode(before, node)) return new Set()
    const affected = before === undefined ? new Set<ObjectName>() : this.#below(name)
    this.#unlink(name)
    this.#nodes.set(name, node)
    for (const { object } of node.needs) {
      const leaders = this.#leaders.get(object)
      if (leaders === undefined) this.#leaders.set(object, new Set([name]))
      else leaders.add(name)
    }
    for (const below of this.#below(name)) affected.add(below)
    affected.delete(name)
    return affected
  }

  /** Forgets an object; answers the others whose placement may be another one by that. */
  delete(name: ObjectName): ReadonlySet<ObjectName> {
    const affected = this.#below(name)
    this.#unlink(name)
    this.#nodes.delete(name)
    affected.delete(name)
    return affected
  }

  /** The objects that need this one, sorted. */
  leaders(name: ObjectName): ReadonlyArray<ObjectName> {
    if (this.#nodes.get(name)?.followsNobody === true) return []
    return [...(this.#leaders.get(name) ?? [])].filter((leader) => leader !== name).sort()
  }

  /** The clusters that an object follows others into, sorted: the union of where its leaders are, by themselves or by following. */
  followed(name: ObjectName): ReadonlyArray<string> {
    const reached = this.#reachedBy(name)
    const found = new Set<string>()
    for (const leader of this.leaders(name)) {
      for (const cluster of this.#passed(leader, name, reached.get(leader))) found.add(cluster)
    }
    return [...found].sort()
  }

  /** Where every ancestor of an object is: the least answer that holds for all of them. */
  #reachedBy(name: ObjectName): ReadonlyMap<ObjectName, ReadonlySet<string>> {
    const reached = new Map<ObjectName, Set<string>>()
    const found = [name]
    for (const one of found) {
      if (reached.has(one)) continue
      reached.set(one, new Set(this.#nodes.get(one)?.own))
      found.push(...this.leaders(one))
    }
    for (let changed = true; changed;) {
      changed = false
      for (const [one, clusters] of reached) {
        const size = clusters.size
        for (const leader of this.leaders(one)) {
          for (const cluster of this.#passed(leader, one, reached.get(leader))) clusters.add(cluster)
        }
        if (clusters.size > size) changed = true
      }
    }
    return reached
  }

  /** Those of a leader's clusters in which it needs the follower. */
  #passed(leader: ObjectName, follower: ObjectName, clusters: ReadonlySet<string> | undefined): ReadonlyArray<string> {
    if (clusters === undefined || clusters.size === 0) return []
    const needs = this.#nodes.get(leader)?.needs.filter(({ object }) => object === follower) ?? []
    if (needs.some((need) => need.clusters === undefined)) return [...clusters]
    return [...clusters].filter((cluster) => needs.some((need) => need.clusters?.has(cluster) === true))
  }

  #below(name: ObjectName): Set<ObjectName> {
    const found = new Set<ObjectName>()
    const next = [name]
    for (const one of next) {
      for (const { object } of this.#nodes.get(one)?.needs ?? []) {
        if (found.has(object)) continue
        found.add(object)
        next.push(object)
      }
    }
    return found
  }

  #unlink(name: ObjectName): void {
    for (const { object } of this.#nodes.get(name)?.needs ?? []) {
      const leaders = this.#leaders.get(object)
      leaders?.delete(name)
      if (leaders?.size === 0) this.#leaders.delete(object)
    }
  }
}

// The member clusters at one moment, in the order of their names, with what every decision about them has in common.
// Owns that order and the memory of what was worked out for these clusters alone; refuses to change: news make another fleet.
import type { Amounts, MemberCluster } from "../api/FederatedCluster.ts"
import { textHash } from "../planner/StableHash.ts"

/** Things that are remembered; all are forgotten when there are more. */
const MEMORY_MAX = 8192

/** All joined clusters. */
export class Fleet {
  readonly clusters: ReadonlyArray<MemberCluster>
  readonly #at: ReadonlyMap<string, number>
  /** A number for each cluster that its name alone decides: what ties are broken by. */
  readonly hashes: Int32Array
  readonly #memory: Map<unknown, Map<unknown, unknown>>
  #remembered = 0

  private constructor(clusters: ReadonlyArray<MemberCluster>, same?: Fleet) {
    this.clusters = clusters
    this.hashes = same?.hashes ?? Int32Array.from(clusters, ({ name }) => textHash(name))
    this.#at = same === undefined ? new Map(clusters.map(({ name }, at) => [name, at])) : same.#at
    // What was worked out for a word and not for an object of policies has nothing to do with room.
    this.#memory = new Map(same === undefined ? [] : Array.from(same.#memory).filter(([subject]) => isWord(subject)))
  }

  /** The clusters that have joined; the others do not count. */
  static of(members: Iterable<MemberCluster>): Fleet {
    const joined = Array.from(members).filter(({ joined }) => joined)
    return new Fleet(joined.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)))
  }

  /** The same clusters with other room. */
  withRoom(available: (cluster: MemberCluster) => Amounts): Fleet {
    return this.renewed((cluster) => {
      const room = available(cluster)
      return room === cluster.available ? cluster : { ...cluster, available: room }
    })
  }

  /** The same clusters as they are now, where nothing but their room is another one. */
  renewed(now: (cluster: MemberCluster) => MemberCluster): Fleet {
    return new Fleet(this.clusters.map(now), this)
  }

  get size(): number {
    return this.clusters.length
  }

  /** Where a cluster stands; undefined when it is not among them. */
  indexOf(name: string): number | undefined {
    return this.#at.get(name)
  }

  cluster(name: string): MemberCluster | undefined {
    const at = this.#at.get(name)
    return at === undefined ? undefined : this.clusters[at]
  }

  /** What was worked out for a subject and a key, or is now. */
  remember<A>(subject: unknown, key: unknown, make: () => A): A {
    const found = this.#memory.get(subject)
    // SAFETY: a subject and a key stand for one kind of value.
    if (found?.has(key) === true) return found.get(key) as A
    if (this.#remembered >= MEMORY_MAX) {
      this.#memory.clear()
      this.#remembered = 0
    }
    const made = make()
    const known = this.#memory.get(subject) ?? new Map<unknown, unknown>()
    this.#memory.set(subject, known.set(key, made))
    this.#remembered++
    return made
  }
}

const isWord = (subject: unknown): boolean => typeof subject === "string" || typeof subject === "symbol"

/** Whether a cluster is the same for every decision but those about room. */
export const isSameButForRoom = (before: MemberCluster, after: MemberCluster): boolean =>
  before === after ||
  (before.name === after.name &&
    before.uid === after.uid &&
    before.joined === after.joined &&
    before.joinedMs === after.joinedMs &&
    before.ready === after.ready &&
    before.terminating === after.terminating &&
    JSON.stringify([before.labels, before.taints, [...(before.types ?? [])]]) ===
      JSON.stringify([after.labels, after.taints, [...(after.types ?? [])]]))

/** Whether two fleets are the same for every decision but those about room, which alone moves nothing. */
export const isSameFleet = (a: Fleet, b: Fleet): boolean =>
  a.size === b.size &&
  a.clusters.every((before, at) => {
    const after = b.clusters[at]
    return after !== undefined && isSameButForRoom(before, after)
  })

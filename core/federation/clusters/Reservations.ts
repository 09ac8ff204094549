// Room that placements have taken and that members do not show yet: what a member last told of its room is up to a minute old, and many
// objects are placed within that time.
// Owns these amounts until the member's pods are there and its room was told anew, or for EXPIRES_MS; refuses to judge whether anything
// fits. Bound: ENTRIES_MAX, one for each object and cluster; the oldest go.
import type { Amounts } from "../api/FederatedCluster.ts"
import type { Placement } from "../scheduling/Outcome.ts"
import type { SchedulingUnit } from "../scheduling/SchedulingUnit.ts"

/** What a new placement takes in one cluster. */
export interface Taken {
  readonly cluster: string
  /** Replicas that were not there before. */
  readonly more: number
  /** Replicas in all. */
  readonly total: number
}

/** What a placement takes beyond the one before; `more` is not positive where it gives room back. */
export const takenBy = (unit: SchedulingUnit, previous: Placement, next: Placement): ReadonlyArray<Taken> => {
  if (unit.request.size === 0) return []
  const whole = unit.replicas ?? 1
  const inPlacement = ({ clusters }: Placement, cluster: string): number =>
    clusters.has(cluster) ? (clusters.get(cluster) ?? whole) : 0
  const found: Array<Taken> = []
  for (const cluster of new Set([...previous.clusters.keys(), ...next.clusters.keys()])) {
    const total = inPlacement(next, cluster)
    found.push({ cluster, more: total - inPlacement(previous, cluster), total })
  }
  return found
}

interface Held {
  readonly request: Amounts
  readonly replicas: number
  readonly atMs: number
  /** Whether the member has the pods. */
  readonly isThere: () => boolean
}

const ENTRIES_MAX = 65_536
const EXPIRES_MS = 300_000

/** Amounts that change. */
type Sums = Map<string, number>

export class Reservations {
  readonly #held = new Map<string, Map<string, Held>>()
  readonly #sums = new Map<string, Sums>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Whether anything is held in a cluster. */
  has(cluster: string): boolean {
    return this.#held.has(cluster)
  }

  /** What is taken of a cluster's room; undefined: nothing. */
  taken(cluster: string): Amounts | undefined {
    return this.#sums.get(cluster)
  }

  /** Holds room for replicas that an object has newly got in a cluster, beside what is held for it there already. */
  hold(key: string, cluster: string, held: Held): void {
    const before = this.#held.get(cluster)?.get(key)
    this.release(key, cluster)
    let known = this.#held.get(cluster)
    if (known === undefined) this.#held.set(cluster, (known = new Map()))
    const replicas = held.replicas + (before?.replicas ?? 0)
    known.set(key, { ...held, replicas })
    this.#add(cluster, held.request, replicas)
    this.#size++
    if (this.#size > ENTRIES_MAX) this.#dropOldest()
  }

  /** Gives the room of one object in a cluster back. */
  release(key: string, cluster: string): void {
    const known = this.#held.get(cluster)
    const held = known?.get(key)
    if (known === undefined || held === undefined) return
    known.delete(key)
    this.#size--
    this.#add(cluster, held.request, -held.replicas)
    if (known.size > 0) return
    this.#held.delete(cluster)
    // Sums of none are none, whatever rounding has left.
    this.#sums.delete(cluster)
  }

  /** Gives everything of an object back. */
  forget(key: string): void {
    for (const cluster of Array.from(this.#held.keys())) this.release(key, cluster)
  }

  /** A cluster has told its room anew: what is there by now is part of that. */
  settle(cluster: string): void {
    for (const [key, { isThere }] of Array.from(this.#held.get(cluster) ?? []))
      if (isThere()) this.release(key, cluster)
  }

  /** Gives back what was held for too long; answers whether there was any. */
  expire(nowMs: number): boolean {
    const before = this.#size
    for (const [cluster, known] of Array.from(this.#held)) {
      for (const [key, { atMs }] of Array.from(known)) {
        if (nowMs - atMs < EXPIRES_MS) break
        this.release(key, cluster)
      }
    }
    return this.#size < before
  }

  #add(cluster: string, request: Amounts, replicas: number): void {
    let sums = this.#sums.get(cluster)
    if (sums === undefined) this.#sums.set(cluster, (sums = new Map()))
    for (const [name, amount] of request) sums.set(name, (sums.get(name) ?? 0) + amount * replicas)
  }

  #dropOldest(): void {
    let oldest: readonly [key: string, cluster: string, atMs: number] | undefined
    for (const [cluster, known] of this.#held) {
      const [first] = known
      if (first !== undefined && (oldest === undefined || first[1].atMs < oldest[2]))
        oldest = [first[0], cluster, first[1].atMs]
    }
    if (oldest !== undefined) this.release(oldest[0], oldest[1])
  }
}

// Which of several processes handles an object: consistent hashing, so that one more process takes over its share and moves nothing else.
// Owns the ring; refuses to know which processes live, which their leases tell: a shard without a leader waits for one.
import { textHash } from "../planner/StableHash.ts"

/** Points of each shard on the ring: shares differ by a few percent. */
const POINTS = 128

/** A share of the objects: number `index` of `count`. */
export interface Shard {
  readonly index: number
  readonly count: number
}

/** All objects. */
export const wholeShard: Shard = { index: 0, count: 1 }

export class HashRing {
  readonly #points: Uint32Array
  readonly #owners: Uint32Array

  constructor(count: number) {
    const points: Array<readonly [number, number]> = []
    for (let shard = 0; shard < count; shard++) {
      for (let at = 0; at < POINTS; at++) points.push([textHash(`shard-${shard}/${at}`) >>> 0, shard])
    }
    points.sort(([a, one], [b, other]) => a - b || one - other)
    this.#points = Uint32Array.from(points, ([point]) => point)
    this.#owners = Uint32Array.from(points, ([, shard]) => shard)
  }

  /** The shard of a key. */
  owner(key: string): number {
    const hash = textHash(key) >>> 0
    let [low, high] = [0, this.#points.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#points[middle] < hash) low = middle + 1
      else high = middle
    }
    return this.#owners[low === this.#points.length ? 0 : low]
  }
}

/** Whether a shard has an object; undefined: it has all. */
export const ownership = ({ count, index }: Shard): ((key: string) => boolean) | undefined => {
  if (count === 1) return undefined
  const ring = new HashRing(count)
  return (key) => ring.owner(key) === index
}

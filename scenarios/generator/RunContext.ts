// What all loads of one run share: the newest revision seen, the key spaces, the leases granted, and the
// times of acknowledged writes. Owns that state; nothing here sends or decides.
import type { KeySpace } from "../Operation.ts"
import { mix32, hashName } from "../Randomness.ts"
import { WriteTimes } from "./Delivery.ts"
import { KeyPool } from "./KeyPool.ts"
import { PhaseClock } from "./PhaseClock.ts"

const leasesMax = 1_000_000

/** A key space with its place in the account of writes. */
export interface Space {
  readonly index: number
  readonly pool: KeyPool
}

/** Shared state of a run. */
export class RunContext extends PhaseClock {
  readonly times = new WriteTimes()
  /** Lease ids as varint bytes, in the order they were granted. At most a million are kept. */
  readonly leases: Array<Uint8Array> = []
  /** The newest revision any answer carried. */
  revision = 0
  readonly #spaces: ReadonlyMap<string, Space>
  readonly #first: Space

  constructor(seed: number, spaces: ReadonlyArray<KeySpace>) {
    super(seed)
    const made = spaces.map((space, index): readonly [string, Space] => [
      space.name,
      { index, pool: new KeyPool({ ...space, seed: mix32(seed, hashName(space.name)) }) }
    ])
    this.#spaces = new Map(made)
    this.#first = made[0][1]
  }

  /** The key space of that name, or the only one. */
  space(name: string | undefined): Space {
    return (name === undefined ? undefined : this.#spaces.get(name)) ?? this.#first
  }

  see(revision: number): void {
    if (revision > this.revision) this.revision = revision
  }

  keepLease(id: Uint8Array): void {
    if (this.leases.length < leasesMax) this.leases.push(id)
  }
}

// What all loads of one run share: the clock, the newest revision seen, the key spaces, the leases granted, and the
// times of acknowledged writes. Owns that state; nothing here sends or decides.
import type { KeySpace } from "../Operation.ts"
import { mix32, hashName } from "../Randomness.ts"
import { WriteTimes } from "./Delivery.ts"
import { KeyPool } from "./KeyPool.ts"

const leasesMax = 1_000_000

/** A key space with its place in the account of writes. */
export interface Space {
  readonly index: number
  readonly pool: KeyPool
}

/** Shared state of a run. */
export class RunContext {
  readonly seed: number
  readonly times = new WriteTimes()
  /** Lease ids as varint bytes, in the order they were granted. At most a million are kept. */
  readonly leases: Array<Uint8Array> = []
  /** Moment of the current event in ms, taken once per answer. */
  now = performance.now()
  /** The newest revision any answer carried. */
  revision = 0
  /** The longest time in ms in which nothing ended although something was in flight, and when it ended. */
  pauseMs = 0
  pauseEndedAt = 0
  /** Broken promises seen in answers, by rule. */
  readonly violations = new Map<string, number>()
  readonly #spaces: ReadonlyMap<string, Space>
  readonly #first: Space
  #lastCompletion = 0

  constructor(seed: number, spaces: ReadonlyArray<KeySpace>) {
    this.seed = seed
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

  tick(): void {
    this.now = performance.now()
  }

  see(revision: number): void {
    if (revision > this.revision) this.revision = revision
  }

  keepLease(id: Uint8Array): void {
    if (this.leases.length < leasesMax) this.leases.push(id)
  }

  /** Something that was sent at `sentAt` has ended now. */
  completed(sentAt: number): void {
    const quiet = this.now - Math.max(this.#lastCompletion, sentAt)
    if (quiet > this.pauseMs) {
      this.pauseMs = quiet
      this.pauseEndedAt = this.now
    }
    this.#lastCompletion = this.now
  }

  violated(rule: string): void {
    this.violations.set(rule, (this.violations.get(rule) ?? 0) + 1)
  }

  /** Forgets what is counted per phase. */
  startPhase(): void {
    this.tick()
    this.pauseMs = 0
    this.pauseEndedAt = this.now
    this.#lastCompletion = this.now
    this.violations.clear()
  }
}

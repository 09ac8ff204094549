// Which region holds a key and where its leader stands, remembered from PD and corrected by what stores answer.
// Owns the sorted list of regions and the stores' addresses, both bounded; refuses to send requests (RegionClient.ts).
// A wrong entry costs one refused request, so entries are dropped at the first doubt and never trusted over a store's word.
import { Effect, Semaphore } from "effect"
import { compareBytes } from "../engine/Engine.ts"
import type { Backoff } from "./Backoff.ts"
import { decodeKey } from "./Memcomparable.ts"
import type { LedRegion, PdClient } from "./PdClient.ts"
import type { Peer, Region } from "./PdMessages.ts"
import { ProtocolBroken, type PdUnavailable, type RegionUnavailable } from "./TikvError.ts"
import type { Int64 } from "#net"

/** Regions remembered: with 96 MiB a region, some ten terabytes. Beyond, all are forgotten and asked for anew. */
const REGIONS_MAX = 100_000
const STORES_MAX = 10_000
/** Regions in one answer of PD's. */
const SCAN_LIMIT = 256

/** A region as this client knows it; a change makes a new one. */
export interface RegionRef {
  readonly region: Region
  readonly start: Buffer
  /** Exclusive; undefined: the end of all keys. */
  readonly end: Buffer | undefined
  readonly leader: Peer
}

type LocateError = PdUnavailable | RegionUnavailable | ProtocolBroken

const borderOf = (encoded: Uint8Array): Buffer | undefined => (encoded.length === 0 ? EMPTY : decodeKey(encoded))
const EMPTY = Buffer.alloc(0)
const LEARNER = 1

/** A region as PD or a store gives it; without a leader the first copy that may lead is tried. */
const refOf = ({ leader, region }: LedRegion): RegionRef | undefined => {
  const start = borderOf(region.startKey)
  const end = borderOf(region.endKey)
  const tried = leader ?? region.peers.find(({ role }) => role !== LEARNER)
  if (start === undefined || end === undefined || tried === undefined || region.epoch === undefined) return undefined
  return { region, start, end: end.length === 0 ? undefined : end, leader: tried }
}

export const holds = ({ end, start }: RegionRef, key: Uint8Array): boolean =>
  compareBytes(start, key) <= 0 && (end === undefined || compareBytes(key, end) < 0)

export class RegionCache {
  private readonly pd: PdClient
  private readonly loading = Semaphore.makeUnsafe(1)
  /** Sorted by start; they may leave gaps and never overlap. */
  private refs: Array<RegionRef> = []
  private readonly addresses = new Map<Int64, string>()
  readonly stats = { hits: 0, loads: 0 }

  constructor(pd: PdClient) {
    this.pd = pd
  }

  get size(): number {
    return this.refs.length
  }

  /** The region that holds a key. */
  locate(key: Uint8Array, backoff: Backoff): Effect.Effect<RegionRef, LocateError> {
    return Effect.suspend(() => {
      const known = this.find(key)
      if (known === undefined) return this.load(key, undefined, backoff)
      this.stats.hits++
      return Effect.succeed(known)
    })
  }

  /** The region that holds the keys just below one (undefined: the last region): where a scan in reverse begins. */
  locateBelow(key: Uint8Array | undefined, backoff: Backoff): Effect.Effect<RegionRef, LocateError> {
    return Effect.gen({ self: this }, function* () {
      const known = this.findBelow(key)
      if (known !== undefined) return known
      for (;;) {
        const led = yield* key === undefined
          ? this.pd.getRegion(LAST_KEY, backoff)
          : this.belowOf(yield* this.locate(key, backoff), key, backoff)
        const ref = led && refOf(led)
        if (ref !== undefined) {
          this.put(ref)
          if (isBelow(ref, key)) return ref
        }
        yield* backoff.wait("region-moved", "the placement driver knows no region below the key")
      }
    })
  }

  /** A key inside a region lies above that region's own keys; at its start, the one before is meant. */
  private belowOf(ref: RegionRef, key: Uint8Array, backoff: Backoff) {
    return compareBytes(ref.start, key) === 0
      ? this.pd.getPrevRegion(key, backoff)
      : Effect.succeed<LedRegion>({ region: ref.region, leader: ref.leader })
  }

  /** [start, end) cut where regions meet, in order. What was cut may have moved meanwhile, but the pieces never overlap. */
  cut(
    start: Uint8Array,
    end: Uint8Array,
    backoff: Backoff
  ): Effect.Effect<ReadonlyArray<{ readonly start: Uint8Array; readonly end: Uint8Array }>, LocateError> {
    return Effect.gen({ self: this }, function* () {
      const pieces: Array<{ readonly start: Uint8Array; readonly end: Uint8Array }> = []
      for (let from = start; compareBytes(from, end) < 0;) {
        const ref = this.find(from) ?? (yield* this.load(from, end, backoff))
        const to = ref.end === undefined || compareBytes(ref.end, end) > 0 ? end : ref.end
        pieces.push({ start: from, end: to })
        from = to
      }
      return pieces
    })
  }

  /** Keys by region, in the order of the keys' first region met. */
  group<A>(
    items: ReadonlyArray<A>,
    keyOf: (item: A) => Uint8Array,
    backoff: Backoff
  ): Effect.Effect<ReadonlyArray<{ readonly ref: RegionRef; readonly items: ReadonlyArray<A> }>, LocateError> {
    return Effect.gen({ self: this }, function* () {
      const groups = new Map<RegionRef, Array<A>>()
      let ref: RegionRef | undefined
      for (const item of items) {
        const key = keyOf(item)
        if (ref === undefined || !holds(ref, key)) ref = this.find(key) ?? (yield* this.load(key, undefined, backoff))
        const group = groups.get(ref)
        if (group === undefined) groups.set(ref, [item])
        else group.push(item)
      }
      return [...groups].map(([of, members]) => ({ ref: of, items: members }))
    })
  }

  /** The same from memory alone; undefined when some key's region is not known. */
  groupKnown<A>(
    items: ReadonlyArray<A>,
    keyOf: (item: A) => Uint8Array
  ): ReadonlyMap<RegionRef, ReadonlyArray<A>> | undefined {
    const groups = new Map<RegionRef, Array<A>>()
    let ref: RegionRef | undefined
    let group: Array<A> = []
    for (const item of items) {
      const key = keyOf(item)
      if (ref === undefined || !holds(ref, key)) {
        ref = this.find(key)
        if (ref === undefined) return undefined
        group = groups.get(ref) ?? []
        groups.set(ref, group)
      }
      group.push(item)
    }
    return groups
  }

  /** Where regions begin inside (start, end), as far as known. */
  bordersWithin(start: Uint8Array, end: Uint8Array): ReadonlyArray<Buffer> {
    return this.refs
      .map((ref) => ref.start)
      .filter((border) => compareBytes(start, border) < 0 && compareBytes(border, end) < 0)
  }

  /** The address of a region's leader, if it is known. */
  knownAddress({ leader }: RegionRef): string | undefined {
    return this.addresses.get(leader.storeId)
  }

  /** The address of a region's leader. */
  leaderAddress({ leader }: RegionRef, backoff: Backoff): Effect.Effect<string | undefined, PdUnavailable> {
    const known = this.addresses.get(leader.storeId)
    if (known !== undefined) return Effect.succeed(known)
    return Effect.map(this.pd.getStoreAddress(leader.storeId, backoff), (address) => {
      if (this.addresses.size >= STORES_MAX) this.addresses.clear()
      if (address !== undefined) this.addresses.set(leader.storeId, address)
      return address
    })
  }

  /** The region is not as this client knew it: it is asked for anew. */
  drop(ref: RegionRef): void {
    const at = this.indexOf(ref.start)
    if (this.refs[at] === ref) this.refs.splice(at, 1)
  }

  /** The store did not answer: it may have moved, and other copies may lead. */
  dropStore(ref: RegionRef): void {
    this.addresses.delete(ref.leader.storeId)
    this.drop(ref)
  }

  /** A store said who leads now. */
  lead(ref: RegionRef, leader: Peer): RegionRef {
    const changed = { ...ref, leader }
    const at = this.indexOf(ref.start)
    if (this.refs[at] === ref) this.refs[at] = changed
    return changed
  }

  /** A store said which regions stand where one stood; its leader leads them as far as it has a copy. */
  replace(ref: RegionRef, regions: ReadonlyArray<Region>): void {
    this.drop(ref)
    for (const region of regions) {
      const leader = region.peers.find(({ storeId }) => storeId === ref.leader.storeId)
      const changed = refOf({ region, leader })
      if (changed !== undefined) this.put(changed)
    }
  }

  private load(key: Uint8Array, end: Uint8Array | undefined, backoff: Backoff): Effect.Effect<RegionRef, LocateError> {
    return Effect.gen({ self: this }, function* () {
      for (;;) {
        const known = this.find(key)
        if (known !== undefined) return known
        this.stats.loads++
        const led = yield* end === undefined
          ? Effect.map(this.pd.getRegion(key, backoff), (one) => (one === undefined ? [] : [one]))
          : this.pd.scanRegions(key, end, SCAN_LIMIT, backoff)
        for (const one of led) {
          const ref = refOf(one)
          if (ref === undefined) {
            return yield* new ProtocolBroken({
              path: "pdpb.PD/GetRegion",
              rule: "a region has borders, an epoch and copies"
            })
          }
          this.put(ref)
        }
        if (this.find(key) === undefined) {
          yield* backoff.wait("region-moved", "the placement driver knows no region for the key")
        }
      }
    }).pipe(this.loading.withPermits(1))
  }

  private put(ref: RegionRef): void {
    if (this.refs.length >= REGIONS_MAX) this.refs = []
    let from = this.indexOf(ref.start)
    const before = this.refs[from - 1]
    if (before !== undefined && (before.end === undefined || compareBytes(before.end, ref.start) > 0)) from--
    let to = from
    while (to < this.refs.length && (ref.end === undefined || compareBytes(this.refs[to].start, ref.end) < 0)) to++
    this.refs.splice(from, to - from, ref)
  }

  /** Where a region that starts at a key stands, or would. */
  private indexOf(start: Uint8Array): number {
    let low = 0
    let high = this.refs.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (compareBytes(this.refs[middle].start, start) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  private find(key: Uint8Array): RegionRef | undefined {
    const at = this.indexOf(key)
    const exact = this.refs[at]
    if (exact !== undefined && holds(exact, key)) return exact
    const before = this.refs[at - 1]
    return before !== undefined && holds(before, key) ? before : undefined
  }

  private findBelow(key: Uint8Array | undefined): RegionRef | undefined {
    const ref = key === undefined ? this.refs.at(-1) : this.refs[this.indexOf(key) - 1]
    return ref !== undefined && isBelow(ref, key) ? ref : undefined
  }
}

/** Above every key that this client writes. */
const LAST_KEY = Buffer.from([0xff, 0xff, 0xff, 0xff])

const isBelow = ({ end, start }: RegionRef, key: Uint8Array | undefined): boolean =>
  key === undefined
    ? end === undefined
    : compareBytes(start, key) < 0 && (end === undefined || compareBytes(key, end) <= 0)

// A plain two-phase commit that nothing stands in the way of: every region known, every answer plain. No fiber, no patience.
// Owns that straight way alone; refuses to deal with anything else: it says how far it came, and TransactionCommit.ts goes on from
// there. Prewrites and commits of one transaction may be sent again, so nothing that was sent here is lost or done twice.
import type { RegionRef } from "./RegionCache.ts"
import type { RegionClient } from "./RegionClient.ts"
import { StoreMethods } from "./TikvMessages.ts"
import type { TimestampOracle } from "./TimestampOracle.ts"
import type { Timestamp } from "./Timestamp.ts"
import { LOCK_TTL_MS, type Mutation, REQUEST_MAX_BYTES, REQUESTS_MAX, sizeOf } from "./Mutation.ts"

/** How far it came before something stood in the way. */
export interface Unfinished {
  readonly kind: "unfinished"
  /** The timestamp that was chosen; undefined when the rows are perhaps not all in place. */
  readonly commitTs: Timestamp | undefined
  /** Whether the commit's request may have been carried out without an answer. */
  readonly lost: boolean
}

export type PlainOutcome =
  | Unfinished
  | {
      readonly kind: "committed"
      readonly commitTs: Timestamp
      /** Mutations whose locks are still to be turned into rows. */
      readonly left: ReadonlyArray<Mutation>
    }

export interface PlainHooks {
  /** Runs beside the prewrite; says whether the expected rows are so. */
  readonly verify: (told: (isSame: boolean) => void) => void
  /** The commit is about to ask for its timestamp. */
  readonly asks: () => void
  /** Told of that timestamp before the primary key is. */
  readonly chose: (commitTs: Timestamp) => void
}

type Groups = ReadonlyMap<RegionRef, ReadonlyArray<Mutation>>

const inTheWay: Unfinished = { kind: "unfinished", commitTs: undefined, lost: false }

export class PlainCommit {
  private readonly client: RegionClient
  private readonly oracle: TimestampOracle

  constructor(client: RegionClient, oracle: TimestampOracle) {
    this.client = client
    this.oracle = oracle
  }

  /** Commits mutations, the first of which is the primary, as of `startTs`; tells how far it came. */
  commit(
    startTs: Timestamp,
    mutations: ReadonlyArray<Mutation>,
    hooks: PlainHooks,
    told: (outcome: PlainOutcome) => void
  ): void {
    const groups = this.client.regions.groupKnown(mutations, ({ key }) => key)
    if (groups === undefined || groups.size > REQUESTS_MAX || [...groups.values()].some(isLarge)) return told(inTheWay)
    let left = groups.size + 1
    let isPlain = true
    const part = (isDone: boolean): void => {
      isPlain &&= isDone
      if (--left > 0) return
      if (isPlain) this.commitPrimary(startTs, mutations, groups, hooks, told)
      else told(inTheWay)
    }
    const primaryLock = mutations[0].key
    for (const [ref, group] of groups) {
      const fields = {
        mutations: group,
        primaryLock,
        startVersion: startTs,
        lockTtl: LOCK_TTL_MS,
        txnSize: group.length
      }
      this.client.trySend(ref, StoreMethods.prewrite, fields, {}, (answer) => part(answer?.errors.length === 0))
    }
    hooks.verify(part)
  }

  private commitPrimary(
    startTs: Timestamp,
    mutations: ReadonlyArray<Mutation>,
    groups: Groups,
    { asks, chose }: PlainHooks,
    told: (outcome: PlainOutcome) => void
  ): void {
    // What lies beside the primary in its region is committed with it.
    const [[ref, beside]] = groups
    asks()
    this.oracle.ask((failure, commitTs) => {
      if (failure !== undefined) return told(inTheWay)
      chose(commitTs)
      const fields = { startVersion: startTs, keys: beside.map(({ key }) => key), commitVersion: commitTs }
      this.client.trySend(ref, StoreMethods.commit, fields, {}, (answer, lost) => {
        if (answer === undefined || answer.error !== undefined) return told({ kind: "unfinished", commitTs, lost })
        const left = groups.size === 1 ? [] : mutations.filter((mutation) => !beside.includes(mutation))
        told({ kind: "committed", commitTs, left })
      })
    })
  }
}

const isLarge = (group: ReadonlyArray<Mutation>): boolean => {
  let bytes = 0
  for (const mutation of group) bytes += sizeOf(mutation)
  return bytes > REQUEST_MAX_BYTES
}

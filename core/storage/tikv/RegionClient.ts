// Requests to regions: sent to the leader's store, and sent again as far as a region's own answer says how.
// Owns what each region error calls for; refuses errors of keys (locks, conflicts), which are the caller's to read.
// When a region is not what this client took it for, the request is handed back as RegionMoved: its keys are grouped anew.
import { Effect, Schema } from "effect"
import { ProtoError, type Int64 } from "#net"
import type { Backoff } from "./Backoff.ts"
import type { RegionCache, RegionRef } from "./RegionCache.ts"
import type { RegionError, StoreMethod } from "./TikvMessages.ts"
import { ProtocolBroken, type PdUnavailable, RegionUnavailable, type RpcFailed } from "./TikvError.ts"
import { type Transport, unary } from "./Transport.ts"

const CALL_TIMEOUT_MS = 10_000

/** The region is another than the request was made for; the caller locates its keys again. */
export class RegionMoved extends Schema.TaggedError<RegionMoved>()("RegionMoved", {}) {}

const moved = Effect.fail(new RegionMoved())

export type SendError = PdUnavailable | RegionUnavailable | ProtocolBroken

/** Whatever is answered, it can say that the region did not take the request. */
interface Answered {
  readonly regionError: RegionError | undefined
}

export interface SendOptions {
  /** Locks that a read looks through: of transactions committed later, or rolled back. */
  readonly resolvedLocks?: ReadonlyArray<Int64>
  /** Locks whose values a read takes as committed. */
  readonly committedLocks?: ReadonlyArray<Int64>
  /** Called when a request may have been carried out without an answer. */
  readonly lost?: (failure: RpcFailed) => void
}

const noOptions: SendOptions = {}

/** Region errors after which the same request goes to the same region again, and what to wait for. */
const patient = [
  ["staleCommand", "stale-command"],
  ["maxTimestampNotSynced", "not-ready"],
  ["readIndexNotReady", "not-ready"],
  ["proposalInMergingMode", "not-ready"],
  ["dataIsNotReady", "not-ready"],
  ["regionNotInitialized", "not-ready"],
  ["recoveryInProgress", "not-ready"],
  ["flashbackInProgress", "not-ready"],
  ["diskFull", "disk-full"]
] as const

export class RegionClient {
  readonly regions: RegionCache
  private readonly transport: Transport
  /** Requests by method, region errors by kind, and calls that got no answer. */
  readonly stats = { requests: new Map<string, number>(), regionErrors: new Map<string, number>(), failures: 0 }

  constructor(transport: Transport, regions: RegionCache) {
    this.transport = transport
    this.regions = regions
  }

  /** Sends a request that belongs to one key, wherever that key's region is by now. */
  sendToKey<Request extends object, Response extends Answered>(
    key: Uint8Array,
    method: StoreMethod<Request, Response>,
    fields: Partial<Request>,
    backoff: Backoff,
    options = noOptions
  ): Effect.Effect<Response, SendError> {
    return Effect.gen({ self: this }, function* () {
      for (;;) {
        const ref = yield* this.regions.locate(key, backoff)
        const answer = yield* Effect.result(this.send(ref, method, fields, backoff, options))
        if (answer._tag === "Success") return answer.success
        if (answer.failure._tag !== "RegionMoved") return yield* answer.failure
      }
    })
  }

  /** Sends a request to a region until it takes it; RegionMoved when the region is another by now. */
  send<Request extends object, Response extends Answered>(
    ref: RegionRef,
    method: StoreMethod<Request, Response>,
    fields: Partial<Request>,
    backoff: Backoff,
    options = noOptions
  ): Effect.Effect<Response, SendError | RegionMoved> {
    return Effect.gen({ self: this }, function* () {
      let current = ref
      for (;;) {
        const answer = yield* this.sendOnce(current, method, fields, backoff, options)
        if (answer.regionError === undefined) return answer
        current = yield* this.heed(current, answer.regionError, backoff)
      }
    })
  }

  /**
   * Sends a request once, with what is known; undefined is told when anything but a plain answer came, with whether the request may have
   * been carried out all the same. Whoever asked then sends it the patient way, which learns what is wrong: this is for requests that
   * may be repeated.
   */
  trySend<Request extends object, Response extends Answered>(
    ref: RegionRef,
    { path, request, response }: StoreMethod<Request, Response>,
    fields: Partial<Request>,
    { committedLocks, resolvedLocks }: SendOptions,
    told: (answer: Response | undefined, lost: boolean) => void
  ): void {
    const address = this.regions.knownAddress(ref)
    if (address === undefined) return told(undefined, false)
    count(this.stats.requests, path)
    const bytes = request.encode({ ...fields, context: contextOf(ref, resolvedLocks, committedLocks) })
    this.transport.call(address, path, bytes, CALL_TIMEOUT_MS, (failure, answer) =>
      told(failure === undefined ? plain(answer, response) : undefined, failure !== undefined)
    )
  }

  private sendOnce<Request extends object, Response extends Answered>(
    ref: RegionRef,
    { path, request, response }: StoreMethod<Request, Response>,
    fields: Partial<Request>,
    backoff: Backoff,
    { committedLocks, lost, resolvedLocks }: SendOptions
  ): Effect.Effect<Response, SendError | RegionMoved> {
    return Effect.gen({ self: this }, function* () {
      const address = yield* this.regions.leaderAddress(ref, backoff)
      if (address === undefined) return yield* this.leave(ref, backoff, `store ${ref.leader.storeId} is gone`)
      count(this.stats.requests, path)
      const context = contextOf(ref, resolvedLocks, committedLocks)
      const answer = yield* Effect.result(
        unary(this.transport, address, path, request.encode({ ...fields, context }), CALL_TIMEOUT_MS)
      )
      if (answer._tag === "Success") return yield* decoded(path, () => response.decode(answer.success))
      this.stats.failures++
      lost?.(answer.failure)
      this.regions.dropStore(ref)
      yield* backoff.wait("call-failed", answer.failure.message)
      return yield* moved
    })
  }

  /** Does as a region's refusal says; the region to ask again, if it is the same one. */
  private heed(
    ref: RegionRef,
    error: RegionError,
    backoff: Backoff
  ): Effect.Effect<RegionRef, RegionUnavailable | RegionMoved> {
    return Effect.gen({ self: this }, function* () {
      count(this.stats.regionErrors, kindOf(error))
      const { epochNotMatch, message, notLeader, raftEntryTooLarge, serverIsBusy } = error
      if (notLeader?.leader !== undefined) {
        yield* backoff.wait("not-leader", message)
        return this.regions.lead(ref, notLeader.leader)
      }
      if (serverIsBusy !== undefined) {
        yield* backoff.wait("server-busy", serverIsBusy.reason, { atLeastMs: Number(serverIsBusy.backoffMs) })
        return ref
      }
      if (raftEntryTooLarge !== undefined) {
        return yield* new RegionUnavailable({ kind: "entry-too-large", detail: message, waitedMs: 0 })
      }
      const known = patient.find(([name]) => error[name] !== undefined)
      if (known !== undefined) {
        yield* backoff.wait(known[1], message)
        return ref
      }
      if (epochNotMatch !== undefined && epochNotMatch.currentRegions.length > 0) {
        this.regions.replace(ref, epochNotMatch.currentRegions)
        yield* backoff.wait("region-moved", message)
        return yield* moved
      }
      if (error.storeNotMatch !== undefined) this.regions.dropStore(ref)
      return yield* this.leave(ref, backoff, message)
    })
  }

  private leave(
    ref: RegionRef,
    backoff: Backoff,
    detail: string
  ): Effect.Effect<never, RegionUnavailable | RegionMoved> {
    this.regions.drop(ref)
    return Effect.andThen(backoff.wait("region-moved", detail), moved)
  }
}

const contextOf = (
  ref: RegionRef,
  resolvedLocks: SendOptions["resolvedLocks"],
  committedLocks: SendOptions["committedLocks"]
) => ({
  regionId: ref.region.id,
  regionEpoch: ref.region.epoch,
  peer: ref.leader,
  resolvedLocks: resolvedLocks ?? NO_LOCKS,
  committedLocks: committedLocks ?? NO_LOCKS
})

const NO_LOCKS: ReadonlyArray<Int64> = []

/** An answer that no region refused; undefined for any other. */
const plain = <Response extends Answered>(bytes: Uint8Array, codec: { decode(bytes: Uint8Array): Response }) => {
  try {
    const answer = codec.decode(bytes)
    return answer.regionError === undefined ? answer : undefined
  } catch (thrown) {
    if (thrown instanceof ProtoError) return undefined
    throw thrown
  }
}

const count = (counts: Map<string, number>, name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1)

const kindOf = (error: RegionError): string =>
  Object.entries(error).find(([name, value]) => name !== "message" && value !== undefined)?.[0] ?? "unknown"

const decoded = <Response>(path: string, decode: () => Response): Effect.Effect<Response, ProtocolBroken> => {
  try {
    return Effect.succeed(decode())
  } catch (thrown) {
    if (!(thrown instanceof ProtoError)) throw thrown
    return Effect.fail(new ProtocolBroken({ path, rule: thrown.message }))
  }
}

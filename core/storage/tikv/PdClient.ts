// The client of the Placement Driver: finds its leader among the members, follows it, and asks it.
// Owns the cluster's id, the leader's address and the patience with both; refuses timestamps, which have a stream of their
// own (TimestampOracle.ts). A request goes to the leader; whatever keeps it from answering makes us look for the leader anew.
import { Effect, Semaphore } from "effect"
import type { Int64 } from "#net"
import { Backoff, Budget } from "./Backoff.ts"
import { encodeKey } from "./Memcomparable.ts"
import { type Peer, PdErrorType, type PdMethod, PdMethods, type Region } from "./PdMessages.ts"
import { PdUnavailable, type RpcFailed } from "./TikvError.ts"
import type { Timestamp } from "./Timestamp.ts"
import { type Transport, unary } from "./Transport.ts"

const CALL_TIMEOUT_MS = 3000

/** A region and the copy of it that leads, where PD knows one. */
export interface LedRegion {
  readonly region: Region
  readonly leader: Peer | undefined
}

/** What every answer of PD's carries. */
interface Answered {
  readonly header: { readonly error: { readonly type: number; readonly message: string } | undefined } | undefined
}

/** `host:port` of a URL or of an address that is one already. */
export const addressOf = (endpoint: string): string => endpoint.replace(/^[a-z]+:\/\//, "").replace(/\/.*$/, "")

export class PdClient {
  readonly transport: Transport
  private readonly endpoints: ReadonlyArray<string>
  private readonly looking = Semaphore.makeUnsafe(1)
  private clusterId: Int64 = 0
  private members: ReadonlyArray<string> = []
  private leader: string | undefined
  /** Grows each time that the leader was looked up. */
  private generation = 0
  readonly stats = { requests: 0, leaderChanges: 0 }

  constructor(transport: Transport, endpoints: ReadonlyArray<string>) {
    this.transport = transport
    this.endpoints = endpoints.map(addressOf)
  }

  /** The header of a request. */
  get header(): { readonly clusterId: Int64 } {
    return { clusterId: this.clusterId }
  }

  /** The leader's address; looked up if it is not known. Fails when no member knows one in time. */
  leaderAddress(backoff: Backoff): Effect.Effect<string, PdUnavailable> {
    return Effect.gen({ self: this }, function* () {
      for (;;) {
        if (this.leader !== undefined) return this.leader
        const detail = yield* this.lookUp(this.generation)
        if (this.leader === undefined) yield* this.wait(backoff, detail)
      }
    })
  }

  /** The leader did not answer, or is none: look it up before it is asked again. */
  forgetLeader(address: string): void {
    if (this.leader === address) this.leader = undefined
  }

  /** Waits before PD is asked again; fails when the patience is over. */
  wait(backoff: Backoff, detail: string): Effect.Effect<void, PdUnavailable> {
    return backoff
      .wait("placement-driver", detail)
      .pipe(Effect.mapError(() => new PdUnavailable({ endpoints: this.endpoints, detail })))
  }

  /** Asks all members known for the leader, one after the other; what they said when none knew one. */
  private lookUp(generation: number): Effect.Effect<string> {
    return Effect.gen({ self: this }, function* () {
      if (this.generation !== generation) return ""
      let detail = "no endpoint was given"
      for (const address of new Set([...this.members, ...this.endpoints])) {
        const failure = yield* this.askMember(address)
        if (failure === undefined) break
        detail = failure
      }
      this.generation++
      return detail
    }).pipe(this.looking.withPermits(1))
  }

  private askMember(address: string): Effect.Effect<string | undefined> {
    return this.call(address, PdMethods.getMembers, {}).pipe(
      Effect.map(({ header, leader, members }) => {
        const url = leader?.clientUrls[0]
        if (url === undefined) return `${address} knows no leader`
        this.clusterId = header?.clusterId ?? 0
        this.members = members.flatMap(({ clientUrls }) => clientUrls.map(addressOf))
        this.leader = addressOf(url)
        this.stats.leaderChanges++
        return undefined
      }),
      Effect.catchTag("RpcFailed", ({ message }) => Effect.succeed(message))
    )
  }

  private call<Request extends object, Response extends object>(
    address: string,
    method: PdMethod<Request, Response>,
    fields: Partial<Request>
  ): Effect.Effect<Response, RpcFailed> {
    this.stats.requests++
    const request = method.request.encode({ ...fields, header: this.header })
    return Effect.map(unary(this.transport, address, method.path, request, CALL_TIMEOUT_MS), (bytes) =>
      method.response.decode(bytes)
    )
  }

  /** Asks the leader until it answers; fails when it does not within the budget. */
  request<Request extends object, Response extends Answered>(
    method: PdMethod<Request, Response>,
    fields: Partial<Request>,
    backoff = new Backoff(Budget.read)
  ): Effect.Effect<Response, PdUnavailable> {
    return Effect.gen({ self: this }, function* () {
      for (;;) {
        const address = yield* this.leaderAddress(backoff)
        const answer = yield* Effect.result(this.call(address, method, fields))
        if (answer._tag === "Success") {
          const error = answer.success.header?.error
          if (error === undefined || error.type === PdErrorType.Ok || error.type === PdErrorType.RegionNotFound) {
            return answer.success
          }
        }
        const detail =
          answer._tag === "Success" ? (answer.success.header?.error?.message ?? "") : answer.failure.message
        this.forgetLeader(address)
        yield* this.wait(backoff, detail)
      }
    })
  }

  /** The region that holds a raw key; undefined while PD knows none. */
  getRegion(key: Uint8Array, backoff?: Backoff): Effect.Effect<LedRegion | undefined, PdUnavailable> {
    return Effect.map(this.request(PdMethods.getRegion, { regionKey: encodeKey(key) }, backoff), led)
  }

  /** The region just below the one that holds a raw key. */
  getPrevRegion(key: Uint8Array, backoff?: Backoff): Effect.Effect<LedRegion | undefined, PdUnavailable> {
    return Effect.map(this.request(PdMethods.getPrevRegion, { regionKey: encodeKey(key) }, backoff), led)
  }

  getRegionById(regionId: Int64, backoff?: Backoff): Effect.Effect<LedRegion | undefined, PdUnavailable> {
    return Effect.map(this.request(PdMethods.getRegionById, { regionId }, backoff), led)
  }

  /** Up to `limit` regions from a raw key on, up to another (undefined: the end of all keys). */
  scanRegions(
    start: Uint8Array,
    end: Uint8Array | undefined,
    limit: number,
    backoff?: Backoff
  ): Effect.Effect<ReadonlyArray<LedRegion>, PdUnavailable> {
    const fields = { startKey: encodeKey(start), endKey: end === undefined ? NOTHING : encodeKey(end), limit }
    return Effect.map(this.request(PdMethods.scanRegions, fields, backoff), ({ regions }) =>
      regions.flatMap(({ leader, region }) => (region === undefined ? [] : [{ region, leader: known(leader) }]))
    )
  }

  /** A store's address; undefined when it is gone for good. */
  getStoreAddress(storeId: Int64, backoff?: Backoff): Effect.Effect<string | undefined, PdUnavailable> {
    return Effect.map(this.request(PdMethods.getStore, { storeId }, backoff), ({ store }) =>
      store === undefined || store.state === STORE_TOMBSTONE ? undefined : store.address
    )
  }

  /** The safe point of the cluster's garbage collection. */
  getGcSafePoint(backoff?: Backoff): Effect.Effect<Timestamp, PdUnavailable> {
    return Effect.map(this.request(PdMethods.getGcSafePoint, {}, backoff), ({ safePoint }) => BigInt(safePoint))
  }

  /** Holds garbage collection below a timestamp for some seconds; answers the lowest that any service holds. */
  holdSafePoint(
    serviceId: string,
    ttlSeconds: number,
    safePoint: Timestamp,
    backoff?: Backoff
  ): Effect.Effect<Timestamp, PdUnavailable> {
    const fields = { serviceId: Buffer.from(serviceId), ttl: ttlSeconds, safePoint }
    return Effect.map(this.request(PdMethods.updateServiceGcSafePoint, fields, backoff), ({ minSafePoint }) =>
      BigInt(minSafePoint)
    )
  }
}

const NOTHING = new Uint8Array(0)
const STORE_TOMBSTONE = 2

/** PD says "no leader" with a peer of id 0. */
const known = (leader: Peer | undefined): Peer | undefined =>
  leader === undefined || leader.id === 0 ? undefined : leader

const led = ({
  leader,
  region
}: {
  readonly region: Region | undefined
  readonly leader: Peer | undefined
}): LedRegion | undefined => (region === undefined ? undefined : { region, leader: known(leader) })

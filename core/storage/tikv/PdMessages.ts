// What is said to a Placement Driver: members, timestamps, regions, stores and safe points, field by field.
// Owns the shapes alone, and of them only what this client sends or reads; refuses to know when to send them.
// Source: github.com/pingcap/kvproto, pdpb.proto and metapb.proto, as served by PD 5 to 8.
import { field, list, many, message, type Message, type MessageType, one } from "#net"

const RequestHeader = message({ clusterId: field(1, "uint64") })
const PdErrorMessage = message({ type: field(1, "int32"), message: field(2, "string") })
/** Every answer has one; its error, where there is one, is the whole answer. */
export const ResponseHeader = message({ clusterId: field(1, "uint64"), error: one(2, () => PdErrorMessage) })

/** Kinds of errors in a ResponseHeader. */
export const PdErrorType = { Ok: 0, Unknown: 1, NotBootstrapped: 2, StoreTombstone: 3, RegionNotFound: 6 } as const

const header = { header: one(1, () => RequestHeader) }
const answered = { header: one(1, () => ResponseHeader) }

/** A copy of a region on a store. Role 1 is a learner, which never leads. */
export const Peer = message({ id: field(1, "uint64"), storeId: field(2, "uint64"), role: field(3, "int32") })
export type Peer = MessageType<typeof Peer>
/** Changes with the region's copies (`confVer`) and with its borders (`version`). */
export const RegionEpoch = message({ confVer: field(1, "uint64"), version: field(2, "uint64") })
/** A part of the keyspace; here, unlike in requests to stores, its borders are in memcomparable form. */
export const Region = message({
  id: field(1, "uint64"),
  startKey: field(2, "bytes"),
  endKey: field(3, "bytes"),
  epoch: one(4, () => RegionEpoch),
  peers: many(5, () => Peer)
})
export type Region = MessageType<typeof Region>

/** A TiKV server; state 2 is one that is gone for good. */
export const StoreInfo = message({ id: field(1, "uint64"), address: field(2, "string"), state: field(3, "int32") })

const Member = message({ name: field(1, "string"), memberId: field(2, "uint64"), clientUrls: list(4, "string") })
export const GetMembersRequest = message(header)
export const GetMembersResponse = message({
  ...answered,
  members: many(2, () => Member),
  leader: one(3, () => Member)
})

export const TsoRequest = message({ ...header, count: field(2, "uint32") })
const Timestamp = message({ physical: field(1, "int64"), logical: field(2, "int64") })
/** The last of `count` timestamps; the others lie before it. */
export const TsoResponse = message({ ...answered, count: field(2, "uint32"), timestamp: one(3, () => Timestamp) })

/** For GetRegion and GetPrevRegion: the key in memcomparable form. */
export const GetRegionRequest = message({ ...header, regionKey: field(2, "bytes") })
export const GetRegionByIdRequest = message({ ...header, regionId: field(2, "uint64") })
export const GetRegionResponse = message({
  ...answered,
  region: one(2, () => Region),
  leader: one(3, () => Peer)
})

export const ScanRegionsRequest = message({
  ...header,
  startKey: field(2, "bytes"),
  limit: field(3, "int32"),
  endKey: field(4, "bytes")
})
const RegionWithLeader = message({ region: one(1, () => Region), leader: one(2, () => Peer) })
export const ScanRegionsResponse = message({ ...answered, regions: many(4, () => RegionWithLeader) })

export const GetStoreRequest = message({ ...header, storeId: field(2, "uint64") })
export const GetStoreResponse = message({ ...answered, store: one(2, () => StoreInfo) })

export const GetGcSafePointRequest = message(header)
export const GetGcSafePointResponse = message({ ...answered, safePoint: field(2, "uint64") })

/** Keeps garbage collection below `safePoint` for `ttl` seconds. */
export const UpdateServiceGcSafePointRequest = message({
  ...header,
  serviceId: field(2, "bytes"),
  ttl: field(3, "int64"),
  safePoint: field(4, "uint64")
})
/** `minSafePoint` is the lowest that any service holds: what is below it may be gone. */
export const UpdateServiceGcSafePointResponse = message({
  ...answered,
  serviceId: field(2, "bytes"),
  ttl: field(3, "int64"),
  minSafePoint: field(4, "uint64")
})

/** A request and its answer, by the name of the method. */
export interface PdMethod<Request extends object, Response extends object> {
  readonly path: string
  readonly request: Message<Request>
  readonly response: Message<Response>
}

const method = <Request extends object, Response extends object>(
  name: string,
  request: Message<Request>,
  response: Message<Response>
): PdMethod<Request, Response> => ({ path: `/pdpb.PD/${name}`, request, response })

export const PdMethods = {
  getMembers: method("GetMembers", GetMembersRequest, GetMembersResponse),
  getRegion: method("GetRegion", GetRegionRequest, GetRegionResponse),
  getPrevRegion: method("GetPrevRegion", GetRegionRequest, GetRegionResponse),
  getRegionById: method("GetRegionByID", GetRegionByIdRequest, GetRegionResponse),
  scanRegions: method("ScanRegions", ScanRegionsRequest, ScanRegionsResponse),
  getStore: method("GetStore", GetStoreRequest, GetStoreResponse),
  getGcSafePoint: method("GetGCSafePoint", GetGcSafePointRequest, GetGcSafePointResponse),
  updateServiceGcSafePoint: method(
    "UpdateServiceGCSafePoint",
    UpdateServiceGcSafePointRequest,
    UpdateServiceGcSafePointResponse
  )
} as const

/** The stream of timestamps. */
export const TSO_PATH = "/pdpb.PD/Tso"

// The messages of etcd's KV, Watch and Lease services (etcdserverpb, mvccpb), one line a field.
// Owns field numbers and defaults; refuses to own meaning, which the api files carry.
// Source: etcd 3.7 api/etcdserverpb/rpc.proto and api/mvccpb/kv.proto.
import { field, many, message, one, optional, list, type Int64, type Message, type MessageType } from "#net"

export const ResponseHeader = message({
  clusterId: field(1, "uint64"),
  memberId: field(2, "uint64"),
  revision: field(3, "int64"),
  raftTerm: field(4, "uint64")
})
export type ResponseHeader = MessageType<typeof ResponseHeader>
const header = () => one(1, () => ResponseHeader)

export const KeyValue = message({
  key: field(1, "bytes"),
  createRevision: field(2, "int64"),
  modRevision: field(3, "int64"),
  version: field(4, "int64"),
  value: field(5, "bytes"),
  lease: field(6, "int64")
})
export type KeyValue = MessageType<typeof KeyValue>

/** RangeRequest.SortOrder. */
export const SortOrder = { None: 0, Ascend: 1, Descend: 2 } as const
/** RangeRequest.SortTarget. */
export const SortTarget = { Key: 0, Version: 1, Create: 2, Mod: 3, Value: 4 } as const

export const RangeRequest = message({
  key: field(1, "bytes"),
  rangeEnd: field(2, "bytes"),
  limit: field(3, "int64"),
  revision: field(4, "int64"),
  sortOrder: field(5, "int32"),
  sortTarget: field(6, "int32"),
  serializable: field(7, "bool"),
  keysOnly: field(8, "bool"),
  countOnly: field(9, "bool"),
  minModRevision: field(10, "int64"),
  maxModRevision: field(11, "int64"),
  minCreateRevision: field(12, "int64"),
  maxCreateRevision: field(13, "int64")
})
export type RangeRequest = MessageType<typeof RangeRequest>

export const RangeResponse = message({
  header: header(),
  kvs: many(2, () => KeyValue),
  more: field(3, "bool"),
  count: field(4, "int64")
})
export type RangeResponse = MessageType<typeof RangeResponse>
export const RangeStreamResponse = message({ rangeResponse: one(1, () => RangeResponse) })

export const PutRequest = message({
  key: field(1, "bytes"),
  value: field(2, "bytes"),
  lease: field(3, "int64"),
  prevKv: field(4, "bool"),
  ignoreValue: field(5, "bool"),
  ignoreLease: field(6, "bool")
})
export type PutRequest = MessageType<typeof PutRequest>
export const PutResponse = message({ header: header(), prevKv: one(2, () => KeyValue) })

export const DeleteRangeRequest = message({
  key: field(1, "bytes"),
  rangeEnd: field(2, "bytes"),
  prevKv: field(3, "bool")
})
export type DeleteRangeRequest = MessageType<typeof DeleteRangeRequest>
export const DeleteRangeResponse = message({
  header: header(),
  deleted: field(2, "int64"),
  prevKvs: many(3, () => KeyValue)
})

/** Compare.CompareResult. */
export const CompareResult = { Equal: 0, Greater: 1, Less: 2, NotEqual: 3 } as const
/** Compare.CompareTarget. */
export const CompareTarget = { Version: 0, Create: 1, Mod: 2, Value: 3, Lease: 4 } as const

export const Compare = message({
  result: field(1, "int32"),
  target: field(2, "int32"),
  key: field(3, "bytes"),
  version: optional(4, "int64"),
  createRevision: optional(5, "int64"),
  modRevision: optional(6, "int64"),
  value: optional(7, "bytes"),
  lease: optional(8, "int64"),
  rangeEnd: field(64, "bytes")
})
export type Compare = MessageType<typeof Compare>

/** One operation of a transaction: exactly one member is set in a well-formed request. */
export interface RequestOp {
  requestRange: RangeRequest | undefined
  requestPut: PutRequest | undefined
  requestDeleteRange: DeleteRangeRequest | undefined
  requestTxn: TxnRequest | undefined
}
export interface TxnRequest {
  compare: ReadonlyArray<Compare>
  success: ReadonlyArray<RequestOp>
  failure: ReadonlyArray<RequestOp>
}
export const RequestOp: Message<RequestOp> = message({
  requestRange: one(1, () => RangeRequest),
  requestPut: one(2, () => PutRequest),
  requestDeleteRange: one(3, () => DeleteRangeRequest),
  requestTxn: one(4, (): Message<TxnRequest> => TxnRequest)
})
export const TxnRequest: Message<TxnRequest> = message({
  compare: many(1, () => Compare),
  success: many(2, () => RequestOp),
  failure: many(3, () => RequestOp)
})

export interface ResponseOp {
  responseRange: RangeResponse | undefined
  responsePut: MessageType<typeof PutResponse> | undefined
  responseDeleteRange: MessageType<typeof DeleteRangeResponse> | undefined
  responseTxn: TxnResponse | undefined
}
export interface TxnResponse {
  header: ResponseHeader | undefined
  succeeded: boolean
  responses: ReadonlyArray<ResponseOp>
}
export const ResponseOp: Message<ResponseOp> = message({
  responseRange: one(1, () => RangeResponse),
  responsePut: one(2, () => PutResponse),
  responseDeleteRange: one(3, () => DeleteRangeResponse),
  responseTxn: one(4, (): Message<TxnResponse> => TxnResponse)
})
export const TxnResponse: Message<TxnResponse> = message({
  header: header(),
  succeeded: field(2, "bool"),
  responses: many(3, () => ResponseOp)
})

export const CompactionRequest = message({ revision: field(1, "int64"), physical: field(2, "bool") })
export const CompactionResponse = message({ header: header() })

/** mvccpb.Event.EventType. */
export const EventType = { Put: 0, Delete: 1 } as const
export const Event = message({
  type: field(1, "int32"),
  kv: one(2, () => KeyValue),
  prevKv: one(3, () => KeyValue)
})
export type Event = MessageType<typeof Event>

/** WatchCreateRequest.FilterType. */
export const FilterType = { NoPut: 0, NoDelete: 1 } as const
export const WatchCreateRequest = message({
  key: field(1, "bytes"),
  rangeEnd: field(2, "bytes"),
  startRevision: field(3, "int64"),
  progressNotify: field(4, "bool"),
  filters: list(5, "int32"),
  prevKv: field(6, "bool"),
  watchId: field(7, "int64"),
  fragment: field(8, "bool")
})
export type WatchCreateRequest = MessageType<typeof WatchCreateRequest>
export const WatchCancelRequest = message({ watchId: field(1, "int64") })
export const WatchProgressRequest = message({})
export const WatchRequest = message({
  createRequest: one(1, () => WatchCreateRequest),
  cancelRequest: one(2, () => WatchCancelRequest),
  progressRequest: one(3, () => WatchProgressRequest)
})
export const WatchResponse = message({
  header: header(),
  watchId: field(2, "int64"),
  created: field(3, "bool"),
  canceled: field(4, "bool"),
  compactRevision: field(5, "int64"),
  cancelReason: field(6, "string"),
  fragment: field(7, "bool"),
  events: many(11, () => Event)
})
export type WatchResponse = MessageType<typeof WatchResponse>

export const LeaseGrantRequest = message({ ttl: field(1, "int64"), id: field(2, "int64") })
export const LeaseGrantResponse = message({
  header: header(),
  id: field(2, "int64"),
  ttl: field(3, "int64"),
  error: field(4, "string")
})
export const LeaseRevokeRequest = message({ id: field(1, "int64") })
export const LeaseRevokeResponse = message({ header: header() })
export const LeaseKeepAliveRequest = message({ id: field(1, "int64") })
export const LeaseKeepAliveResponse = message({ header: header(), id: field(2, "int64"), ttl: field(3, "int64") })
export const LeaseTimeToLiveRequest = message({ id: field(1, "int64"), keys: field(2, "bool") })
export const LeaseTimeToLiveResponse = message({
  header: header(),
  id: field(2, "int64"),
  ttl: field(3, "int64"),
  grantedTtl: field(4, "int64"),
  keys: list(5, "bytes")
})
export const LeaseLeasesRequest = message({})
export const LeaseStatus = message({ id: field(1, "int64") })
export const LeaseLeasesResponse = message({ header: header(), leases: many(2, () => LeaseStatus) })

/** A lease's identity as the store keeps it; 0 means none. */
export type LeaseId = Int64

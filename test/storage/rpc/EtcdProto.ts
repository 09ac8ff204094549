// The messages of etcd's KV, Watch and Lease services as a .proto text of our own, for protobufjs to judge our tables by.
// Owns names and numbers as etcd's documentation of its API gives them; refuses everything else.
export const etcdProto = `
syntax = "proto3";
message ResponseHeader { uint64 clusterId = 1; uint64 memberId = 2; int64 revision = 3; uint64 raftTerm = 4; }
message KeyValue { bytes key = 1; int64 createRevision = 2; int64 modRevision = 3; int64 version = 4; bytes value = 5; int64 lease = 6; }
message RangeRequest {
  bytes key = 1; bytes rangeEnd = 2; int64 limit = 3; int64 revision = 4; int32 sortOrder = 5; int32 sortTarget = 6;
  bool serializable = 7; bool keysOnly = 8; bool countOnly = 9;
  int64 minModRevision = 10; int64 maxModRevision = 11; int64 minCreateRevision = 12; int64 maxCreateRevision = 13;
}
message RangeResponse { ResponseHeader header = 1; repeated KeyValue kvs = 2; bool more = 3; int64 count = 4; }
message PutRequest { bytes key = 1; bytes value = 2; int64 lease = 3; bool prevKv = 4; bool ignoreValue = 5; bool ignoreLease = 6; }
message PutResponse { ResponseHeader header = 1; KeyValue prevKv = 2; }
message DeleteRangeRequest { bytes key = 1; bytes rangeEnd = 2; bool prevKv = 3; }
message DeleteRangeResponse { ResponseHeader header = 1; int64 deleted = 2; repeated KeyValue prevKvs = 3; }
message RequestOp { oneof request {
  RangeRequest requestRange = 1; PutRequest requestPut = 2; DeleteRangeRequest requestDeleteRange = 3; TxnRequest requestTxn = 4;
} }
message ResponseOp { oneof response {
  RangeResponse responseRange = 1; PutResponse responsePut = 2; DeleteRangeResponse responseDeleteRange = 3; TxnResponse responseTxn = 4;
} }
message Compare {
  int32 result = 1; int32 target = 2; bytes key = 3;
  oneof targetUnion { int64 version = 4; int64 createRevision = 5; int64 modRevision = 6; bytes value = 7; int64 lease = 8; }
  bytes rangeEnd = 64;
}
message TxnRequest { repeated Compare compare = 1; repeated RequestOp success = 2; repeated RequestOp failure = 3; }
message TxnResponse { ResponseHeader header = 1; bool succeeded = 2; repeated ResponseOp responses = 3; }
message CompactionRequest { int64 revision = 1; bool physical = 2; }
message Event { int32 type = 1; KeyValue kv = 2; KeyValue prevKv = 3; }
message WatchCreateRequest {
  bytes key = 1; bytes rangeEnd = 2; int64 startRevision = 3; bool progressNotify = 4; repeated int32 filters = 5;
  bool prevKv = 6; int64 watchId = 7; bool fragment = 8;
}
message WatchCancelRequest { int64 watchId = 1; }
message WatchProgressRequest { }
message WatchRequest { oneof request {
  WatchCreateRequest createRequest = 1; WatchCancelRequest cancelRequest = 2; WatchProgressRequest progressRequest = 3;
} }
message WatchResponse {
  ResponseHeader header = 1; int64 watchId = 2; bool created = 3; bool canceled = 4; int64 compactRevision = 5;
  string cancelReason = 6; bool fragment = 7; repeated Event events = 11;
}
message LeaseGrantRequest { int64 ttl = 1; int64 id = 2; }
message LeaseGrantResponse { ResponseHeader header = 1; int64 id = 2; int64 ttl = 3; string error = 4; }
message LeaseKeepAliveRequest { int64 id = 1; }
message LeaseTimeToLiveResponse { ResponseHeader header = 1; int64 id = 2; int64 ttl = 3; int64 grantedTtl = 4; repeated bytes keys = 5; }
message HashKvResponse { ResponseHeader header = 1; uint32 hash = 2; int64 compactRevision = 3; int64 hashRevision = 4; }
message AlarmRequest { int32 action = 1; uint64 memberId = 2; int32 alarm = 3; }
message Member { uint64 id = 1; string name = 2; repeated string peerUrls = 3; repeated string clientUrls = 4; bool isLearner = 5; }
`

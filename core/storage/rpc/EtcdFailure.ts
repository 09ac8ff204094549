// Every failure that the etcd API can answer, with the gRPC code and the exact words that clients match on.
// Owns that table; refuses to decide when a failure applies. One table, because etcd's clients compare whole messages.
// Source: etcd 3.7 api/v3rpc/rpctypes/error.go.
import { GrpcCode } from "#net"

/** A failed call: a gRPC code and etcd's message. A value, not an exception: the hot paths return it. */
export class EtcdFailure {
  readonly code: GrpcCode
  readonly message: string

  constructor(code: GrpcCode, message: string) {
    this.code = code
    this.message = message
  }
}

const invalid = (text: string) => new EtcdFailure(GrpcCode.InvalidArgument, `etcdserver: ${text}`)
const precondition = (text: string) => new EtcdFailure(GrpcCode.FailedPrecondition, `etcdserver: ${text}`)
const unavailable = (text: string) => new EtcdFailure(GrpcCode.Unavailable, `etcdserver: ${text}`)
const missing = (text: string) => new EtcdFailure(GrpcCode.NotFound, `etcdserver: ${text}`)
const exhausted = (text: string) => new EtcdFailure(GrpcCode.ResourceExhausted, `etcdserver: ${text}`)
const outOfRange = (text: string) => new EtcdFailure(GrpcCode.OutOfRange, `etcdserver: ${text}`)

export const Failure = {
  emptyKey: invalid("key is not provided"),
  keyNotFound: invalid("key not found"),
  valueProvided: invalid("value is provided"),
  leaseProvided: invalid("lease is provided"),
  tooManyOps: invalid("too many operations in txn request"),
  duplicateKey: invalid("duplicate key given in txn request"),
  invalidSortOption: invalid("invalid sort option"),
  requestTooLarge: invalid("request is too large"),
  compacted: outOfRange("mvcc: required revision has been compacted"),
  futureRevision: outOfRange("mvcc: required revision is a future revision"),
  noSpace: exhausted("mvcc: database space exceeded"),
  tooManyRequests: exhausted("too many requests"),
  leaseNotFound: missing("requested lease not found"),
  leaseExists: precondition("lease already exists"),
  leaseTtlTooLarge: outOfRange("too large lease TTL"),
  watchCanceled: new EtcdFailure(GrpcCode.Cancelled, "etcdserver: watch canceled"),
  memberNotFound: missing("member not found"),
  memberExists: precondition("member ID already exist"),
  // etcd's table of codes lacks this one, so it goes out as Unknown.
  memberNotEnoughStarted: new EtcdFailure(
    GrpcCode.Unknown,
    "etcdserver: re-configuration failed due to not enough started members"
  ),
  peerUrlExists: precondition("Peer URLs already exists"),
  learnerNotReady: precondition("can only promote a learner member which is in sync with leader"),
  tooManyLearners: precondition("too many learner members in cluster"),
  memberNotLearner: precondition("can only promote a learner member"),
  memberBadUrls: invalid("given member URLs are invalid"),
  badLeaderTransferee: precondition("bad leader transferee"),
  wrongDowngradeVersionFormat: invalid("wrong downgrade target version format"),
  invalidDowngradeTarget: invalid("invalid downgrade target version"),
  noInflightDowngrade: precondition("no inflight downgrade job"),
  rootUserNotExist: precondition("root user does not exist"),
  rootRoleNotExist: precondition("root user does not have root role"),
  userAlreadyExists: precondition("user name already exists"),
  userEmpty: invalid("user name is empty"),
  userNotFound: precondition("user name not found"),
  roleAlreadyExists: precondition("role name already exists"),
  roleNotFound: precondition("role name not found"),
  roleEmpty: invalid("role name is empty"),
  authFailed: invalid("authentication failed, invalid user ID or password"),
  permissionNotGiven: invalid("permission not given"),
  permissionDenied: new EtcdFailure(GrpcCode.PermissionDenied, "etcdserver: permission denied"),
  roleNotGranted: precondition("role is not granted to the user"),
  permissionNotGranted: precondition("permission is not granted to the role"),
  authNotEnabled: precondition("authentication is not enabled"),
  invalidAuthToken: new EtcdFailure(GrpcCode.Unauthenticated, "etcdserver: invalid auth token"),
  invalidAuthManagement: invalid("invalid auth management"),
  authOldRevision: invalid("revision of auth store is old"),
  stopped: unavailable("server stopped"),
  timeout: unavailable("request timed out"),
  noLeader: unavailable("no leader"),
  /** This member does not lead: the request certainly did nothing. */
  notLeader: precondition("not leader"),
  /** What became of the request is unknown: the leader lost its term while it was under way. */
  leaderFailed: unavailable("request timed out, possibly due to previous leader failure"),
  /** What became of the request is unknown: the way to the leader broke while it was under way. */
  connectionLost: unavailable("request timed out, possibly due to connection lost"),
  unhealthy: unavailable("unhealthy cluster"),
  corrupt: new EtcdFailure(GrpcCode.DataLoss, "etcdserver: corrupt cluster")
} as const

/** A request whose bytes are not a protobuf message: what grpc-go answers. */
export const malformed = (detail: string): EtcdFailure =>
  new EtcdFailure(GrpcCode.Internal, `grpc: error unmarshalling request: ${detail}`)

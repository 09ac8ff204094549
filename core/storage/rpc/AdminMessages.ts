// The messages of etcd's Cluster, Maintenance and Auth services (etcdserverpb, authpb), one line a field.
// Owns field numbers and defaults; refuses to own meaning, which the api files carry.
// Source: etcd 3.7 api/etcdserverpb/rpc.proto and api/authpb/auth.proto.
import { field, list, many, message, one, type MessageType } from "#net"
import { ResponseHeader } from "./KvMessages.ts"

const header = () => one(1, () => ResponseHeader)

/** A message with nothing but the header: what most administrative calls answer. */
export const HeaderOnly = message({ header: header() })
/** A request without fields. */
export const Empty = message({})

export const Member = message({
  id: field(1, "uint64"),
  name: field(2, "string"),
  peerUrls: list(3, "string"),
  clientUrls: list(4, "string"),
  isLearner: field(5, "bool")
})
export type Member = MessageType<typeof Member>
export const MemberAddRequest = message({ peerUrls: list(1, "string"), isLearner: field(2, "bool") })
export const MemberAddResponse = message({
  header: header(),
  member: one(2, () => Member),
  members: many(3, () => Member)
})
/** A member in front of the store announces itself (not part of etcd's API). */
export const JoinRequest = message({
  name: field(1, "string"),
  peerUrls: list(2, "string"),
  clientUrls: list(3, "string")
})
export const MemberIdRequest = message({ id: field(1, "uint64") })
export const MemberUpdateRequest = message({ id: field(1, "uint64"), peerUrls: list(2, "string") })
export const MemberListRequest = message({ linearizable: field(1, "bool") })
export const MemberListResponse = message({ header: header(), members: many(2, () => Member) })

/** AlarmType. */
export const AlarmType = { None: 0, NoSpace: 1, Corrupt: 2 } as const
/** AlarmRequest.AlarmAction. */
export const AlarmAction = { Get: 0, Activate: 1, Deactivate: 2 } as const
export const AlarmRequest = message({
  action: field(1, "int32"),
  memberId: field(2, "uint64"),
  alarm: field(3, "int32")
})
export const AlarmMember = message({ memberId: field(1, "uint64"), alarm: field(2, "int32") })
export const AlarmResponse = message({ header: header(), alarms: many(2, () => AlarmMember) })

export const DowngradeInfo = message({ enabled: field(1, "bool"), targetVersion: field(2, "string") })
export const DowngradeRequest = message({ action: field(1, "int32"), version: field(2, "string") })
export const DowngradeResponse = message({ header: header(), version: field(2, "string") })
export const StatusResponse = message({
  header: header(),
  version: field(2, "string"),
  dbSize: field(3, "int64"),
  leader: field(4, "uint64"),
  raftIndex: field(5, "uint64"),
  raftTerm: field(6, "uint64"),
  raftAppliedIndex: field(7, "uint64"),
  errors: list(8, "string"),
  dbSizeInUse: field(9, "int64"),
  isLearner: field(10, "bool"),
  storageVersion: field(11, "string"),
  dbSizeQuota: field(12, "int64"),
  downgradeInfo: one(13, () => DowngradeInfo)
})
export const HashResponse = message({ header: header(), hash: field(2, "uint32") })
export const HashKvRequest = message({ revision: field(1, "int64") })
export const HashKvResponse = message({
  header: header(),
  hash: field(2, "uint32"),
  compactRevision: field(3, "int64"),
  hashRevision: field(4, "int64")
})
export const SnapshotResponse = message({
  header: header(),
  remainingBytes: field(2, "uint64"),
  blob: field(3, "bytes"),
  version: field(4, "string")
})
export const MoveLeaderRequest = message({ targetId: field(1, "uint64") })

/** authpb.Permission.Type. */
export const PermissionType = { Read: 0, Write: 1, ReadWrite: 2 } as const
export const Permission = message({
  permType: field(1, "int32"),
  key: field(2, "bytes"),
  rangeEnd: field(3, "bytes")
})
export type Permission = MessageType<typeof Permission>
/** A user as the store keeps it; the password field holds its hash. */
export const User = message({
  name: field(1, "bytes"),
  password: field(2, "bytes"),
  roles: list(3, "string"),
  options: one(4, () => UserAddOptions)
})
export type User = MessageType<typeof User>
export const Role = message({ name: field(1, "bytes"), keyPermission: many(2, () => Permission) })
export type Role = MessageType<typeof Role>
export const UserAddOptions = message({ noPassword: field(1, "bool") })

export const AuthStatusResponse = message({
  header: header(),
  enabled: field(2, "bool"),
  authRevision: field(3, "uint64")
})
export const AuthenticateRequest = message({ name: field(1, "string"), password: field(2, "string") })
export const AuthenticateResponse = message({ header: header(), token: field(2, "string") })
export const AuthUserAddRequest = message({
  name: field(1, "string"),
  password: field(2, "string"),
  options: one(3, () => UserAddOptions),
  hashedPassword: field(4, "string")
})
export const AuthNameRequest = message({ name: field(1, "string") })
export const AuthUserChangePasswordRequest = message({
  name: field(1, "string"),
  password: field(2, "string"),
  hashedPassword: field(3, "string")
})
export const AuthUserGrantRoleRequest = message({ user: field(1, "string"), role: field(2, "string") })
export const AuthUserRevokeRoleRequest = message({ name: field(1, "string"), role: field(2, "string") })
export const AuthRoleGetRequest = message({ role: field(1, "string") })
export const AuthRoleGrantPermissionRequest = message({ name: field(1, "string"), perm: one(2, () => Permission) })
export const AuthRoleRevokePermissionRequest = message({
  role: field(1, "string"),
  key: field(2, "bytes"),
  rangeEnd: field(3, "bytes")
})
/** UserGet's roles, UserList's users and RoleList's roles all have this shape. */
export const NamesResponse = message({ header: header(), names: list(2, "string") })
export const AuthRoleGetResponse = message({ header: header(), perm: many(2, () => Permission) })

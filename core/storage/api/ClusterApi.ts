// etcd's Cluster service on a store that has no Raft: one member, itself.
// Owns the member list and what is said to those who would change it; refuses membership changes with etcd's own words,
// for there is no second member to add: other nodes join through a shared engine, not through consensus.
import { GrpcCode, type GrpcMethod } from "#net"
import {
  HeaderOnly,
  MemberAddRequest,
  MemberIdRequest,
  MemberListRequest,
  MemberListResponse,
  MemberUpdateRequest,
  type Member
} from "../rpc/AdminMessages.ts"
import { EtcdFailure, Failure } from "../rpc/EtcdFailure.ts"
import { answer, unary, type ApiContext } from "./ApiContext.ts"

/** Who this member is to its clients. */
export interface MemberInfo {
  readonly name: string
  readonly peerUrls: ReadonlyArray<string>
  readonly clientUrls: ReadonlyArray<string>
}

const noMembership = new EtcdFailure(
  GrpcCode.FailedPrecondition,
  "etcdserver: this store has one member; run more nodes on a shared engine instead of adding members"
)

export const clusterMethods = (context: ApiContext, info: () => MemberInfo): ReadonlyArray<GrpcMethod> => {
  const { memberId } = context.header.identity
  const self = (): Member => ({ id: memberId, ...info(), isLearner: false })
  const listed = () => ({ header: context.header.message(context.store.revision), members: [self()] })
  return [
    unary("/etcdserverpb.Cluster/MemberList", MemberListRequest, (_request, call) =>
      answer(call, MemberListResponse, listed())
    ),
    unary("/etcdserverpb.Cluster/MemberAdd", MemberAddRequest, (_request, call) =>
      answer(call, MemberListResponse, context.auth.requireRoot(call) ?? noMembership)
    ),
    unary("/etcdserverpb.Cluster/MemberRemove", MemberIdRequest, ({ id }, call) =>
      answer(
        call,
        MemberListResponse,
        context.auth.requireRoot(call) ?? (id === memberId ? noMembership : Failure.memberNotFound)
      )
    ),
    unary("/etcdserverpb.Cluster/MemberUpdate", MemberUpdateRequest, ({ id }, call) =>
      answer(
        call,
        HeaderOnly,
        context.auth.requireRoot(call) ?? (id === memberId ? noMembership : Failure.memberNotFound)
      )
    ),
    unary("/etcdserverpb.Cluster/MemberPromote", MemberIdRequest, ({ id }, call) =>
      answer(
        call,
        MemberListResponse,
        context.auth.requireRoot(call) ?? (id === memberId ? Failure.memberNotLearner : Failure.memberNotFound)
      )
    )
  ]
}

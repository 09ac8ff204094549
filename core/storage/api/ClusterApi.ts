// etcd's Cluster service: the list of members and the calls that change it.
// Owns the shape of answers and who may ask; refuses the rules of membership, which Members.ts keeps.
import type { GrpcMethod, Int64, UnaryCall } from "#net"
import {
  HeaderOnly,
  JoinRequest,
  MemberAddRequest,
  MemberAddResponse,
  MemberIdRequest,
  MemberListRequest,
  MemberListResponse,
  MemberUpdateRequest
} from "../rpc/AdminMessages.ts"
import { EtcdFailure } from "../rpc/EtcdFailure.ts"
import type { Members } from "../server/Members.ts"
import { answer, unary, type ApiContext } from "./ApiContext.ts"

/** Who this member is to its clients. */
export interface MemberInfo {
  readonly name: string
  readonly peerUrls: ReadonlyArray<string>
  readonly clientUrls: ReadonlyArray<string>
}

type Change = (id: Int64, done: (failure: EtcdFailure | undefined) => void) => void

export const clusterMethods = (context: ApiContext, members: Members, now: () => number): ReadonlyArray<GrpcMethod> => {
  // etcd answers about members without a revision.
  const header = () => context.header.message(0)
  const listed = (failure: EtcdFailure | undefined) => failure ?? { header: header(), members: members.list }
  const change = (call: UnaryCall, id: Int64, apply: Change): void => {
    const denied = context.auth.requireRoot(call)
    if (denied !== undefined) return answer(call, MemberListResponse, denied)
    apply(id, (failure) => answer(call, MemberListResponse, listed(failure)))
  }
  return [
    unary("/etcdserverpb.Cluster/MemberList", MemberListRequest, (_request, call) =>
      answer(call, MemberListResponse, listed(context.auth.requireUser(call)))
    ),
    unary("/etcdserverpb.Cluster/MemberAdd", MemberAddRequest, ({ isLearner, peerUrls }, call) => {
      const denied = context.auth.requireRoot(call)
      if (denied !== undefined) return answer(call, MemberAddResponse, denied)
      members.add(peerUrls, isLearner, now(), (added) => {
        const refused = added instanceof EtcdFailure
        answer(call, MemberAddResponse, refused ? added : { header: header(), member: added, members: members.list })
      })
    }),
    unary("/etcdserverpb.Cluster/MemberRemove", MemberIdRequest, ({ id }, call) =>
      change(call, id, (member, done) => members.remove(member, done))
    ),
    unary("/etcdserverpb.Cluster/MemberUpdate", MemberUpdateRequest, ({ id, peerUrls }, call) =>
      change(call, id, (member, done) => members.update(member, peerUrls, done))
    ),
    unary("/etcdserverpb.Cluster/MemberPromote", MemberIdRequest, ({ id }, call) =>
      change(call, id, (member, done) => members.promote(member, done))
    )
  ]
}

/** The path on which the members in front of the store announce themselves; not part of etcd's API. */
export const JOIN_PATH = "/kubewharf.storage.Peer/Join"

/** What the members in front of the store may ask beside all that clients may: served on the peer URLs only. */
export const peerMethods = (context: ApiContext, members: Members): ReadonlyArray<GrpcMethod> => [
  unary(JOIN_PATH, JoinRequest, ({ clientUrls, name, peerUrls }, call) =>
    members.join(name, peerUrls, clientUrls, (failure) =>
      answer(call, HeaderOnly, failure ?? { header: context.header.message(context.store.revision) })
    )
  )
]

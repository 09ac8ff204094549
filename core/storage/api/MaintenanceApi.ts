// etcd's Maintenance service: status, alarms, hashes, defragmentation, and the calls that only Raft could carry out.
// Owns their answers; refuses the snapshot stream (SnapshotApi.ts).
// Defragment has nothing to do: freed pages are reused by the engine, and the file never needs rewriting to shrink its use.
import type { GrpcMethod, UnaryCall } from "#net"
import {
  AlarmAction,
  AlarmRequest,
  AlarmResponse,
  AlarmType,
  DowngradeRequest,
  DowngradeResponse,
  Empty,
  HashKvRequest,
  HashKvResponse,
  HashResponse,
  HeaderOnly,
  MoveLeaderRequest,
  StatusResponse
} from "../rpc/AdminMessages.ts"
import { EtcdFailure, Failure } from "../rpc/EtcdFailure.ts"
import { hashStore } from "../mvcc/StoreHash.ts"
import { answer, unary, type ApiContext } from "./ApiContext.ts"

/** The API level that the store speaks; clients gate features on it (kube-apiserver wants 3.5.13 or later). */
export const ETCD_VERSION = "3.7.3"
const STORAGE_VERSION = "3.7.0"

export interface MaintenanceOptions {
  readonly quotaBytes: number
  readonly defer: (run: () => void) => void
}

export const maintenanceMethods = (context: ApiContext, options: MaintenanceOptions): ReadonlyArray<GrpcMethod> => {
  const header = () => context.header.message(context.store.revision)
  const { auth } = context
  return [
    unary("/etcdserverpb.Maintenance/Status", Empty, (_request, call) => status(context, options, call)),
    unary("/etcdserverpb.Maintenance/Alarm", AlarmRequest, (request, call) => alarm(context, request, call)),
    unary("/etcdserverpb.Maintenance/Defragment", Empty, (_request, call) =>
      answer(call, HeaderOnly, auth.requireRoot(call) ?? {})
    ),
    unary("/etcdserverpb.Maintenance/Hash", Empty, (_request, call) => {
      const denied = auth.requireRoot(call)
      if (denied !== undefined) return answer(call, HashResponse, denied)
      hashStore(context, 0, options.defer, (result) =>
        answer(call, HashResponse, result instanceof EtcdFailure ? result : { header: header(), hash: result.hash })
      )
    }),
    unary("/etcdserverpb.Maintenance/HashKV", HashKvRequest, ({ revision }, call) => {
      const denied = auth.requireRoot(call)
      if (denied !== undefined) return answer(call, HashKvResponse, denied)
      hashStore(context, revision, options.defer, (result) =>
        answer(
          call,
          HashKvResponse,
          result instanceof EtcdFailure
            ? result
            : { header: header(), hash: result.hash, compactRevision: result.compacted, hashRevision: result.revision }
        )
      )
    }),
    unary("/etcdserverpb.Maintenance/MoveLeader", MoveLeaderRequest, ({ targetId }, call) => {
      const denied = auth.requireRoot(call)
      if (denied !== undefined) return answer(call, HeaderOnly, denied)
      context.leadership.move(targetId, (failure) => answer(call, HeaderOnly, failure ?? { header: header() }))
    }),
    unary("/etcdserverpb.Maintenance/Downgrade", DowngradeRequest, ({ action, version }, call) =>
      answer(call, DowngradeResponse, auth.requireRoot(call) ?? downgrade(action, version))
    )
  ]
}

const status = (context: ApiContext, { quotaBytes }: MaintenanceOptions, call: UnaryCall): void => {
  const { alarms, auth, header, store } = context
  const denied = auth.requireUser(call)
  if (denied !== undefined) return answer(call, StatusResponse, denied)
  const { inUseBytes, totalBytes } = store.engine.size()
  const { memberId, term } = header.identity
  answer(call, StatusResponse, {
    header: header.message(store.revision),
    version: ETCD_VERSION,
    dbSize: totalBytes,
    dbSizeInUse: inUseBytes,
    dbSizeQuota: quotaBytes,
    leader: context.leadership.leaderId(),
    raftIndex: store.revision,
    raftAppliedIndex: store.revision,
    raftTerm: term,
    storageVersion: STORAGE_VERSION,
    downgradeInfo: { enabled: false, targetVersion: "" },
    errors: alarms.active.map(
      (alarm) => `memberID:${memberId} alarm:${alarm === AlarmType.NoSpace ? "NOSPACE" : "CORRUPT"} `
    )
  })
}

const alarm = (
  context: ApiContext,
  request: { readonly action: number; readonly alarm: number },
  call: UnaryCall
): void => {
  const { alarms, header, store } = context
  const memberId = header.identity.memberId
  const list = (active: ReadonlyArray<number>) => ({
    header: header.message(store.revision),
    alarms: active.map((raised) => ({ memberId, alarm: raised }))
  })
  if (request.action === AlarmAction.Get) {
    const wanted = request.alarm
    return answer(
      call,
      AlarmResponse,
      context.auth.requireUser(call) ??
        list(alarms.active.filter((raised) => wanted === AlarmType.None || raised === wanted))
    )
  }
  const denied = context.auth.requireRoot(call)
  if (denied !== undefined) return answer(call, AlarmResponse, denied)
  if (request.action === AlarmAction.Activate) {
    return alarms.raise(request.alarm, (failure) => answer(call, AlarmResponse, failure ?? list([request.alarm])))
  }
  const was = alarms.active.includes(request.alarm)
  alarms.clear(request.alarm, (failure) => answer(call, AlarmResponse, failure ?? list(was ? [request.alarm] : [])))
}

const DOWNGRADE_CANCEL = 2

/** There is no other version to go to: asking is answered as by an etcd that cannot, cancelling as by one that does not. */
const downgrade = (action: number, version: string): EtcdFailure => {
  if (action === DOWNGRADE_CANCEL) return Failure.noInflightDowngrade
  return /^\d+\.\d+(\.\d+)?$/.test(version) ? Failure.invalidDowngradeTarget : Failure.wrongDowngradeVersionFormat
}

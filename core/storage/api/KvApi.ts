// etcd's KV service: Range, RangeStream, Put, DeleteRange, Txn, Compact.
// Owns the way from a call to the store and back; refuses semantics, which are mvcc's. Answers are written once, from the
// engine's memory into the bytes that leave.
import { ProtoWriter, type GrpcMethod, type UnaryCall } from "#net"
import { EtcdFailure } from "../rpc/EtcdFailure.ts"
import {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest
} from "../rpc/KvMessages.ts"
import { writeRange } from "../mvcc/RangeReply.ts"
import { keyNeed, keysNeeds, rangeNeeds, txnNeeds } from "../mvcc/Needs.ts"
import { check, checkPut, decide, execute, isReadOnly, writeDeleteRangeBody, writePutBody } from "../mvcc/Txn.ts"
import { validateDeleteRange, validatePut, validateRange, validateTxn } from "../mvcc/TxnRules.ts"
import { answer, failCall, refuseSize, unary, type ApiContext } from "./ApiContext.ts"
import { ReplyWriter } from "./ReplyWriter.ts"
import { rangeStreamMethod } from "./RangeStreamApi.ts"

export const kvMethods = (context: ApiContext): ReadonlyArray<GrpcMethod> => [
  unary("/etcdserverpb.KV/Range", RangeRequest, (request, call) => range(context, call, request)),
  rangeStreamMethod(context),
  unary("/etcdserverpb.KV/Put", PutRequest, (request, call, size) => put(context, call, request, size)),
  unary("/etcdserverpb.KV/DeleteRange", DeleteRangeRequest, (request, call, size) =>
    deleteRange(context, call, request, size)
  ),
  unary("/etcdserverpb.KV/Txn", TxnRequest, (request, call, size) => txn(context, call, request, size)),
  unary("/etcdserverpb.KV/Compact", CompactionRequest, ({ physical, revision }, call) => {
    const denied = context.auth.requireRoot(call)
    if (denied !== undefined) return failCall(call, denied)
    context.compactor.compact(revision, physical, (failure) =>
      answer(call, CompactionResponse, failure ?? { header: context.header.message(context.store.revision) })
    )
  })
]

const replyWriter = new ReplyWriter()

const range = (context: ApiContext, call: UnaryCall, request: RangeRequest): void => {
  const failure = validateRange(request) ?? context.auth.range(call, request.key, request.rangeEnd)
  if (failure !== undefined) return failCall(call, failure)
  const { header, store } = context
  store.read(
    (scale) => rangeNeeds(request, scale),
    (view) => {
      const snapshot = store.at(view, request.revision)
      if (snapshot instanceof EtcdFailure) return failCall(call, snapshot)
      replyWriter.start()
      header.write(replyWriter, snapshot.committed)
      writeRange(replyWriter, snapshot, request)
      replyWriter.send(call)
    }
  )
}

/** The answer of a write: its header comes last to be known and first to be written. */
const answerWrite = (context: ApiContext, call: UnaryCall, body: Buffer | EtcdFailure, revision: number): void => {
  if (call.cancelled) return
  if (body instanceof EtcdFailure) return failCall(call, body)
  replyWriter.start()
  context.header.write(replyWriter, revision)
  replyWriter.raw(body)
  replyWriter.send(call)
}

const NOTHING = Buffer.alloc(0)
const bodyOf = (writer: ProtoWriter): Buffer => (writer.position === 0 ? NOTHING : writer.take())
const bodyWriter = new ProtoWriter(4096)

const put = (context: ApiContext, call: UnaryCall, request: PutRequest, sizeBytes: number): void => {
  const { alarms, auth, store } = context
  const failure =
    validatePut(request) ?? alarms.refuseWrite() ?? refuseSize(context, sizeBytes) ?? auth.put(call, request)
  if (failure !== undefined) return failCall(call, failure)
  store.write(
    () => [keyNeed(request.key)],
    (write) => {
      const refused = checkPut(request, write.snapshot(), store)
      if (refused !== undefined) return refused
      bodyWriter.position = 0
      writePutBody(bodyWriter, request, write)
      return bodyOf(bodyWriter)
    },
    (body, revision) => answerWrite(context, call, body, revision)
  )
}

const deleteRange = (context: ApiContext, call: UnaryCall, request: DeleteRangeRequest, sizeBytes: number): void => {
  const failure =
    validateDeleteRange(request) ?? refuseSize(context, sizeBytes) ?? context.auth.deleteRange(call, request)
  if (failure !== undefined) return failCall(call, failure)
  context.store.write(
    () => keysNeeds(request.key, request.rangeEnd),
    (write) => {
      bodyWriter.position = 0
      writeDeleteRangeBody(bodyWriter, request, write)
      return bodyOf(bodyWriter)
    },
    (body, revision) => answerWrite(context, call, body, revision)
  )
}

const txn = (context: ApiContext, call: UnaryCall, request: TxnRequest, sizeBytes: number): void => {
  const failure =
    validateTxn(request, context.limits.txnOpsMax) ??
    context.alarms.refuseTxn(request) ??
    (isReadOnly(request) ? undefined : refuseSize(context, sizeBytes)) ??
    context.auth.txn(call, request)
  if (failure !== undefined) return failCall(call, failure)
  if (isReadOnly(request)) return readOnlyTxn(context, call, request)
  context.store.write(
    () => txnNeeds(request),
    (write) => {
      const base = write.snapshot()
      const path = decide(request, base)
      const failed = check(path, base, context.store)
      if (failed !== undefined) return failed
      bodyWriter.position = 0
      execute(bodyWriter, path, {
        get revision() {
          return write.revision
        },
        snapshot: (revision) => write.snapshot(revision),
        write
      })
      return bodyOf(bodyWriter)
    },
    (body, revision) => answerWrite(context, call, body, revision)
  )
}

const readOnlyTxn = (context: ApiContext, call: UnaryCall, request: TxnRequest): void => {
  const { header, store } = context
  store.read(
    () => txnNeeds(request),
    (view) => {
      const latest = store.latest(view)
      const path = decide(request, latest)
      const failure = check(path, latest, { lessor: store.lessor, compacted: store.compactedIn(view) })
      if (failure !== undefined) return failCall(call, failure)
      replyWriter.start()
      header.write(replyWriter, latest.committed)
      execute(replyWriter, path, {
        revision: latest.committed,
        snapshot: (revision) => (revision === undefined ? latest : latest.at(revision)),
        write: undefined
      })
      replyWriter.send(call)
    }
  )
}

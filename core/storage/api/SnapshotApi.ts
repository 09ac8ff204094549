// Maintenance.Snapshot: the store at one revision as an etcd 3.7 database file, streamed as etcd streams it.
// Owns the stream: chunks, what remains, the trailing checksum, and waiting for slow readers; refuses to build the file.
// Source: etcd 3.7 server/etcdserver/api/v3rpc/maintenance.go.
import { createHash } from "node:crypto"
import { GrpcCode, type GrpcMethod, type StreamCall } from "#net"
import { VersionMissing } from "../mvcc/VersionWalk.ts"
import { SnapshotResponse } from "../rpc/AdminMessages.ts"
import { EtcdFailure, Failure } from "../rpc/EtcdFailure.ts"
import { buildSnapshot } from "../snapshot/SnapshotBuild.ts"
import type { SnapshotFile, SnapshotFiles } from "../snapshot/SnapshotFile.ts"
import { STORAGE_VERSION } from "../snapshot/StoreSnapshot.ts"
import type { MemberInfo } from "./ClusterApi.ts"
import { failCall, type ApiContext } from "./ApiContext.ts"

/** Bytes of a blob, as etcd sends them. */
const BLOB_BYTES = 32 * 1024
/** Bytes read from the file at once. */
const READ_BYTES = 8 * BLOB_BYTES
/** Snapshots under way at once: each takes its size on the disk. More are answered `too many requests`. */
const SNAPSHOTS_MAX = 4

export interface SnapshotOptions {
  readonly defer: (run: () => void) => void
  readonly files: SnapshotFiles
  readonly member: () => MemberInfo
}

export const snapshotMethods = (context: ApiContext, options: SnapshotOptions): ReadonlyArray<GrpcMethod> => {
  let running = 0
  return [
    {
      path: "/etcdserverpb.Maintenance/Snapshot",
      stream: (call) => ({
        message: () => {
          const refused =
            context.auth.requireRoot(call) ?? (running < SNAPSHOTS_MAX ? undefined : Failure.tooManyRequests)
          if (refused !== undefined) return failCall(call, refused)
          running++
          new SnapshotStream(context, options, call, () => running--).start()
        },
        end: () => undefined
      })
    }
  ]
}

class SnapshotStream {
  private readonly context: ApiContext
  private readonly options: SnapshotOptions
  private readonly call: StreamCall
  private readonly ended: () => void
  private readonly hash = createHash("sha256")
  private over = false

  constructor(context: ApiContext, options: SnapshotOptions, call: StreamCall, ended: () => void) {
    this.context = context
    this.options = options
    this.call = call
    this.ended = ended
  }

  start(): void {
    this.options.files.create((error, file) => {
      if (file !== undefined) return this.build(file)
      this.fail(error)
      this.ended()
    })
  }

  private build(file: SnapshotFile): void {
    const { call, context, options } = this
    call.onCancel = () => this.finish(file)
    if (call.cancelled) return this.finish(file)
    const { compactor, header, store } = context
    buildSnapshot({
      store,
      compactor,
      origin: { identity: header.identity, member: options.member() },
      defer: options.defer,
      file,
      cancelled: () => this.over,
      done: (error, sizeBytes) => {
        if (error === undefined) return this.send(file, 0, sizeBytes)
        this.fail(error)
        this.finish(file)
      }
    })
  }

  /** Reads a stretch and sends it in blobs; the next stretch is read when the client has taken most of this one. */
  private send(file: SnapshotFile, offset: number, total: number): void {
    if (this.over) return
    if (offset === total) return this.sendChecksum(file)
    file.read(offset, Math.min(READ_BYTES, total - offset), (error, bytes) => {
      if (this.over) return
      if (error !== undefined) {
        this.fail(error)
        return this.finish(file)
      }
      this.hash.update(bytes)
      let room = true
      for (let at = 0; at < bytes.length; at += BLOB_BYTES) {
        const blob = bytes.subarray(at, at + BLOB_BYTES)
        room = this.sendBlob(blob, total - offset - at - blob.length)
      }
      const next = (): void => this.send(file, offset + bytes.length, total)
      if (room) return next()
      this.call.onDrain = () => {
        this.call.onDrain = undefined
        next()
      }
    })
  }

  private sendBlob(blob: Uint8Array, remainingBytes: number): boolean {
    return this.call.sendOwned(SnapshotResponse.encode({ remainingBytes, blob, version: STORAGE_VERSION }))
  }

  private sendChecksum(file: SnapshotFile): void {
    this.sendBlob(this.hash.digest(), 0)
    this.call.end()
    this.finish(file)
  }

  private fail(error: unknown): void {
    if (this.call.cancelled) return
    const detail = error instanceof Error ? error.message : String(error)
    if (error instanceof VersionMissing) return failCall(this.call, Failure.corrupt)
    failCall(this.call, new EtcdFailure(GrpcCode.Unavailable, `etcdserver: the snapshot could not be made: ${detail}`))
  }

  private finish(file: SnapshotFile): void {
    if (this.over) return
    this.over = true
    this.ended()
    file.discard()
  }
}

// Exports: a running server or a data directory as a snapshot that etcdutl restores, or as lines of JSON.
// Owns both forms and that a file appears whole or not at all; refuses to know how snapshots are laid out.
import { createHash } from "node:crypto"
import { join } from "node:path"
import { Console, Effect } from "effect"
import type { Int64 } from "#net"
import type { Engine } from "../engine/Engine.ts"
import { openLmdbEngine } from "../engine/LmdbEngine.ts"
import { readRecord } from "../mvcc/Record.ts"
import { runSlices, type Slices } from "../mvcc/Slices.ts"
import { keyRange } from "../mvcc/Snapshot.ts"
import { Store } from "../mvcc/Store.ts"
import type { KeyValue } from "../rpc/KvMessages.ts"
import { machineClockwork } from "#kube"
import { placeOf } from "./BoltFileAdapter.ts"
import { BoltWriter } from "./BoltWriter.ts"
import { isEndpoint, openEndpoint, prefixRange, type EndpointOptions } from "./EtcdClient.ts"
import { makeProgress } from "./Import.ts"
import { writeStore } from "./StoreSnapshot.ts"
import { beginFile, type NewFile } from "./TargetAdapter.ts"
import { attempt, TransferError } from "./Transfer.ts"

const SHA_BYTES = 32
const PENDING_BYTES = 4 * 2 ** 20
const KEYS_PER_STRETCH = 2000

/** Who a snapshot of a directory that no server has open says it is from; a restore puts its own members instead. */
const offline = {
  identity: { clusterId: 1, memberId: 1, term: 1 },
  member: { name: "default", peerUrls: ["http://localhost:2380"], clientUrls: [] }
}

/** Writes a snapshot file. */
export const exportSnapshot = Effect.fn("storage.export.snapshot")(function* (source: EndpointOptions, out: string) {
  const file = yield* beginFile(out)
  if (isEndpoint(source.url)) yield* receiveSnapshot(source, file)
  else yield* writeDirectory(source.url, file)
  yield* file.publish
  yield* Console.log(`${out}: a snapshot of ${source.url}; restore it with: etcdutl snapshot restore ${out}`)
})

const receiveSnapshot = Effect.fnUntraced(function* (source: EndpointOptions, file: NewFile) {
  const endpoint = yield* openEndpoint(source)
  const hash = createHash("sha256")
  let last: Buffer = Buffer.alloc(0)
  yield* endpoint.snapshot((blob) => {
    hash.update(last)
    file.write(blob)
    last = blob
  })
  if (last.length !== SHA_BYTES || !hash.digest().equals(last)) {
    return yield* new TransferError({ subject: source.url, rule: "sent a snapshot that does not match its SHA-256" })
  }
})

const wordsOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : typeof thrown)

const openDirectory = Effect.fnUntraced(function* (path: string) {
  const place = yield* placeOf(path)
  if (place.kind === "database") {
    return yield* new TransferError({ subject: path, rule: "is etcd's own: copy its snapshot, or import it first" })
  }
  return yield* openLmdbEngine({ directory: join(path, "store") })
})

const openStore = (engine: Engine, path: string) =>
  Effect.try({
    try: () => new Store(engine, { defer: machineClockwork.defer, minLeaseTtlSeconds: 1 }),
    catch: (error) =>
      new TransferError({ subject: path, rule: "must be a store of this version", detail: String(error) })
  })

const writeDirectory = Effect.fnUntraced(function* (path: string, file: NewFile) {
  const engine = yield* openDirectory(path)
  const store = yield* openStore(engine, path)
  const writer = new BoltWriter()
  const flush = (): void => {
    for (const chunk of writer.take()) file.write(chunk)
  }
  let head: Buffer = Buffer.alloc(0)
  const slices = function* (): Slices {
    head = yield* writeStore(store, writer, offline)
  }
  yield* Effect.callback<void, TransferError>((resume) =>
    runSlices(engine, slices(), {
      between: (next, abandon) => {
        try {
          if (writer.pendingBytes > PENDING_BYTES) flush()
          machineClockwork.defer(next)
        } catch (error) {
          abandon()
          resume(Effect.fail(new TransferError({ subject: path, rule: "cannot be exported", detail: wordsOf(error) })))
        }
      },
      done: (thrown) =>
        resume(
          thrown === undefined
            ? Effect.void
            : Effect.fail(
                new TransferError({ subject: path, rule: "cannot be read in whole", detail: wordsOf(thrown) })
              )
        )
    })
  )
  yield* attempt(() => {
    flush()
    file.patchHead(head)
    file.write(file.sha256())
  })
})

const line = (key: Uint8Array, value: Uint8Array, numbers: Record<string, Int64>): string => {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64")
  // Numbers are printed as digits whatever their size, as etcdctl does: JSON has no 64-bit limit.
  const fields = Object.entries(numbers).map(([name, number]) => `"${name}":${number}`)
  return `{"key":"${base64(key)}",${fields.join(",")},"value":"${base64(value)}"}\n`
}

const lineOf = ({ createRevision, key, lease, modRevision, value, version }: KeyValue): string =>
  line(key, value, { create_revision: createRevision, mod_revision: modRevision, version, lease })

/** Writes the living keys of a prefix as lines of JSON, with etcdctl's field names, keys and values in base64. */
export const exportLines = Effect.fn("storage.export.lines")(function* (
  source: EndpointOptions,
  prefix: Uint8Array,
  out: string
) {
  const file = yield* beginFile(out)
  const progress = yield* makeProgress("exported keys:")
  let revision: number
  if (isEndpoint(source.url)) {
    const endpoint = yield* openEndpoint(source)
    revision = yield* endpoint.revision(prefix)
    yield* endpoint.pages(prefix, revision, (kvs) =>
      attempt(() => file.write(Buffer.from(kvs.map(lineOf).join("")))).pipe(Effect.andThen(progress.add(kvs.length)))
    )
  } else {
    const store = yield* openStore(yield* openDirectory(source.url), source.url)
    revision = store.revision
    let from: Uint8Array | undefined = prefixRange(prefix).key
    while (from !== undefined) {
      const start: Uint8Array = from
      const { count, next } = yield* attempt(() => writeLines(store, start, prefixRange(prefix).rangeEnd, file))
      from = next
      yield* progress.add(count)
    }
  }
  yield* file.publish
  yield* Console.log(`${out}: ${progress.total()} keys of ${source.url} at revision ${revision}`)
})

const writeLines = (store: Store, from: Uint8Array, rangeEnd: Uint8Array, file: NewFile) => {
  let next: Uint8Array | undefined
  const lines: Array<string> = []
  store.engine.read(
    () => [],
    (view) =>
      store.latest(view).scan(keyRange(from, rangeEnd), (key, record) => {
        const { createRevision, lease, modRevision, valueEnd, valueStart, version } = readRecord(record)
        const numbers = { create_revision: createRevision, mod_revision: modRevision, version, lease }
        lines.push(line(key, record.subarray(valueStart, valueEnd), numbers))
        if (lines.length === KEYS_PER_STRETCH) next = Buffer.concat([key, Buffer.alloc(1)])
        return next === undefined
      })
  )
  file.write(Buffer.from(lines.join("")))
  return { count: lines.length, next }
}

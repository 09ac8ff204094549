import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { connect, type GrpcClient, type MessageType } from "#net"
import { SnapshotResponse } from "#storage"
import {
  AuthUserAddRequest,
  AuthUserGrantRoleRequest,
  Empty,
  HeaderOnly,
  AuthNameRequest
} from "../../../core/storage/rpc/AdminMessages.ts"
import { LeaseTimeToLiveRequest, LeaseTimeToLiveResponse } from "#storage"
import { program, programs, run, startEtcd, startStore, temporaryFolder } from "./Programs.ts"
import { call, compact, contents, put, range, runWorkload } from "./Workload.ts"

/** Restores a snapshot with etcdutl and starts a real etcd on the result. */
const restored = Effect.fn(function* (tools: { etcd: string; etcdutl: string }, snapshot: string, folder: string) {
  const dataDir = join(folder, "restored")
  yield* run(tools.etcdutl, "snapshot", "restore", snapshot, "--data-dir", dataDir)
  const { port, url } = yield* startEtcd(tools.etcd, dataDir)
  return { client: yield* connect({ host: "127.0.0.1", port }), url }
})

const sameAtEveryRevision = Effect.fn(function* (ours: GrpcClient, theirs: GrpcClient, first: number, last: number) {
  for (let revision = first; revision <= last; revision++) {
    assert.deepStrictEqual(yield* contents(theirs, revision), yield* contents(ours, revision), `revision ${revision}`)
  }
})

describe("Maintenance.Snapshot", () => {
  for (const seed of [1, 2, 3]) {
    it.live(
      `is restored by etcdutl into a real etcd with all keys, revisions and leases (seed ${seed})`,
      () =>
        Effect.gen(function* () {
          const tools = {
            etcd: yield* program("etcd"),
            etcdutl: yield* program("etcdutl"),
            etcdctl: yield* program("etcdctl")
          }
          const folder = yield* temporaryFolder
          const ours = yield* startStore()
          const steps = {
            seed,
            steps: 400,
            keys: 60,
            compactAfter: seed === 1 ? [] : seed === 2 ? [200] : [100, 250, 399]
          }
          const { compacted, revision } = yield* runWorkload(ours.client, steps)
          const path = join(folder, "ours.db")
          yield* run(tools.etcdctl, "--endpoints", ours.url, "snapshot", "save", path)
          const status = JSON.parse(yield* run(tools.etcdutl, "snapshot", "status", path, "-w", "json")) as object
          const live = yield* contents(ours.client, revision)
          assert.deepInclude(status, { revision, totalKey: live.length, version: "3.7.0" })
          const theirs = yield* restored(tools, path, folder)
          yield* sameAtEveryRevision(ours.client, theirs.client, Math.max(compacted, 1), revision)
          if (compacted > 1) {
            const error = yield* Effect.flip(contents(theirs.client, compacted - 1))
            assert.match(error.message, /required revision has been compacted/)
          }
          for (const id of [1001, 1002, 1003]) {
            const timeToLive = (client: GrpcClient) =>
              call(client, "Lease/LeaseTimeToLive", LeaseTimeToLiveRequest, LeaseTimeToLiveResponse, { id, keys: true })
            const [mine, other] = [yield* timeToLive(ours.client), yield* timeToLive(theirs.client)]
            assert.strictEqual(other.grantedTtl, mine.grantedTtl)
            const keys = (answer: typeof mine) => answer.keys.map((key) => Buffer.from(key).toString("hex")).sort()
            assert.deepStrictEqual(keys(other), keys(mine))
          }
          yield* put(theirs.client, { key: Buffer.from("after"), value: Buffer.from("restore") })
          const after = yield* range(theirs.client, { key: Buffer.from("after") })
          assert.strictEqual(after.header?.revision, revision + 1)
        }),
      120_000
    )
  }

  it.live(
    "is one revision though writers, leases and compaction go on",
    () =>
      Effect.gen(function* () {
        const etcdutl = yield* program("etcdutl")
        const folder = yield* temporaryFolder
        const { client, storage, url } = yield* startStore()
        for (let index = 0; index < 12_000; index += 500) {
          yield* Effect.forEach(
            Array.from({ length: 500 }, (_, at) => index + at),
            (key) => put(client, { key: Buffer.from(`key${key}`), value: Buffer.alloc(100, key & 255) }),
            { concurrency: "unbounded", discard: true }
          )
        }
        const before = storage.store.revision
        yield* compact(client, before - 3000)
        const writers = yield* Effect.forEach(
          Array.from({ length: 20_000 }, (_, index) => index),
          (index) => put(client, { key: Buffer.from(`key${(index * 7) % 12_000}`), value: Buffer.from(`new${index}`) }),
          { concurrency: 50, discard: true }
        ).pipe(Effect.forkScoped)
        const path = join(folder, "ours.db")
        const saving = yield* run(yield* program("etcdctl"), "--endpoints", url, "snapshot", "save", path).pipe(
          Effect.forkScoped
        )
        yield* Effect.sleep(60)
        yield* compact(client, storage.store.revision - 1)
        yield* Fiber.join(saving)
        const status = JSON.parse(yield* run(etcdutl, "snapshot", "status", path, "-w", "json")) as Record<
          string,
          number
        >
        assert.isAtLeast(status.revision, before)
        assert.deepInclude(status, { totalKey: 12_000 })
        yield* Fiber.join(writers)
        assert.strictEqual(storage.store.revision, before + 20_000)
      }),
    120_000
  )

  it.live("ends with the SHA-256 of what came before, in blobs of at most 32 KiB", () =>
    Effect.gen(function* () {
      const { client } = yield* startStore()
      yield* runWorkload(client, { seed: 9, steps: 200, keys: 50, compactAfter: [] })
      const blobs = yield* snapshot(client)
      const data = Buffer.concat(blobs.slice(0, -1).map(({ blob }) => Buffer.from(blob)))
      assert.strictEqual(data.length % 4096, 0)
      assert.deepStrictEqual(Buffer.from(blobs.at(-1)!.blob), createHash("sha256").update(data).digest())
      let remaining = data.length
      for (const { blob, remainingBytes, version } of blobs.slice(0, -1)) {
        assert.isAtMost(blob.length, 32_768)
        assert.strictEqual(remainingBytes, (remaining -= blob.length))
        assert.strictEqual(version, "3.7.0")
      }
    })
  )

  it.live(
    "lets compaction go on when its reader has gone, at whatever moment that was",
    () =>
      Effect.gen(function* () {
        const { client, storage } = yield* startStore()
        for (let round = 0; round < 30; round++) {
          yield* runWorkload(client, { seed: round, steps: 30, keys: 500, compactAfter: [] }, 2000 + round * 10)
          const stream = client.stream("/etcdserverpb.Maintenance/Snapshot", { message: () => {}, end: () => {} })
          stream.send(Empty.encode({}))
          stream.halfClose()
          yield* Effect.sleep(round % 10)
          stream.cancel()
          yield* compact(client, storage.store.revision)
        }
        assert.isAbove(storage.compactor.stats.rowsRemoved, 0)
        assert.isAbove((yield* snapshot(client)).length, 1)
      }),
    60_000
  )

  it.live(
    "carries users and roles, which a restored etcd asks for",
    () =>
      Effect.gen(function* () {
        const [etcd, etcdctl, etcdutl] = yield* programs("etcd", "etcdctl", "etcdutl")
        const folder = yield* temporaryFolder
        const { client, url } = yield* startStore()
        yield* put(client, { key: Buffer.from("a"), value: Buffer.from("b") })
        yield* call(client, "Auth/UserAdd", AuthUserAddRequest, HeaderOnly, { name: "root", password: "secret" })
        yield* call(client, "Auth/RoleAdd", AuthNameRequest, HeaderOnly, { name: "root" })
        yield* call(client, "Auth/UserGrantRole", AuthUserGrantRoleRequest, HeaderOnly, { user: "root", role: "root" })
        yield* call(client, "Auth/AuthEnable", Empty, HeaderOnly, {})
        const path = join(folder, "ours.db")
        const denied = yield* Effect.flip(snapshot(client))
        assert.match(denied.message, /user name is empty|permission denied/)
        yield* run(etcdctl, "--endpoints", url, "--user", "root:secret", "snapshot", "save", path)
        const theirs = yield* restored({ etcd, etcdutl }, path, folder)
        assert.strictEqual(
          (yield* run(
            etcdctl,
            "--endpoints",
            theirs.url,
            "--user",
            "root:secret",
            "get",
            "a",
            "--print-value-only"
          )).trim(),
          "b"
        )
        const refused = yield* Effect.flip(range(theirs.client, { key: Buffer.from("a") }))
        assert.match(refused.message, /user name is empty/)
      }),
    120_000
  )

  it.live(
    "of an empty store is a file that etcdutl takes",
    () =>
      Effect.gen(function* () {
        const etcdutl = yield* program("etcdutl")
        const folder = yield* temporaryFolder
        const { url } = yield* startStore()
        const path = join(folder, "ours.db")
        yield* run(yield* program("etcdctl"), "--endpoints", url, "snapshot", "save", path)
        assert.strictEqual(readFileSync(path).length % 512, 32)
        const theirs = yield* restored({ etcd: yield* program("etcd"), etcdutl }, path, folder)
        assert.deepStrictEqual(yield* contents(theirs.client, 0), [])
      }),
    60_000
  )
})

const snapshot = (client: GrpcClient) =>
  Effect.callback<ReadonlyArray<MessageType<typeof SnapshotResponse>>, Error>((resume) => {
    const answers: Array<MessageType<typeof SnapshotResponse>> = []
    const stream = client.stream("/etcdserverpb.Maintenance/Snapshot", {
      message: (bytes) => void answers.push(SnapshotResponse.decode(Buffer.from(bytes))),
      end: (status) => resume(status.code === 0 ? Effect.succeed(answers) : Effect.fail(status))
    })
    stream.send(Empty.encode({}))
    stream.halfClose()
  })

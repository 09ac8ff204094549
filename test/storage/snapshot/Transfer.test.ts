import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Scope } from "effect"
import { connect, type GrpcClient } from "#net"
import { LeaseTimeToLiveRequest, LeaseTimeToLiveResponse, openLmdbEngine } from "#storage"
import { exportLines, exportSnapshot } from "../../../core/storage/snapshot/Export.ts"
import { importToDirectory, importToEndpoint } from "../../../core/storage/snapshot/Import.ts"
import { openSource } from "../../../core/storage/snapshot/ImportSource.ts"
import { AuthNameRequest, AuthUserAddRequest, HeaderOnly } from "../../../core/storage/rpc/AdminMessages.ts"
import { BoltWriter } from "../../../core/storage/snapshot/BoltWriter.ts"
import { encodeRevision } from "../../../core/storage/mvcc/RevisionBytes.ts"
import { program, programs, run, startEtcd, startStore, temporaryFolder } from "./Programs.ts"
import { call, compact, contents, hashKv, put, range, runWorkload } from "./Workload.ts"

const at = (url: string) => ({ url, user: undefined, password: undefined, tls: {} })
const all = Buffer.alloc(0)

const importDirectory = (from: string, dataDir: string, prefix: Buffer = all) =>
  Effect.scoped(
    Effect.gen(function* () {
      const source = yield* openSource(at(from), prefix)
      yield* importToDirectory(source, dataDir, prefix.length > 0)
    })
  )

const serve = Effect.fn(function* (dataDir: string) {
  return yield* startStore(yield* openLmdbEngine({ directory: join(dataDir, "store"), sync: false }))
})

const etcdWith = Effect.fn(function* (etcd: string, folder: string, options: Parameters<typeof runWorkload>[1]) {
  const endpoint = yield* startEtcd(etcd, join(folder, "etcd"), "--max-txn-ops", "1000")
  const client = yield* connect({ host: "127.0.0.1", port: endpoint.port })
  return { ...endpoint, client, ...(yield* runWorkload(client, options)) }
})

const grantedTtl = (client: GrpcClient, id: number) =>
  call(client, "Lease/LeaseTimeToLive", LeaseTimeToLiveRequest, LeaseTimeToLiveResponse, { id, keys: true })

describe("wharf storage import", () => {
  for (const compactAfter of [[], [120], [50, 150, 249]]) {
    it.live(
      `keeps all of an etcd snapshot (${compactAfter.length} compactions)`,
      () =>
        Effect.gen(function* () {
          const [etcd, etcdctl] = yield* programs("etcd", "etcdctl")
          const folder = yield* temporaryFolder
          const theirs = yield* etcdWith(etcd, folder, { seed: 21, steps: 250, keys: 40, compactAfter })
          yield* call(theirs.client, "Auth/UserAdd", AuthUserAddRequest, HeaderOnly, { name: "ann", password: "x" })
          yield* call(theirs.client, "Auth/RoleAdd", AuthNameRequest, HeaderOnly, { name: "reader" })
          const file = join(folder, "theirs.db")
          yield* run(etcdctl, "--endpoints", theirs.url, "snapshot", "save", file)
          const dataDir = join(folder, "ours")
          yield* importDirectory(file, dataDir)
          const ours = yield* serve(dataDir)
          assert.strictEqual(ours.storage.store.revision, theirs.revision)
          for (let revision = Math.max(1, theirs.compacted); revision <= theirs.revision; revision++) {
            assert.deepStrictEqual(yield* contents(ours.client, revision), yield* contents(theirs.client, revision))
          }
          assert.strictEqual((yield* hashKv(ours.client)).hash, (yield* hashKv(theirs.client)).hash)
          for (const id of [1001, 1002, 1003]) {
            const [mine, other] = [yield* grantedTtl(ours.client, id), yield* grantedTtl(theirs.client, id)]
            assert.deepStrictEqual([mine.grantedTtl, mine.keys.length], [other.grantedTtl, other.keys.length])
          }
          const users = yield* run(etcdctl, "--endpoints", ours.url, "user", "list")
          assert.strictEqual(users.trim(), "ann")
          // What was imported goes on as the original does: same writes, same compaction, same hash.
          for (const { client } of [ours, theirs]) {
            for (const key of ["a", "b", "c"]) yield* put(client, { key: Buffer.from(key), value: Buffer.from("new") })
            yield* compact(client, theirs.revision + 1)
            yield* put(client, { key: Buffer.from("a"), value: Buffer.from("newer") })
          }
          assert.strictEqual((yield* hashKv(ours.client)).hash, (yield* hashKv(theirs.client)).hash)
        }),
      120_000
    )
  }

  it.live(
    "keeps keys, revisions and leases of a running etcd, and serves again what a real etcd restores",
    () =>
      Effect.gen(function* () {
        const [etcd, etcdutl] = yield* programs("etcd", "etcdutl")
        const folder = yield* temporaryFolder
        const theirs = yield* etcdWith(etcd, folder, { seed: 22, steps: 300, keys: 3000, compactAfter: [100] })
        const dataDir = join(folder, "ours")
        yield* importDirectory(theirs.url, dataDir)
        const live = yield* contents(theirs.client, theirs.revision)
        const snapshot = join(folder, "ours.db")
        yield* Effect.scoped(
          Effect.gen(function* () {
            const ours = yield* serve(dataDir)
            assert.deepStrictEqual(yield* contents(ours.client, 0), live)
            assert.strictEqual(ours.storage.store.revision, theirs.revision)
            assert.match((yield* Effect.flip(contents(ours.client, theirs.revision - 1))).message, /compacted/)
            const lease = yield* grantedTtl(ours.client, 1001)
            assert.isAtMost(Number(lease.grantedTtl), 7001)
            assert.isAtLeast(Number(lease.grantedTtl), 6900)
          })
        )
        yield* Effect.scoped(exportSnapshot(at(dataDir), snapshot))
        yield* run(etcdutl, "snapshot", "restore", snapshot, "--data-dir", join(folder, "restored"))
        const again = yield* startEtcd(etcd, join(folder, "restored"))
        const client = yield* connect({ host: "127.0.0.1", port: again.port })
        assert.deepStrictEqual(yield* contents(client, 0), live)
        const { header } = yield* range(client, { key: Buffer.from("x") })
        assert.strictEqual(header?.revision, theirs.revision)
      }),
    120_000
  )

  it.live(
    "reads the data directory of a stopped etcd, and only a prefix when asked",
    () =>
      Effect.gen(function* () {
        const etcd = yield* program("etcd")
        const folder = yield* temporaryFolder
        const live = yield* Effect.scoped(
          Effect.gen(function* () {
            const theirs = yield* etcdWith(etcd, folder, { seed: 23, steps: 100, keys: 100, compactAfter: [] })
            return yield* contents(theirs.client, 0)
          })
        )
        const dataDir = join(folder, "ours")
        yield* importDirectory(join(folder, "etcd"), dataDir, Buffer.from("key/00"))
        const ours = yield* serve(dataDir)
        assert.deepStrictEqual(
          yield* contents(ours.client, 0),
          live.filter((text) => text.startsWith("key/00"))
        )
      }),
    120_000
  )

  it.live(
    "puts living keys into a running server, with leases, and not over others'",
    () =>
      Effect.gen(function* () {
        const [etcd, etcdctl] = yield* programs("etcd", "etcdctl")
        const folder = yield* temporaryFolder
        const theirs = yield* etcdWith(etcd, folder, { seed: 24, steps: 300, keys: 80, compactAfter: [200] })
        const file = join(folder, "theirs.db")
        yield* run(etcdctl, "--endpoints", theirs.url, "snapshot", "save", file)
        const ours = yield* startStore()
        const plain = (client: GrpcClient) =>
          contents(client, 0).pipe(
            Effect.map((rows) =>
              rows.map((row) => row.split("|")).map((cells) => [cells[0], cells[4], cells[5]].join("|"))
            )
          )
        const into = (from: string, overwrite: boolean) =>
          Effect.scoped(
            Effect.gen(function* () {
              const source = yield* openSource(at(from), all)
              yield* importToEndpoint(source, at(ours.url), { prefix: all, overwrite })
            })
          )
        yield* into(file, false)
        assert.deepStrictEqual(yield* plain(ours.client), yield* plain(theirs.client))
        const refused = yield* Effect.flip(into(theirs.url, false))
        assert.match(refused.message, /must have no keys there yet, but has \d+: give --overwrite/)
        yield* into(theirs.url, true)
        const key = (row: string): string => row.split("|")[0]
        assert.deepStrictEqual((yield* plain(ours.client)).map(key), (yield* plain(theirs.client)).map(key))
      }),
    120_000
  )

  it.live(
    "logs in where users are asked for, and says so where it may not read",
    () =>
      Effect.gen(function* () {
        const [etcd, etcdctl] = yield* programs("etcd", "etcdctl")
        const folder = yield* temporaryFolder
        const { url } = yield* startEtcd(etcd, join(folder, "etcd"))
        const ctl = (...args: ReadonlyArray<string>) => run(etcdctl, "--endpoints", url, ...args)
        yield* ctl("put", "open/a", "1")
        yield* ctl("put", "closed/b", "2")
        yield* ctl("user", "add", "root:secret")
        yield* ctl("user", "grant-role", "root", "root")
        yield* ctl("user", "add", "ann:apple")
        yield* ctl("role", "add", "opener")
        yield* ctl("role", "grant-permission", "opener", "--prefix=true", "read", "open/")
        yield* ctl("user", "grant-role", "ann", "opener")
        yield* ctl("auth", "enable")
        const importAs = (user: string, password: string, prefix: string, name: string) =>
          Effect.scoped(
            Effect.gen(function* () {
              const source = yield* openSource({ url, user, password, tls: {} }, Buffer.from(prefix))
              yield* importToDirectory(source, join(folder, name), prefix !== "")
            })
          )
        assert.match(
          (yield* Effect.flip(importAs("ann", "pear", "open/", "no"))).message,
          /invalid user ID or password/
        )
        assert.match((yield* Effect.flip(importAs("ann", "apple", "", "no"))).message, /permission denied/)
        assert.match((yield* Effect.flip(importDirectory(url, join(folder, "no")))).message, /user name is empty/)
        yield* importAs("ann", "apple", "open/", "part")
        yield* importAs("root", "secret", "", "whole")
        const keys = (dataDir: string) =>
          Effect.scoped(
            serve(join(folder, dataDir)).pipe(
              Effect.flatMap(({ client }) => contents(client, 0)),
              Effect.map((rows) => rows.map((row) => row.split("|")[0]))
            )
          )
        assert.deepStrictEqual(yield* keys("part"), ["open/a"])
        assert.deepStrictEqual(yield* keys("whole"), ["closed/b", "open/a"])
      }),
    60_000
  )

  it.live("refuses what it cannot use, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const target = join(folder, "ours")
      const failure = (from: string, dataDir = target) =>
        Effect.flip(importDirectory(from, dataDir)).pipe(Effect.map((error) => error.message))
      assert.match(yield* failure(join(folder, "nothing")), /nothing does not exist$/)
      writeFileSync(join(folder, "text"), "hello")
      assert.match(yield* failure(join(folder, "text")), /page 0 is cut off before its end/)
      writeFileSync(join(folder, "zeros"), Buffer.alloc(16_384 + 32))
      assert.match(yield* failure(join(folder, "zeros")), /must match the SHA-256 at its end: it is damaged/)
      mkdirSync(join(folder, "empty"))
      assert.match(yield* failure(join(folder, "empty")), /holds neither etcd's/)
      assert.match(yield* failure("http://127.0.0.1:1"), /cannot connect to 127\.0\.0\.1:1/)
      assert.deepStrictEqual(readdirSync(folder).sort(), ["empty", "text", "zeros"])
      const { url } = yield* startStore()
      mkdirSync(join(folder, "full"))
      writeFileSync(join(folder, "full", "file"), "")
      assert.match(yield* failure(url, join(folder, "full")), /must be an empty directory or not exist/)
      yield* importDirectory(url, join(folder, "empty"))
      assert.isTrue(existsSync(join(folder, "empty", "store", "data.mdb")))
    })
  )

  it.live("refuses a revision that JavaScript cannot count", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const file = join(folder, "huge.db")
      writeFileSync(file, hugeRevision())
      const error = yield* Effect.flip(importDirectory(file, join(folder, "ours")))
      assert.match(error.message, /must have revisions of at most 2\^53 − 1, not 9007199254740993/)
    })
  )
})

describe("wharf storage export", () => {
  it.live(
    "writes living keys as lines of JSON, the same from a server and from its directory",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const dataDir = join(folder, "ours")
        const scope = yield* Scope.make()
        const ours = yield* serve(dataDir).pipe(Scope.provide(scope))
        yield* runWorkload(ours.client, { seed: 25, steps: 200, keys: 60, compactAfter: [100] })
        const [running, stopped] = [join(folder, "a.jsonl"), join(folder, "b.jsonl")]
        const live = yield* contents(ours.client, 0)
        yield* Effect.scoped(exportLines(at(ours.url), all, running))
        yield* Scope.close(scope, yield* Effect.exit(Effect.void))
        yield* Effect.scoped(exportLines(at(dataDir), all, stopped))
        assert.strictEqual(readFileSync(stopped, "utf8"), readFileSync(running, "utf8"))
        const lines = readFileSync(running, "utf8").trimEnd().split("\n")
        const rows = lines.map((line) => JSON.parse(line) as Record<string, never>)
        const text = (base64: string): string => Buffer.from(base64, "base64").toString("latin1")
        assert.deepStrictEqual(
          rows.map(({ create_revision, key, lease, mod_revision, value, version }) =>
            [text(key), create_revision, mod_revision, version, lease, text(value)].join("|")
          ),
          live
        )
        const again = yield* Effect.flip(Effect.scoped(exportLines(at(dataDir), all, running)))
        assert.match(again.message, /must not exist yet/)
      }),
    60_000
  )

  it.live(
    "saves a snapshot of a running etcd that can be imported",
    () =>
      Effect.gen(function* () {
        const etcd = yield* program("etcd")
        const folder = yield* temporaryFolder
        const theirs = yield* etcdWith(etcd, folder, { seed: 26, steps: 150, keys: 60, compactAfter: [] })
        const file = join(folder, "theirs.db")
        yield* Effect.scoped(exportSnapshot(at(theirs.url), file))
        yield* importDirectory(file, join(folder, "ours"))
        const ours = yield* serve(join(folder, "ours"))
        assert.strictEqual((yield* hashKv(ours.client)).hash, (yield* hashKv(theirs.client)).hash)
      }),
    60_000
  )
})

/** A database whose one row is at revision 2^53 + 1. */
const hugeRevision = (): Buffer => {
  const writer = new BoltWriter()
  const root = writer.bucket()
  const keys = writer.bucket()
  keys.put(encodeRevision(2n ** 53n + 1n, 0), Buffer.from([0x0a, 1, 0x61]))
  root.putBucket(Buffer.from("key"), keys)
  const head = writer.finish(root)
  const file = Buffer.concat(writer.take())
  head.copy(file)
  return file
}

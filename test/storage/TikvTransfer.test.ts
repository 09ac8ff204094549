// A store on its way between engines: from a real etcd into a TiKV cluster, where a node serves it, and from that node into a data
// directory. Every version that was kept must be there, which HashKV tells of all three.
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { connect, type GrpcClient } from "#net"
import { openLmdbEngine } from "#storage"
import { exportSnapshot } from "../../core/storage/snapshot/Export.ts"
import { importToDirectory, importToTikv } from "../../core/storage/snapshot/Import.ts"
import { openSource } from "../../core/storage/snapshot/ImportSource.ts"
import { describeWith } from "../Judges.ts"
import { startServer } from "./ServerProcess.ts"
import { startEtcd, startStore, temporaryFolder } from "./snapshot/Programs.ts"
import { contents, hashKv, runWorkload } from "./snapshot/Workload.ts"
import { TestBed } from "./tikv/TestBed.ts"

const PREFIX = "moved/"
const all = Buffer.alloc(0)
const at = (url: string) => ({ url, user: undefined, password: undefined, tls: {} })
const noTls = { caFile: "", certFile: "", keyFile: "" }

const intoCluster = (file: string, pd: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const source = yield* openSource(at(file), all)
      yield* importToTikv(source, { pdEndpoints: [pd], keyPrefix: PREFIX, tls: noTls, node: "import" }, false)
    })
  )

const intoDirectory = (file: string, directory: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      yield* importToDirectory(yield* openSource(at(file), all), directory, false)
    })
  )

describeWith(
  "etcd",
  "tikv-testbed",
  "pd-server"
)("a store on its way between engines", (programs) => {
  it.live(
    "keeps every version from an etcd to a TiKV cluster and on to a data directory",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const theirs = yield* startEtcd(programs.etcd, join(folder, "etcd"), "--max-txn-ops", "1000")
        const client = yield* connect({ host: "127.0.0.1", port: theirs.port })
        const { compacted, revision } = yield* runWorkload(client, {
          seed: 31,
          steps: 60,
          keys: 40,
          compactAfter: [30]
        })
        const file = join(folder, "theirs.db")
        yield* Effect.scoped(exportSnapshot(at(theirs.url), file))
        const bed = yield* Effect.acquireRelease(
          Effect.promise(() => TestBed.start(programs, 1)),
          (started) => Effect.promise(() => started.destroy())
        )
        yield* intoCluster(file, bed.pd)
        // It is not put where a store is already.
        const { message } = yield* Effect.flip(intoCluster(file, bed.pd))
        assert.match(message, /must hold nothing/)

        const flags = ["--pd-endpoints", bed.pd, "--tikv-key-prefix", PREFIX]
        const node = yield* Effect.acquireRelease(
          Effect.promise(() => startServer({ program: "tikv", flags })),
          (started) => Effect.promise(() => started.destroy())
        )
        const moved = yield* connect({ host: "127.0.0.1", port: node.port })
        const back = join(folder, "back.db")
        yield* Effect.scoped(exportSnapshot(at(`http://${node.address}`), back))
        const directory = join(folder, "ours")
        yield* intoDirectory(back, directory)
        const ours = yield* startStore(yield* openLmdbEngine({ directory: join(directory, "store"), sync: false }))

        const wanted = yield* hashKv(client, revision)
        for (const [name, one] of [
          ["on TiKV", moved],
          ["in a directory", ours.client]
        ] as ReadonlyArray<readonly [string, GrpcClient]>) {
          assert.strictEqual((yield* hashKv(one, revision)).hash, wanted.hash, name)
          for (const older of [compacted, revision - 20, revision]) {
            assert.deepStrictEqual(yield* contents(one, older), yield* contents(client, older), `${name} at ${older}`)
          }
        }
      }),
    120_000
  )
})

// Processes and servers for the tests of snapshots: a real etcd, its tools, and our store on a free port.
// Owns their start and end; refuses assertions.
import { execFile, spawn, type ChildProcess } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import type { ProgramName } from "#kind"
import { connect, listen } from "#net"
import { makeMemoryEngine, Storage, type Engine } from "#storage"
import { freePort } from "../../FreePort.ts"
import { judge } from "../../Judges.ts"
import { machineClockwork } from "#kube"
import { makeSnapshotFiles } from "../../../core/storage/snapshot/SnapshotFileAdapter.ts"

/** The path of a real program; the test is skipped (in CI: fails) with a line that says how to get it. */
export const program = (name: ProgramName) => Effect.promise(() => judge(name))

/** The paths of several. */
export const programs = (...names: ReadonlyArray<ProgramName>) => Effect.forEach(names, program)

/** A folder that goes with the scope. */
export const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "wharf-snapshot-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Runs a program to its end; fails with what it wrote to stderr. */
export const run = (path: string, ...args: ReadonlyArray<string>) =>
  Effect.promise(
    () =>
      new Promise<string>((resolve, reject) => {
        execFile(path, args, { timeout: 60_000, maxBuffer: 2 ** 28 }, (error, stdout, stderr) =>
          error === null ? resolve(stdout) : reject(new Error(`${path} ${args.join(" ")}: ${stderr}`))
        )
      })
  )

const ended = (process: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (process.exitCode !== null) resolve()
    else process.once("exit", () => resolve())
  })

export interface Endpoint {
  readonly url: string
  readonly port: number
}

/** Starts a real etcd on a data directory for the life of the scope. */
export const startEtcd = (path: string, dataDir: string, ...flags: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const [port, peerPort] = yield* Effect.promise(() => Promise.all([freePort(), freePort()]))
    const url = `http://127.0.0.1:${port}`
    const peer = `http://127.0.0.1:${peerPort}`
    const args = ["--data-dir", dataDir, "--listen-client-urls", url, "--advertise-client-urls", url]
    args.push("--listen-peer-urls", peer, "--log-level", "error", "--unsafe-no-fsync", ...flags)
    if (!existsSync(join(dataDir, "member"))) {
      args.push("--initial-advertise-peer-urls", peer, "--initial-cluster", `default=${peer}`)
    }
    let log = ""
    const etcd = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(path, args, { stdio: ["ignore", "ignore", "pipe"] })),
      (process) => Effect.promise(() => (process.kill("SIGTERM"), ended(process)))
    )
    etcd.stderr?.on("data", (bytes: Buffer) => (log += bytes.toString()))
    for (let attempt = 0; ; attempt++) {
      const healthy = yield* Effect.promise(() =>
        fetch(`${url}/health`).then(
          (answer) => answer.ok,
          () => false
        )
      )
      if (healthy) break
      if (attempt > 150 || etcd.exitCode !== null) throw new Error(`etcd did not start: ${log}`)
      yield* Effect.sleep(100)
    }
    return { url, port } satisfies Endpoint
  })

const identity = { clusterId: 0xcdf818194e3a8c32n, memberId: 10_276_657_743_932_975_437n, term: 2 }

/** Our store, in this process, on a free port for the life of the scope. */
export const startStore = (
  engine: Engine = makeMemoryEngine({ defer: machineClockwork.defer, clock: machineClockwork.now })
) =>
  Effect.gen(function* () {
    const limits = { txnOpsMax: 1000, requestBytesMax: 1_572_864, progressIntervalMs: 600_000 }
    const member = () => ({
      name: "default",
      peerUrls: ["http://localhost:2380"],
      clientUrls: ["http://localhost:2379"]
    })
    const storage = yield* Effect.acquireRelease(
      Effect.sync(
        () =>
          new Storage(engine, machineClockwork, {
            limits,
            quotaBytes: 0,
            minLeaseTtlSeconds: 2,
            autoCompaction: { mode: "periodic", retention: 0 },
            auth: { token: { kind: "simple", ttlSeconds: 300 }, bcryptCost: 4 },
            identity,
            member,
            snapshotFiles: makeSnapshotFiles(tmpdir)
          })
      ),
      (running) => Effect.sync(() => running.stop())
    )
    const { port } = yield* listen({ host: "127.0.0.1", port: 0, methods: storage.methods })
    const client = yield* connect({ host: "127.0.0.1", port })
    return { storage, client, url: `http://127.0.0.1:${port}`, port }
  })

// A real kube-apiserver on our store that can be hurt: both are killed and started again, stopped and let go on, the disk below the store
// is slowed down, and the ways between store, API server and clients are cut or stalled.
// Owns the processes and relays for one scope; refuses to choose when what happens, which FaultRun.ts does.
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { get } from "node:http"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"
import {
  freePort,
  kubeconfigText,
  launch,
  openControlPlane,
  openRelay,
  type PlaneServices,
  type Relay,
  stop
} from "#kind"

const source = fileURLToPath(new URL("SlowDisk.c", import.meta.url))
const wharf = fileURLToPath(new URL("../../../bin/wharf", import.meta.url))

export interface FaultRig {
  /** Kubeconfig of clients, through a relay. */
  readonly kubeconfig: string
  readonly store: Hurt
  readonly server: Hurt
  /** The way from the API server to the store, and from clients to the API server. */
  readonly toStore: Relay
  readonly toServer: Relay
  /** So many ms more for each durable write; 0 makes the disk fast again. Undefined where no C compiler is. */
  readonly slowDisk: ((ms: number) => void) | undefined
  /** The port at which the store itself answers. */
  readonly storePort: number
}

/** A process that is hurt. */
export interface Hurt {
  readonly kill: Effect.Effect<void>
  readonly start: Effect.Effect<unknown, { readonly message: string }>
  readonly signal: (signal: "SIGSTOP" | "SIGCONT") => void
}

/** The library that slows a disk down; undefined where it cannot be built. */
const buildSlowDisk = (folder: string): string | undefined => {
  const library = join(folder, "SlowDisk.so")
  try {
    execFileSync("cc", ["-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], { stdio: "ignore" })
    return library
  } catch {
    return undefined
  }
}

const answers = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const request = get({ host: "127.0.0.1", port, path: "/health", timeout: 1000 }, (response) => {
      response.resume()
      resume(Effect.succeed(response.statusCode === 200))
    })
    request.on("timeout", () => request.destroy())
    request.on("error", () => resume(Effect.succeed(false)))
    return Effect.sync(() => request.destroy())
  })

const openStore = (folder: string, port: number) =>
  Effect.gen(function* () {
    const library = buildSlowDisk(folder)
    if (library === undefined)
      yield* Effect.logWarning("no slow disk among the faults: it needs a C compiler (cc), as of Debian's gcc")
    const slowFile = join(folder, "slow-ms")
    const url = `http://127.0.0.1:${port}`
    const start = launch({
      backend: "store",
      command: wharf,
      args: [
        ["serve", "storage", "--backend", "lmdb", `--data-dir=${join(folder, "store")}`],
        [`--listen-client-urls=${url}`, `--advertise-client-urls=${url}`]
      ].flat(),
      ...(library === undefined ? {} : { env: { LD_PRELOAD: library, SLOW_DISK_FILE: slowFile } }),
      directory: folder,
      ready: answers(port)
    })
    const current = yield* Effect.acquireRelease(
      Effect.map(start, (child) => ({ child })),
      ({ child }) => stop(child, "SIGKILL")
    )
    const store: Hurt = {
      kill: Effect.suspend(() => stop(current.child, "SIGKILL")),
      start: Effect.map(start, (child) => void (current.child = child)),
      // The whole group: the command is a shell that has become the server.
      signal: (signal) => void process.kill(-(current.child.process.pid ?? 0), signal)
    }
    const slowDisk = (ms: number): void => {
      if (ms > 0) writeFileSync(slowFile, `${ms}`)
      else if (existsSync(slowFile)) rmSync(slowFile)
    }
    return { store, slowDisk: library === undefined ? undefined : slowDisk }
  })

/** Opens everything; it lives as long as the scope. */
export const openFaultRig = (
  folder: string
): Effect.Effect<FaultRig, { readonly message: string }, Scope.Scope | PlaneServices> =>
  Effect.gen(function* () {
    mkdirSync(folder, { recursive: true })
    const storePort = yield* freePort
    const { slowDisk, store } = yield* openStore(folder, storePort)
    const toStore = yield* openRelay({ host: "127.0.0.1", port: storePort })
    const plane = yield* openControlPlane({
      name: "faults",
      directory: join(folder, "plane"),
      storeUrl: `http://127.0.0.1:${toStore.port}`,
      parts: [],
      apiServerFlags: ["--disable-admission-plugins=ServiceAccount"]
    })
    const toServer = yield* openRelay({ host: "127.0.0.1", port: Number(new URL(plane.url).port) })
    const { admin, ca } = plane.files
    const kubeconfig = join(folder, "through-relay.conf")
    const url = `https://127.0.0.1:${toServer.port}`
    writeFileSync(kubeconfig, kubeconfigText("faults", url, ca, admin), { mode: 0o600 })
    const [{ kill, signal, start }] = plane.processes
    return { kubeconfig, store, server: { kill, start, signal }, toStore, toServer, slowDisk, storePort }
  })

// A real etcd as a backend: one that is found on this machine and started with the same flags as our own store, a
// binary by path or version, or any running one by URL. A running one's other keys are left alone: all keys get a
// prefix of their own, and they stay there after the run.
import { cacheDirectory, findAsset } from "#kind"
import { Clock, Config, Effect, FileSystem } from "effect"
import { execFile } from "node:child_process"
import { get } from "node:http"
import { delimiter, join } from "node:path"
import { type Backend, type BackendKind, BackendMissing, type RunningServer, type ServerSettings } from "./Backend.ts"
import { openServer, storeFlags } from "./ServerProcess.ts"

const missing = (reason: string) => new BackendMissing({ backend: "etcd", reason })

/** The version a binary prints, or undefined when it is not an etcd. */
const versionOf = (binary: string): Effect.Effect<string | undefined> =>
  Effect.callback((resume) => {
    execFile(binary, ["--version"], { timeout: 10_000 }, (cause, output) => {
      const version = /etcd Version: (\S+)/.exec(output)?.[1]
      resume(Effect.succeed(cause === null ? version : undefined))
    })
  })

const started = (binary: string, version: string, name: string): Backend => ({
  name,
  version,
  durable: true,
  settings: { binary },
  open: (settings: ServerSettings) =>
    openServer({
      backend: name,
      command: binary,
      settings,
      args: (endpoint, peerPort) => {
        const peer = `http://127.0.0.1:${peerPort}`
        const peers = [
          `--listen-peer-urls=${peer}`,
          `--initial-advertise-peer-urls=${peer}`,
          `--initial-cluster=default=${peer}`
        ]
        return ["--name=default", "--log-level=warn", ...peers, ...storeFlags(settings, endpoint)]
      }
    })
})

/** Asks a running etcd for its version over HTTP. */
const remoteVersion = (url: URL): Effect.Effect<string, BackendMissing> =>
  Effect.callback((resume) => {
    const request = get(new URL("/version", url), { timeout: 5000 }, (response) => {
      let text = ""
      response.on("data", (part: Buffer) => (text += part.toString()))
      response.on("end", () => resume(Effect.succeed(/"etcdserver"\s*:\s*"([^"]+)"/.exec(text)?.[1] ?? "unknown")))
    })
    request.on("timeout", () => request.destroy(new Error("no answer within 5 s")))
    request.on("error", (cause) => resume(missing(`nothing answers at ${url.origin}: ${cause.message}`)))
  })

const remote = Effect.fn("scenarios.etcd.remote")(function* (text: string) {
  const url = yield* Effect.try({ try: () => new URL(text), catch: () => missing(`${text} is not a URL`) })
  if (url.protocol !== "http:")
    return yield* missing("only http:// endpoints can be loaded; TLS would hide the store's cost")
  const version = yield* remoteVersion(url)
  const server: RunningServer = {
    endpoint: { host: url.hostname, port: Number(url.port === "" ? "2379" : url.port) },
    pid: () => undefined,
    restart: undefined,
    keyPrefix: `/wharf-run/${(yield* Clock.currentTimeMillis).toString(36)}`
  }
  const backend: Backend = {
    name: `etcd@${url.host}`,
    version,
    durable: true,
    settings: { url: url.origin },
    open: () => Effect.succeed(server)
  }
  return backend
})

const byPath = Effect.fn("scenarios.etcd.byPath")(function* (binary: string) {
  const version = yield* versionOf(binary)
  if (version === undefined) return yield* missing(`${binary} is not an etcd that can be started`)
  return started(binary, version, `etcd-${version}`)
})

const variable = (name: string) => Config.String(name).pipe(Effect.orElseSucceed(() => ""))

/** Every etcd on PATH, in KUBEBUILDER_ASSETS and in our cache, until one has the version (or its beginning). */
const byVersion = Effect.fn("scenarios.etcd.byVersion")(function* (wanted: string) {
  const files = yield* FileSystem.FileSystem
  const kubebuilder = yield* variable("KUBEBUILDER_ASSETS")
  const path = yield* variable("PATH")
  for (const place of [kubebuilder, ...path.split(delimiter), yield* cacheDirectory]) {
    if (place === "") continue
    const binary = join(place, "etcd")
    const present = yield* files.exists(binary).pipe(Effect.orElseSucceed(() => false))
    const version = present ? yield* versionOf(binary) : undefined
    if (version !== undefined && `${version}.`.startsWith(`${wanted}.`))
      return started(binary, version, `etcd-${version}`)
  }
  return yield* missing(
    `no etcd ${wanted} on PATH, in KUBEBUILDER_ASSETS or in the cache; get one with: wharf assets build`
  )
})

const found = Effect.fn("scenarios.etcd.found")(function* () {
  const asset = yield* findAsset("etcd").pipe(Effect.mapError((cause) => missing(cause.message)))
  const version = yield* versionOf(asset.path)
  if (version === undefined) return yield* missing(`${asset.path} does not say its version`)
  return started(asset.path, version, "etcd")
})

/** `--backend etcd`, `etcd=3.7`, `etcd=/path/to/etcd` or `etcd=http://127.0.0.1:2379`. */
export const etcd: BackendKind = {
  name: "etcd",
  note: "a real etcd: etcd (found), etcd=3.7 (by version), etcd=/path/to/etcd, or etcd=http://host:2379 (running)",
  find: (argument) => {
    if (argument === undefined) return found()
    if (argument.includes("://")) return remote(argument)
    return argument.includes("/") ? byPath(argument) : byVersion(argument)
  }
}

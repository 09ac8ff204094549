// A store as a process of its own: etcd's flags, and healthy when GET /health says so.
// Owns those; starting and stopping processes is ChildServer.ts's, which program is the backend's.
import { freePort, launch, type ServerFailed, stop } from "#kind"
import { Effect, type Scope } from "effect"
import { get } from "node:http"
import { dirname } from "node:path"
import type { Endpoint, RunningServer, ServerSettings } from "./Backend.ts"

/** How to start a server that listens for clients on the given port. */
export interface ServerCommand {
  readonly backend: string
  readonly command: string
  readonly args: (endpoint: Endpoint, peerPort: number) => ReadonlyArray<string>
  readonly dataDir: string
}

/** etcd's flags that every store of ours and every etcd gets alike. */
export const storeFlags = (settings: ServerSettings, { host, port }: Endpoint): ReadonlyArray<string> => {
  const client = `http://${host}:${port}`
  return [
    `--data-dir=${settings.dataDir}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--quota-backend-bytes=${settings.quotaBytes}`,
    ...(settings.fsync ? [] : ["--unsafe-no-fsync"]),
    ...(settings.maxRequestBytes === undefined ? [] : [`--max-request-bytes=${settings.maxRequestBytes}`])
  ]
}

/** Asks GET /health once; true when the answer says healthy. */
export const healthy = ({ host, port }: Endpoint): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const request = get({ host, port, path: "/health", timeout: 1000 }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (part: string) => (text += part))
      response.on("end", () => resume(Effect.succeed(response.statusCode === 200 && text.includes("true"))))
    })
    request.on("timeout", () => request.destroy())
    request.on("error", () => resume(Effect.succeed(false)))
    return Effect.sync(() => request.destroy())
  })

/** Starts a server that lives as long as the scope. */
export const openServer = (command: ServerCommand): Effect.Effect<RunningServer, ServerFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const endpoint = { host: "127.0.0.1", port: yield* freePort }
    const peerPort = yield* freePort
    const start = launch({
      backend: command.backend,
      command: command.command,
      args: command.args(endpoint, peerPort),
      directory: dirname(command.dataDir),
      ready: healthy(endpoint)
    })
    const current = yield* Effect.acquireRelease(
      Effect.map(start, (child) => ({ child })),
      ({ child }) => stop(child)
    )
    const restart = Effect.gen(function* () {
      yield* stop(current.child)
      current.child = yield* start
      return current.child.startMs
    })
    return { endpoint, pid: () => current.child.process.pid, restart, keyPrefix: "" }
  })

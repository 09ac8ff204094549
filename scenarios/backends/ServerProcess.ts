// A store as a process of its own: etcd's flags, and healthy when GET /health says so.
// Owns those, and what faults and a budget do to it; starting and stopping processes is ChildServer.ts's, which program is the
// backend's.
import { freePort, launch, type ServerFailed, stop } from "#kind"
import { Effect, Scope } from "effect"
import { get } from "node:http"
import { dirname } from "node:path"
import type { ServerFault } from "../ServerFault.ts"
import type { Endpoint, RunningServer, ServerSettings } from "./Backend.ts"
import { keepWithin } from "./CpuShare.ts"

/** How to start a server that listens for clients on the given port. */
export interface ServerCommand {
  readonly backend: string
  readonly command: string
  readonly args: (endpoint: Endpoint, peerPort: number) => ReadonlyArray<string>
  readonly settings: Pick<ServerSettings, "cpuShare" | "dataDir">
}

/** A server of which everything is known that a process can be asked to do. */
export type OwnServer = RunningServer & Required<Pick<RunningServer, "inflict">>

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

/** Asks a server for a page; its text, or undefined when it does not answer well. */
export const askPage = ({ host, port }: Endpoint, path: string): Effect.Effect<string | undefined> =>
  Effect.callback((resume) => {
    const request = get({ host, port, path, timeout: 1000 }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (part: string) => (text += part))
      response.on("end", () => resume(Effect.succeed(response.statusCode === 200 ? text : undefined)))
    })
    request.on("timeout", () => request.destroy())
    request.on("error", () => resume(Effect.succeed(undefined)))
    return Effect.sync(() => request.destroy())
  })

/** Asks GET /health once; true when the answer says healthy. */
export const healthy = (endpoint: Endpoint): Effect.Effect<boolean> =>
  Effect.map(askPage(endpoint, "/health"), (text) => text?.includes("true") === true)

/** Starts a server that lives as long as the scope. */
export const openServer = (command: ServerCommand): Effect.Effect<OwnServer, ServerFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const { backend, settings } = command
    const endpoint = { host: "127.0.0.1", port: yield* freePort }
    const peerPort = yield* freePort
    const start = launch({
      backend,
      command: command.command,
      args: command.args(endpoint, peerPort),
      directory: dirname(settings.dataDir),
      ready: healthy(endpoint)
    })
    const current = yield* Effect.acquireRelease(
      Effect.map(start, (child) => ({ child })),
      ({ child }) => stop(child)
    )
    const scope = yield* Effect.scope
    const { cpuShare } = settings
    const limit = Effect.suspend(() => {
      const { pid } = current.child.process
      return cpuShare === undefined || pid === undefined ? Effect.void : keepWithin(backend, pid, cpuShare)
    }).pipe(Scope.provide(scope))
    yield* limit
    const startAgain = Effect.tap(start, (child) => {
      current.child = child
      return limit
    }).pipe(Effect.map(({ startMs }) => startMs))
    const restart = Effect.andThen(stopCurrent(current, "SIGTERM"), startAgain)
    const inflict = ({ for: forMs, kind }: ServerFault): Effect.Effect<string, ServerFailed> =>
      kind === "pause"
        ? paused(current, forMs)
        : stopCurrent(current, kind === "kill" ? "SIGKILL" : "SIGTERM").pipe(
            Effect.andThen(Effect.sleep(forMs)),
            Effect.andThen(startAgain),
            Effect.map((startMs) => `${kind}, started again after ${forMs} ms, ready ${startMs.toFixed(0)} ms later`)
          )
    return { endpoint, pid: () => current.child.process.pid, restart, inflict, keyPrefix: "" }
  })

type Current = { readonly child: Parameters<typeof stop>[0] }

const stopCurrent = (current: Current, signal: "SIGKILL" | "SIGTERM"): Effect.Effect<void> =>
  Effect.suspend(() => stop(current.child, signal))

/** Stops the process for some time; it goes on whatever happens. */
const paused = (current: Current, forMs: number): Effect.Effect<string> => {
  const signal = (name: "SIGCONT" | "SIGSTOP") => Effect.sync(() => void current.child.process.kill(name))
  return Effect.acquireUseRelease(
    signal("SIGSTOP"),
    () => Effect.as(Effect.sleep(forMs), `pause of ${forMs} ms`),
    () => signal("SIGCONT")
  )
}

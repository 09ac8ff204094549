// A server as a process of its own: started, waited for until it says it is healthy, stopped and always cleaned up,
// on failure and interruption as well. Owns the process; which program and flags is the backend's.
import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { get } from "node:http"
import { createServer } from "node:net"
import { dirname } from "node:path"
import { type Endpoint, type RunningServer, ServerFailed, type ServerSettings } from "./Backend.ts"
import { guard } from "./Reaper.ts"

const readyWithinMs = 60_000
const stopWithinMs = 10_000
const pollEveryMs = 10
const logBytesMax = 4096

/** How to start a server that listens for clients on the given port. */
export interface ServerCommand {
  readonly backend: string
  readonly command: string
  readonly args: (endpoint: Endpoint, peerPort: number) => ReadonlyArray<string>
  readonly dataDir: string
}

interface Child {
  readonly process: ChildProcess
  readonly dismiss: () => void
  readonly startMs: number
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

/** A TCP port of 127.0.0.1 that was free a moment ago. */
const freePort = Effect.callback<number>((resume) => {
  const probe = createServer()
  probe.listen(0, "127.0.0.1", () => {
    const address = probe.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    probe.close(() => resume(Effect.succeed(port)))
  })
})

/** Asks GET /health once; true when the answer says healthy. */
const healthy = ({ host, port }: Endpoint): Effect.Effect<boolean> =>
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

const tail = (child: ChildProcess): (() => string) => {
  let log = ""
  const keep = (part: Buffer) => (log = (log + part.toString()).slice(-logBytesMax))
  child.stdout?.on("data", keep)
  child.stderr?.on("data", keep)
  return () => log.trimEnd()
}

const alive = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null

/** Starts the process and waits until it is healthy. */
const launch = (command: ServerCommand, endpoint: Endpoint, peerPort: number): Effect.Effect<Child, ServerFailed> =>
  Effect.gen(function* () {
    const startedAt = performance.now()
    const child = spawn(command.command, command.args(endpoint, peerPort), {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"]
    })
    const log = tail(child)
    let spawnError: string | undefined
    child.on("error", (cause) => (spawnError = cause.message))
    const dismiss = child.pid === undefined ? () => {} : guard(child.pid, dirname(command.dataDir))
    const failed = (reason: string) => new ServerFailed({ backend: command.backend, reason, log: log() })
    const wait = Effect.gen(function* () {
      while (performance.now() - startedAt < readyWithinMs) {
        if (spawnError !== undefined) return yield* failed(`cannot be started: ${spawnError}`)
        if (!alive(child))
          return yield* failed(`ended with code ${child.exitCode ?? child.signalCode} before it was ready`)
        if (yield* healthy(endpoint)) return performance.now() - startedAt
        yield* Effect.sleep(pollEveryMs)
      }
      return yield* failed(`was not healthy within ${readyWithinMs / 1000} s`)
    })
    const startMs = yield* wait.pipe(Effect.onError(() => stop({ process: child, dismiss, startMs: 0 })))
    return { process: child, dismiss, startMs }
  })

/** Asks the process to end, and ends it if it does not. */
const stop = ({ dismiss, process: child }: Child): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const over = () => {
      dismiss()
      resume(Effect.void)
    }
    if (!alive(child) || child.pid === undefined) return over()
    child.once("exit", over)
    child.kill("SIGTERM")
    const timer = setTimeout(() => child.kill("SIGKILL"), stopWithinMs)
    timer.unref()
  }).pipe(Effect.uninterruptible)

/** Starts a server that lives as long as the scope. */
export const openServer = (command: ServerCommand): Effect.Effect<RunningServer, ServerFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const endpoint = { host: "127.0.0.1", port: yield* freePort }
    const peerPort = yield* freePort
    const current = yield* Effect.acquireRelease(
      Effect.map(launch(command, endpoint, peerPort), (child) => ({ child })),
      ({ child }) => stop(child)
    )
    const restart = Effect.gen(function* () {
      yield* stop(current.child)
      current.child = yield* launch(command, endpoint, peerPort)
      return current.child.startMs
    })
    return { endpoint, pid: () => current.child.process.pid, restart, keyPrefix: "" }
  })

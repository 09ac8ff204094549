// A server as a process of its own: started, waited for until it says it is ready, stopped and always cleaned up, on failure and
// interruption as well. Owns one process; which program, which flags and what ready means is its caller's.
import { Effect, Schema } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { openReaper } from "./Reaper.ts"

/** A server did not start, did not become ready, or ended by itself; carries the end of what it wrote. */
export class ServerFailed extends Schema.TaggedError<ServerFailed>()("ServerFailed", {
  backend: Schema.String,
  reason: Schema.String,
  log: Schema.String
}) {
  override get message(): string {
    return `backend ${this.backend}: ${this.reason}${this.log === "" ? "" : `\nits last lines:\n${this.log}`}`
  }
}

const readyWithinMs = 60_000
const stopWithinMs = 10_000
const pollEveryMs = 10
const logBytesMax = 4096

/** How to start a process, and how to ask it whether it is ready. */
export interface ChildCommand {
  /** Its name in errors. */
  readonly backend: string
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  /** Removed when the runner dies without a word. */
  readonly directory: string
  readonly ready: Effect.Effect<boolean>
}

/** A process that was ready once. */
export interface Child {
  readonly process: ChildProcess
  readonly dismiss: () => void
  /** From start to readiness. */
  readonly startMs: number
}

const tail = (child: ChildProcess): (() => string) => {
  let log = ""
  const keep = (part: Buffer) => (log = (log + part.toString()).slice(-logBytesMax))
  child.stdout?.on("data", keep)
  child.stderr?.on("data", keep)
  return () => log.trimEnd()
}

/** Signals a process with all its children: it was started as the leader of a group. */
const signalAll = ({ pid }: ChildProcess, signal: "SIGTERM" | "SIGKILL"): void => {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // The whole group is gone already.
  }
}

const alive = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null

/** Starts the process and waits until it is ready; the caller stops it. */
export const launch = (command: ChildCommand): Effect.Effect<Child, ServerFailed> =>
  Effect.gen(function* () {
    const { dismiss, guards } = openReaper(command.directory)
    const startedAt = performance.now()
    const child = spawn(command.command, command.args, {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      ...(command.env === undefined ? {} : { env: { ...process.env, ...command.env } })
    })
    if (child.pid !== undefined) guards(child.pid)
    const log = tail(child)
    let spawnError: string | undefined
    child.on("error", (cause) => (spawnError = cause.message))
    const failed = (reason: string) => new ServerFailed({ backend: command.backend, reason, log: log() })
    const wait = Effect.gen(function* () {
      while (performance.now() - startedAt < readyWithinMs) {
        if (spawnError !== undefined) return yield* failed(`cannot be started: ${spawnError}`)
        if (!alive(child))
          return yield* failed(`ended with code ${child.exitCode ?? child.signalCode} before it was ready`)
        if (yield* command.ready) return performance.now() - startedAt
        yield* Effect.sleep(pollEveryMs)
      }
      return yield* failed(`was not ready within ${readyWithinMs / 1000} s`)
    })
    const startMs = yield* wait.pipe(Effect.onError(() => stop({ process: child, dismiss, startMs: 0 })))
    return { process: child, dismiss, startMs }
  })

const exited = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (!alive(child) || child.pid === undefined) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
  })

/** Asks the process to end, and ends it if it does not; `signal` SIGKILL ends it at once. */
export const stop = (
  { dismiss, process: child }: Child,
  signal: "SIGTERM" | "SIGKILL" = "SIGTERM"
): Effect.Effect<void> =>
  Effect.gen(function* () {
    if (alive(child)) signalAll(child, signal)
    yield* exited(child).pipe(Effect.timeoutOption(stopWithinMs))
    // What did not listen, and children that outlived the one they worked for.
    signalAll(child, "SIGKILL")
    yield* exited(child)
    dismiss()
  }).pipe(Effect.uninterruptible)

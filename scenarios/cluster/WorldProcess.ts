// The process that lives through a cluster: started for one, told what to do, heard while it works, dead with its scope.
// Owns the process, its memory bound and the conversation; what happens in it is world/'s.
import { Effect, Schema, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { PlaneCommand, WorldCommand, WorldProgress, WorldReport } from "../world/Protocol.ts"

/** The world's process ended, or could not do what it was told. */
export class WorldFailed extends Schema.TaggedError<WorldFailed>()("WorldFailed", { reason: Schema.String }) {
  override get message(): string {
    return `the cluster failed: ${this.reason}`
  }
}

/** MiB of JavaScript heap that a world may take: what 50,000 nodes need, and not what a machine has. */
const HEAP_MIB = 12_288
/** Nodes beyond which a world is a large one. */
const LARGE = 2000
/** MiB of one half of the nursery: most of what a world makes is gone within seconds of its own time, and looked through less often so. */
const nurseryMiB = (nodes: number): number => (nodes > LARGE ? 256 : 64)

/**
 * Percent by which the heap of a large world may grow beyond what lives in it before that is looked through again. Left alone it grows by
 * as much again, which is gigabytes here; with an eighth that work never ends, and takes almost half of all time at 10,000 nodes.
 */
const GROWTH_PERCENT = 40

/**
 * What outlives one collection of young garbage is the newest state of something and lives on, so it becomes old at once: V8 would copy
 * it a second time first. Its only switch for that is one that its own tests use, drawing lots with a chance that is 100 of 100 here. At
 * 10,000 nodes this makes those collections three times shorter and spares 600 MiB.
 */
const OLD_AT_ONCE = ["--scavenger-chaos-mode", "--scavenger-chaos-mode-threshold=100"]

/** How Node is started for a world of so many nodes. */
export const memoryFlags = (nodes: number): ReadonlyArray<string> => [
  `--max-old-space-size=${HEAP_MIB}`,
  `--max-semi-space-size=${nurseryMiB(nodes)}`,
  ...OLD_AT_ONCE,
  ...(nodes > LARGE ? [`--heap-growing-percent=${GROWTH_PERCENT}`] : [])
]

/** What comes at the end of a conversation. */
export type WorldAnswer = Exclude<WorldReport, WorldProgress | { readonly type: "failed" | "plane" }>

/** Who hears what a world says on its way. */
export interface WorldListener {
  readonly progress: (progress: WorldProgress) => void
  /** A fault is due on the control plane. */
  readonly plane?: (command: PlaneCommand) => void
}

/** Starts the process for so many nodes; it is killed when the scope closes. */
export const openWorld = (nodes: number): Effect.Effect<ChildProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      fork(fileURLToPath(new URL("../world/main.ts", import.meta.url)), {
        detached: true,
        execArgv: [...process.execArgv, ...memoryFlags(nodes)],
        stdio: ["ignore", "ignore", "inherit", "ipc"]
      })
    ),
    (child) => Effect.sync(() => void child.kill("SIGKILL"))
  )

/** Tells the process what to do and waits for what comes of it. */
export const askWorld = (
  child: ChildProcess,
  command: WorldCommand,
  listener: WorldListener
): Effect.Effect<WorldAnswer, WorldFailed> =>
  Effect.callback((done) => {
    const failed = (reason: string) => {
      quiet()
      done(new WorldFailed({ reason }))
    }
    const onMessage = (report: WorldReport) => {
      if (report.type === "progress") return listener.progress(report)
      if (report.type === "plane") return listener.plane?.(report.command)
      if (report.type === "failed") return failed(report.reason)
      quiet()
      done(Effect.succeed(report))
    }
    const onExit = (code: number | null, signal: string | null) =>
      failed(
        `its process ended with ${signal ?? `code ${code}`}${signal === "SIGABRT" || code === 134 ? " (out of memory?)" : ""}`
      )
    const quiet = () => {
      child.off("message", onMessage)
      child.off("exit", onExit)
    }
    child.on("message", onMessage)
    child.on("exit", onExit)
    child.send(command, (cause) => {
      if (cause !== null) failed(cause.message)
    })
    return Effect.sync(quiet)
  })

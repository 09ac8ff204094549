// The process that lives through a cluster: started for one, told what to do, heard while it works, dead with its scope.
// Owns the process and the conversation; its memory is WorldMemory.ts's, and what happens in it is world/'s.
import { Effect, Schema, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { PlaneCommand, WorldCommand, WorldProgress, WorldReport } from "../world/Protocol.ts"
import { memoryFlags } from "./WorldMemory.ts"

/** The world's process ended, or could not do what it was told. */
export class WorldFailed extends Schema.TaggedError<WorldFailed>()("WorldFailed", { reason: Schema.String }) {
  override get message(): string {
    return `the cluster failed: ${this.reason}`
  }
}

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

// The process that a federation under load lives in: started for one run, heard while it works, dead with its scope.
// Owns the process, its memory bound and the conversation; what happens in it is world/'s.
import { Effect, Schema, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Federation } from "./Federation.ts"
import type { FederationReport, FederationResult } from "./world/Protocol.ts"

/** The federation's process ended, or a step of it failed. */
export class FederationFailed extends Schema.TaggedError<FederationFailed>()("FederationFailed", {
  reason: Schema.String
}) {
  override get message(): string {
    return `the federation failed: ${this.reason}`
  }
}

const MEBIBYTE = 2 ** 20
/** V8's exit when its heap is full. */
const ABORTED = 134

/** Starts the process with so many bytes of JavaScript heap; it is killed when the scope closes. */
export const openFederationProcess = (heapBytes: number): Effect.Effect<ChildProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      fork(fileURLToPath(new URL("world/main.ts", import.meta.url)), {
        detached: true,
        execArgv: [...process.execArgv, `--max-old-space-size=${Math.floor(heapBytes / MEBIBYTE)}`],
        stdio: ["ignore", "ignore", "inherit", "ipc"]
      })
    ),
    (child) => Effect.sync(() => void child.kill("SIGKILL"))
  )

/** What comes on the way. */
export type FederationNews = Exclude<FederationReport, FederationResult | { readonly type: "failed" }>

/** Walks through the federation's steps in the process. */
export const askFederation = (
  child: ChildProcess,
  federation: Federation,
  onNews: (news: FederationNews) => void
): Effect.Effect<FederationResult, FederationFailed> =>
  Effect.callback((done) => {
    const failed = (reason: string) => {
      quiet()
      done(new FederationFailed({ reason }))
    }
    const onMessage = (report: FederationReport) => {
      if (report.type === "failed") return failed(report.reason)
      if (report.type !== "result") return onNews(report)
      quiet()
      done(Effect.succeed(report))
    }
    const onExit = (code: number | null, signal: string | null) =>
      failed(
        signal === "SIGABRT" || code === ABORTED
          ? "its heap is full; federation.heap says how large it may become"
          : `its process ended with ${signal ?? `code ${code}`}`
      )
    const quiet = () => {
      child.off("message", onMessage)
      child.off("exit", onExit)
    }
    child.on("message", onMessage)
    child.on("exit", onExit)
    child.send({ type: "run", federation }, (cause) => {
      if (cause !== null) failed(cause.message)
    })
    return Effect.sync(quiet)
  })

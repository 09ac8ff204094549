// The cluster that is judged when no kubeconfig names one: `wharf serve cluster` as a process of its own, in a folder of its own.
// Owns that process from start to end; refuses to know what is asked of it.
import { openReaper } from "#kind"
import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import { Effect, Schema } from "effect"
import { packageRoot } from "../PackageRoot.ts"

/** The cluster ended, or was not ready in time. */
export class ClusterFailed extends Schema.TaggedError<ClusterFailed>()("ClusterFailed", {
  reason: Schema.String,
  log: Schema.String
}) {
  override get message(): string {
    return [`wharf serve cluster ${this.reason}`, this.log].join("\n").trimEnd()
  }
}

const READY_WITHIN = "60 seconds"
const STOP_WITHIN = "10 seconds"
const LOG_BYTES_MAX = 4096

const ready = (child: ChildProcess): Effect.Effect<void, ClusterFailed> => {
  let log = ""
  const failed = (reason: string): ClusterFailed => new ClusterFailed({ reason, log: log.trimEnd() })
  return Effect.callback<void, ClusterFailed>((resume) => {
    const heard = (part: Buffer): void => {
      log = (log + part.toString()).slice(-LOG_BYTES_MAX)
      if (log.includes(" nodes ready ")) resume(Effect.void)
    }
    child.stdout?.on("data", heard)
    child.stderr?.on("data", heard)
    child.once("error", (error) => resume(failed(`cannot be started: ${error.message}`)))
    child.once("exit", (code, signal) => resume(failed(`ended with ${signal ?? `code ${code}`} before it was ready`)))
  }).pipe(
    Effect.timeoutOrElse({
      duration: READY_WITHIN,
      orElse: () => failed(`was not ready within ${READY_WITHIN}`)
    })
  )
}

const ended = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
  })

/** Asks the cluster to drain, and ends it when it takes too long. */
const stop = (child: ChildProcess): Effect.Effect<void> =>
  Effect.sync(() => void child.kill("SIGTERM")).pipe(
    Effect.andThen(ended(child)),
    Effect.timeoutOrElse({ duration: STOP_WITHIN, orElse: () => Effect.sync(() => void child.kill("SIGKILL")) })
  )

/** Starts a cluster that lives as long as the scope; answers the kubeconfig to use it. */
export const openCluster = Effect.fn("conformance.cluster")(function* (directory: string, nodes: number) {
  const kubeconfig = join(directory, "kubeconfig")
  const flags = ["--nodes", `${nodes}`, "--listen", "127.0.0.1:0", "--kubeconfig", kubeconfig]
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const { dismiss, guards } = openReaper(join(directory, "cluster"))
      const started = spawn(join(packageRoot, "bin", "wharf"), ["serve", "cluster", ...flags], {
        detached: true,
        stdio: ["ignore", "pipe", "pipe"]
      })
      if (started.pid !== undefined) guards(started.pid)
      return { process: started, dismiss }
    }),
    (opened) => Effect.andThen(stop(opened.process), Effect.sync(opened.dismiss))
  )
  yield* ready(child.process)
  return kubeconfig
})

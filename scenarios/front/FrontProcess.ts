// One child process of a run against a front: an instance of the front, a limiter, an upstream. Lives as long as the scope, can be
// killed and started again, and says its process id for sampling. Owns that; whether it is ready its starter asks.
import { type ChildCommand, launch, type ServerFailed, stop } from "#kind"
import { Effect, type Scope } from "effect"

/** What a process is to the run. */
export type FrontRole = "front" | "limiter" | "upstream"

/** A process of the run. */
export interface FrontProcess {
  readonly name: string
  readonly role: FrontRole
  readonly pid: () => number | undefined
  /** Whether it works in children of its own, which are looked at with it. */
  readonly forks: boolean
  /** Kills it and, after so many ms, starts it again; gives the ms from start to readiness. */
  readonly restart: (downMs: number) => Effect.Effect<number, ServerFailed>
}

/** Starts a process that lives as long as the scope. */
export const openFrontProcess = (
  name: string,
  role: FrontRole,
  command: ChildCommand & { readonly forks?: boolean }
): Effect.Effect<FrontProcess, ServerFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const current = yield* Effect.acquireRelease(
      Effect.map(launch(command), (child) => ({ child })),
      ({ child }) => stop(child)
    )
    const restart = (downMs: number) =>
      Effect.gen(function* () {
        yield* stop(current.child, "SIGKILL")
        yield* Effect.sleep(downMs)
        current.child = yield* launch(command)
        return current.child.startMs
      })
    return { name, role, pid: () => current.child.process.pid, forks: command.forks ?? false, restart }
  })

// The load generator as seen by the runner: a child process that takes one command at a time over IPC and dies with
// its scope. Owns the child and the waiting; the commands are generator/Protocol.ts's.
import { Effect, Schema, type Scope } from "effect"
import { fork, type ChildProcess } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Command, Mark, Report, Second } from "./generator/Protocol.ts"

/** The generator ended, or could not do what it was told. */
export class GeneratorFailed extends Schema.TaggedError<GeneratorFailed>()("GeneratorFailed", {
  reason: Schema.String
}) {
  override get message(): string {
    return `the load generator failed: ${this.reason}`
  }
}

/** Reports that end a command. */
export type Answer = Exclude<Report, Second | Mark | { readonly type: "failed" }>

/** A running generator. */
export interface Generator {
  readonly pid: number | undefined
  /** Sends a command that has no answer. */
  readonly tell: (command: Extract<Command, { type: "frontGo" }>) => void
  /** Sends a command and waits for the report of that type; seconds and marks go to their takers as they come. */
  readonly ask: <Type extends Answer["type"]>(
    command: Command,
    answer: Type,
    onSecond?: (second: Second) => void,
    onMark?: (mark: Mark["mark"]) => void
  ) => Effect.Effect<Extract<Answer, { type: Type }>, GeneratorFailed>
}

const ask =
  (child: ChildProcess): Generator["ask"] =>
  (command, answer, onSecond, onMark) =>
    Effect.callback((resume) => {
      const failed = (reason: string) => {
        quiet()
        resume(new GeneratorFailed({ reason }))
      }
      const onMessage = (report: Report) => {
        if (report.type === "second") return onSecond?.(report)
        if (report.type === "mark") return onMark?.(report.mark)
        if (report.type === "failed") return failed(report.reason)
        quiet()
        if (report.type === answer) resume(Effect.succeed(report as Extract<Answer, { type: typeof answer }>))
        else failed(`it answered ${report.type} to ${command.type}`)
      }
      const onExit = (code: number | null, signal: string | null) => failed(`it ended with ${signal ?? `code ${code}`}`)
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

/** Starts a generator that lives as long as the scope. */
export const openGenerator: Effect.Effect<Generator, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const child = fork(fileURLToPath(new URL("./generator/main.ts", import.meta.url)), {
      detached: true,
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
    return child
  }),
  (child) => Effect.sync(() => void child.kill("SIGKILL"))
).pipe(
  Effect.map((child) => ({ pid: child.pid, ask: ask(child), tell: (command) => void child.send(command, () => {}) }))
)

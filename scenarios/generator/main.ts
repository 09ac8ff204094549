// The load generator's process: obeys the runner's commands one at a time over the IPC channel and ends with it, so
// that a runner that dies leaves no load behind. Owns the process; the work is PhaseRun.ts's and Ceiling.ts's.
import type { ConnectFailed, GrpcStatus } from "#net"
import { Effect, type Scope } from "effect"
import { measureCeiling } from "./Ceiling.ts"
import { PhaseRun, type WatchFailed } from "./PhaseRun.ts"
import type { Command, Endpoint, Report } from "./Protocol.ts"
import { RunContext } from "./RunContext.ts"

const say = (report: Report): void => {
  process.send?.(report)
}

let context: RunContext | undefined
let endpoint: Endpoint = { host: "127.0.0.1", port: 0 }

const obey = (command: Command): Effect.Effect<Report, ConnectFailed | GrpcStatus | WatchFailed, Scope.Scope> => {
  switch (command.type) {
    case "start":
      context = new RunContext(command.seed, command.keySpaces)
      endpoint = command.endpoint
      return Effect.succeed({ type: "ready" })
    case "endpoint":
      endpoint = command.endpoint
      return Effect.succeed({ type: "ready" })
    case "phase":
      if (context === undefined) return Effect.succeed({ type: "failed", reason: "a phase came before the start" })
      return new PhaseRun(command.phase, context, say).run(endpoint)
    case "ceiling":
      return measureCeiling(command)
  }
}

const answer = (command: Command): Effect.Effect<void> =>
  Effect.suspend(() => obey(command)).pipe(
    Effect.scoped,
    Effect.catch(({ message }) => Effect.succeed<Report>({ type: "failed", reason: message })),
    Effect.catchDefect((defect) => Effect.succeed<Report>({ type: "failed", reason: String(defect) })),
    Effect.map(say)
  )

process.on("message", (command: Command) => void Effect.runFork(answer(command)))
process.on("disconnect", () => process.exit(0))
process.on("SIGINT", () => {})

// The load generator's process: obeys the runner's commands one at a time over the IPC channel and ends with it, so
// that a runner that dies leaves no load behind. Owns the process; the work is PhaseRun.ts's and Ceiling.ts's.
import type { ConnectFailed, GrpcStatus } from "#net"
import { Effect, type Scope } from "effect"
import { measureCeiling } from "./Ceiling.ts"
import { PhaseRun, type WatchFailed } from "./PhaseRun.ts"
import { FrontContext } from "../front/load/FrontContext.ts"
import { measureFrontCeiling } from "../front/load/FrontCeiling.ts"
import { FrontPhaseRun } from "../front/load/FrontPhaseRun.ts"
import { populate, type PopulateFailed } from "../front/load/FrontPopulate.ts"
import type { Command, Endpoint, Report } from "./Protocol.ts"
import { RunContext } from "./RunContext.ts"
import { fillTraces } from "../traces/load/FillTraces.ts"
import { TracingContext } from "../traces/load/TracingContext.ts"
import { runTracingPhase } from "../traces/load/TracingPhaseRun.ts"

const say = (report: Report): void => {
  process.send?.(report)
}

let context: RunContext | undefined
let front: FrontContext | undefined
let tracing: TracingContext | undefined
let endpoints: ReadonlyArray<Endpoint> = []

type Failure = ConnectFailed | GrpcStatus | WatchFailed | PopulateFailed | { readonly message: string }

const tooEarly: Effect.Effect<Report> = Effect.succeed({ type: "failed", reason: "a phase came before the start" })

/** Everything but what has no answer. */
type Asked = Exclude<Command, { readonly type: "frontGo" }>

const obey = (command: Asked): Effect.Effect<Report, Failure, Scope.Scope> => {
  switch (command.type) {
    case "start":
      context = new RunContext(command.seed, command.keySpaces)
      endpoints = command.endpoints
      return Effect.succeed({ type: "ready" })
    case "endpoints":
      endpoints = command.endpoints
      return Effect.succeed({ type: "ready" })
    case "phase":
      if (context === undefined) return tooEarly
      return new PhaseRun(command.phase, context, say).run(endpoints)
    case "ceiling":
      return measureCeiling(command)
    case "frontStart":
      front = new FrontContext(command.seed, command.front, command.endpoint, command.translates)
      return Effect.succeed({ type: "ready" })
    case "frontPopulate":
      return front === undefined ? tooEarly : populate(front, command.endpoint)
    case "frontPhase":
      return front === undefined ? tooEarly : new FrontPhaseRun(command.phase, front, say).run
    case "tracingFill":
      return Effect.as(fillTraces(command.dataDir, command.filled), { type: "ready" } as const)
    case "tracingStart": {
      const { endpoint: server, filled, seed, stream } = command
      tracing = new TracingContext(seed, stream, filled, server)
      return Effect.succeed({ type: "ready" })
    }
    case "tracingPhase":
      return tracing === undefined ? tooEarly : runTracingPhase(command.phase, tracing, say)
    case "frontCeiling":
      return measureFrontCeiling(command)
  }
}

const answer = (command: Asked): Effect.Effect<void> =>
  Effect.suspend(() => obey(command)).pipe(
    Effect.scoped,
    Effect.catch(({ message }) => Effect.succeed<Report>({ type: "failed", reason: message })),
    Effect.catchDefect((defect) => Effect.succeed<Report>({ type: "failed", reason: String(defect) })),
    Effect.map(say)
  )

process.on("message", (command: Command) => {
  if (command.type === "frontGo") front?.go()
  else Effect.runFork(answer(command))
})
process.on("disconnect", () => process.exit(0))
process.on("SIGINT", () => {})

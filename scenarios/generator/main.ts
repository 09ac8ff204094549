// The load generator's process: obeys the runner's commands one at a time over the IPC channel and ends with it, so
// that a runner that dies leaves no load behind. Owns the process; the work is PhaseRun.ts's and Ceiling.ts's.
import { measureCeiling } from "./Ceiling.ts"
import { PhaseRun } from "./PhaseRun.ts"
import type { Command, Endpoint, Report } from "./Protocol.ts"
import { RunContext } from "./RunContext.ts"

const say = (report: Report): void => {
  process.send?.(report)
}

let context: RunContext | undefined
let endpoint: Endpoint = { host: "127.0.0.1", port: 0 }

const obey = async (command: Command): Promise<void> => {
  switch (command.type) {
    case "start":
      context = new RunContext(command.seed, command.keySpaces)
      endpoint = command.endpoint
      return say({ type: "ready" })
    case "endpoint":
      endpoint = command.endpoint
      return say({ type: "ready" })
    case "phase":
      if (context === undefined) return say({ type: "failed", reason: "a phase came before the start" })
      return say(await new PhaseRun(command.phase, context, say).run(endpoint))
    case "ceiling":
      return say(await measureCeiling(command))
  }
}

process.on("message", (command: Command) => {
  obey(command).catch((cause: unknown) =>
    say({ type: "failed", reason: cause instanceof Error ? cause.message : String(cause) })
  )
})
process.on("disconnect", () => process.exit(0))
process.on("SIGINT", () => {})

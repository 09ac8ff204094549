// The world's process: lives through one cluster, or measures what one size costs, tells of it over the IPC channel and ends with it,
// so that a runner that dies leaves no world behind. Owns the process; the work is WorldRun.ts's and Cost.ts's.
import { measureCost } from "./Cost.ts"
import type { WorldCommand, WorldReport } from "./Protocol.ts"
import { WorldRun } from "./WorldRun.ts"

const say = (report: WorldReport): void => {
  process.send?.(report)
}

const obey = async (command: WorldCommand): Promise<void> => {
  try {
    if (command.type === "cost") say({ type: "cost", point: measureCost(command) })
    else say(await new WorldRun(command, say).run())
  } catch (cause) {
    say({ type: "failed", reason: cause instanceof Error ? cause.message : String(cause) })
  }
}

process.on("message", (command: WorldCommand) => void obey(command))
process.on("disconnect", () => process.exit(0))
process.on("SIGINT", () => {})

// The federation's process: walks through one scenario's federation, tells of it over the IPC channel and ends with it, so that a
// runner that dies leaves nothing behind. Owns the process; the work is FederationWalk.ts's.
import { walkFederation } from "./FederationWalk.ts"
import type { FederationCommand, FederationReport } from "./Protocol.ts"

const say = (report: FederationReport): void => {
  process.send?.(report)
}

const obey = async ({ federation }: FederationCommand): Promise<void> => {
  try {
    say(await walkFederation(federation, say))
  } catch (cause) {
    say({ type: "failed", reason: cause instanceof Error ? cause.message : String(cause) })
  }
}

process.on("message", (command: FederationCommand) => void obey(command))
process.on("disconnect", () => process.exit(0))
process.on("SIGINT", () => {})

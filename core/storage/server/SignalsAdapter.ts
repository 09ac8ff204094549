// The impatient way out: the first SIGINT or SIGTERM drains, a second SIGINT ends the process at once.
// Owns that one rule; refuses to drain, which the scope's finalizers do when the first signal interrupts them.
import { Effect } from "effect"

/** The exit code of a process that SIGINT ended. */
const INTERRUPTED = 130

/** Watches for a second SIGINT as long as the scope is open, its finalizers included. */
export const stopAtSecondInterrupt = Effect.acquireRelease(
  Effect.sync(() => {
    let seen = 0
    const onInterrupt = (): void => {
      seen++
      if (seen > 1) process.exit(INTERRUPTED)
    }
    process.on("SIGINT", onInterrupt)
    return onInterrupt
  }),
  (onInterrupt) => Effect.sync(() => void process.off("SIGINT", onInterrupt))
)

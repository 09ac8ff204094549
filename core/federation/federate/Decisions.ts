// The decisions that federating asks for: where an object goes, and what differs in each cluster.
// Owns the port; the scheduling framework and the overriders fulfil it.
import type { Effect } from "effect"
import type { ApplyOverrides } from "../overrides/Overridden.ts"
import type { Outcome, ScheduleRequest } from "../scheduling/Outcome.ts"

export interface Decisions {
  /** Asks plugins outside this process where a profile has some; those that do not answer are part of the outcome. */
  readonly schedule: (request: ScheduleRequest) => Effect.Effect<Outcome>
  readonly applyOverrides: ApplyOverrides
}

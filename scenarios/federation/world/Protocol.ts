// What the runner and a federation's process say to each other: JSON messages over the child's IPC channel.
// Owns the message shapes. The process walks through one federation's steps and ends.
import type { RecordedFederation, RecordedOperation, RecordedPhase, Violation } from "#reports"
import type { Second } from "../../generator/Protocol.ts"
import type { Federation } from "../Federation.ts"

/** From the runner. */
export interface FederationCommand {
  readonly type: "run"
  readonly federation: Federation
}

/** What happens now, in a few words. */
export interface FederationProgress {
  readonly type: "step"
  readonly name: string
}

/** Everything that a run left behind. */
export interface FederationResult {
  readonly type: "result"
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly endedAt: number
  readonly phases: ReadonlyArray<RecordedPhase>
  readonly operations: ReadonlyArray<RecordedOperation>
  readonly federation: RecordedFederation
  readonly violations: ReadonlyArray<Violation>
}

/** From the federation's process. */
export type FederationReport =
  | FederationProgress
  | Second
  | FederationResult
  | { readonly type: "failed"; readonly reason: string }

// What the runner and the load generator's process say to each other: JSON messages over the child's IPC channel.
// Owns the message shapes. The generator obeys one command at a time and answers each.
import type { RecordedOperation, RecordedWatch } from "#reports"
import type { Front } from "../front/Front.ts"
import type { FrontPhase } from "../front/FrontPhase.ts"
import type { FrontEndpoint } from "../front/load/FrontEndpoint.ts"
import type { KeySpace } from "../Operation.ts"
import type { Phase } from "../Scenario.ts"
import type { Filled } from "../traces/load/FillTraces.ts"
import type { TracingSeen } from "../traces/load/TracingContext.ts"
import type { PacedPhase } from "../traces/PacedPhase.ts"
import type { TracingStream } from "../traces/Tracing.ts"
import type { TallySecond } from "./Tally.ts"

/** Where the server under test listens. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/**
 * From the runner. `start` comes first, then one `phase` at a time, or `frontStart` and one `frontPhase` at a time, or `tracingFill`,
 * `tracingStart` and one `tracingPhase` at a time; closing the channel ends the generator.
 */
export type Command =
  | {
      readonly type: "start"
      readonly seed: number
      readonly keySpaces: ReadonlyArray<KeySpace>
      readonly endpoints: ReadonlyArray<Endpoint>
    }
  | { readonly type: "endpoints"; readonly endpoints: ReadonlyArray<Endpoint> }
  | { readonly type: "phase"; readonly phase: Phase }
  | {
      readonly type: "frontStart"
      readonly seed: number
      readonly front: Front
      readonly endpoint: FrontEndpoint
      /** Whether the front shows tenants clusters of their own. */
      readonly translates: boolean
    }
  | { readonly type: "frontPopulate"; readonly endpoint: FrontEndpoint }
  | { readonly type: "frontPhase"; readonly phase: FrontPhase }
  /** Follows each mark of a phase of a front; has no answer. */
  | { readonly type: "frontGo" }
  | {
      readonly type: "frontCeiling"
      readonly endpoint: FrontEndpoint
      readonly connections: number
      readonly parallelism: number
      readonly durationMs: number
    }
  /** Writes what the store holds before the run, while no server has it open. */
  | { readonly type: "tracingFill"; readonly dataDir: string; readonly filled: Filled }
  | {
      readonly type: "tracingStart"
      readonly seed: number
      readonly stream: TracingStream
      readonly filled: Filled
      readonly endpoint: Endpoint
    }
  | { readonly type: "tracingPhase"; readonly phase: PacedPhase }
  | {
      readonly type: "ceiling"
      readonly endpoint: Endpoint
      readonly connections: number
      readonly parallelism: number
      readonly durationMs: number
    }

/** A moment of a phase of a front, at which the generator waits until the runner has looked at processes and says `frontGo`. */
export interface Mark {
  readonly type: "mark"
  readonly mark: "opened" | "idle" | "ended"
}

/** One second of a phase; `at` is ms since the epoch. */
export interface Second {
  readonly type: "second"
  readonly at: number
  readonly inFlight: number
  readonly operations: ReadonlyArray<TallySecond>
  readonly watch?: { readonly delivered: number; readonly lagP50Us: number | null; readonly lagP99Us: number | null }
}

/** Facts of a phase beside its records. */
export interface PhaseFacts {
  readonly startedAt: number
  readonly endedAt: number
  readonly cpuSeconds: number
  readonly pauseMs: number
  readonly pauseEndedAt: number
  readonly connections: number
  /** Open loops: the most that a load's last action began later than planned, in ms. */
  readonly lateMs: number
  /** Open loops: whether a load ever had inFlightMax actions in flight, so that the server set the pace. */
  readonly saturated: boolean
  readonly stddevMs: Readonly<Record<string, number | null>>
  /** By operation: the longest time without one that succeeded, in ms; null where none did. */
  readonly gapMs: Readonly<Record<string, number | null>>
  /** By watch: the longest time that one of its watchers was told nothing before it was told something, in ms. */
  readonly watchGapMs: Readonly<Record<string, number>>
  readonly violations: Readonly<Record<string, number>>
  readonly notes: ReadonlyArray<string>
}

/** A phase's result. */
export interface PhaseResult {
  readonly type: "phase"
  readonly operations: ReadonlyArray<RecordedOperation>
  readonly watches: ReadonlyArray<RecordedWatch>
  readonly facts: PhaseFacts
}

/** A phase's result against a tracing server. */
export interface TracingPhaseResult {
  readonly type: "tracingPhase"
  readonly result: PhaseResult
  readonly seen: Readonly<TracingSeen>
}

/** What the generator reaches against an empty handler. CPU is per cent of one core. */
export interface CeilingResult {
  readonly type: "ceiling"
  readonly perSecond: number
  readonly cpuPercent: number
}

/** From the generator. */
export type Report =
  | { readonly type: "ready" }
  | Mark
  | Second
  | PhaseResult
  | TracingPhaseResult
  | CeilingResult
  | { readonly type: "failed"; readonly reason: string }

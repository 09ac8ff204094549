// A phase against a tracing server with every load's shape decided: a pace that was given as a part of an earlier phase's is a rate now.
// Owns that decision; refuses to measure, which phases before did.
import type { PhaseResult } from "../generator/Protocol.ts"
import type { LoadShape } from "../LoadShape.ts"
import type { TracingLoad, TracingPhase } from "./Tracing.ts"

/** A load whose shape is decided. */
export type PacedLoad = TracingLoad & { readonly shape: LoadShape }

/** A phase whose loads' shapes are decided. */
export interface PacedPhase extends Omit<TracingPhase, "load"> {
  readonly load: ReadonlyArray<PacedLoad>
}

const rateOf = ({ facts, operations }: PhaseResult): number => {
  const seconds = Math.max(0.001, (facts.endedAt - facts.startedAt) / 1000)
  return operations.reduce((sum, { completed }) => sum + completed, 0) / seconds
}

/** A rate that is no rate would never begin. */
const LEAST_PER_SECOND = 0.1

/** Decides the shapes; `before` are the results of earlier phases by name. */
export const pacedPhase = (phase: TracingPhase, before: ReadonlyMap<string, PhaseResult>): PacedPhase => ({
  ...phase,
  load: phase.load.map((load) => {
    if (load.shape !== undefined) return { ...load, shape: load.shape }
    const reached = load.pace === undefined ? undefined : before.get(load.pace.of)
    const rate = reached === undefined ? 0 : rateOf(reached) * (load.pace?.part ?? 1)
    return { ...load, shape: { qpsLoad: { qps: Math.max(LEAST_PER_SECOND, rate) } } }
  })
})

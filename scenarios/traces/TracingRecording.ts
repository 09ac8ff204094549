// The run record of one run against a tracing server: what every load's record says, and the server's own part.
// Owns the putting together, and the promise that what was answered is there; numbers come from the generator and TracingRun.ts.
import type { RecordedTracingServer, RunRecord, Violation } from "#reports"
import { packageVersion } from "../PackageRoot.ts"
import { recordRun, type RecordingContext } from "../Recording.ts"
import type { Tracing } from "./Tracing.ts"
import type { TracingOutcome } from "./TracingRun.ts"
import { checkTracingSlos } from "./TracingSloCheck.ts"

/** What a record says besides the run itself. */
export interface TracingRecordingContext extends Omit<RecordingContext, "backend" | "ceiling"> {
  readonly tracing: Tracing
}

/** Each generated event is an audit and a version, at least; a recorded one at least may be left out. */
const lost = ({ stream }: Tracing, { phases }: RecordedTracingServer): ReadonlyArray<Violation> =>
  phases.flatMap(({ events, facts, phase }) =>
    stream.source === "recorded" || facts === null || facts >= 2 * events
      ? []
      : [{ rule: "an audit event was accepted and is not there", text: `${phase}: ${events} events, ${facts} facts` }]
  )

/** The run record. */
export const recordTracing = (outcome: TracingOutcome, context: TracingRecordingContext): RunRecord => {
  const { loaded, tracing: planned } = context
  const { longTrace, spans, stream } = planned
  const tracing: RecordedTracingServer = {
    stream: stream.source,
    batch: stream.batch,
    spansBefore: (spans ?? 0) + (longTrace ?? 0),
    openMs: outcome.openMs,
    phases: outcome.phases
  }
  const backend = {
    name: "tracing",
    version: packageVersion(),
    settings: { stream: stream.source, ...(spans === undefined ? {} : { spans: String(spans) }) },
    durable: true
  }
  const base = recordRun(outcome, { ...context, backend, ceiling: undefined })
  const record = { ...base, tracing, violations: [...base.violations, ...lost(planned, tracing)] }
  return { ...record, slos: [...record.slos, ...checkTracingSlos(loaded.scenario, record)] }
}

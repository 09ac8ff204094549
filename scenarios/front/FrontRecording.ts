// The run record of one run against a front: what every load's record says, and the front's own part.
// Owns the putting together; numbers come from the generator and FrontLook.ts.
import type { RunRecord } from "#reports"
import { recordRun, type RecordingContext } from "../Recording.ts"
import type { FrontBackend } from "./backends/FrontBackend.ts"
import type { Front } from "./Front.ts"
import type { FrontOutcome } from "./FrontRun.ts"
import { checkFrontSlos } from "./FrontSloCheck.ts"

/** What a record says besides the run itself. */
export interface FrontRecordingContext extends Omit<RecordingContext, "backend"> {
  readonly backend: FrontBackend
  readonly front: Front
}

const settingsOf = ({ instances, limits, tenants, upstream, upstreams }: Front): Readonly<Record<string, string>> => ({
  "stands before": upstreams === 1 ? upstream : `${upstreams} × ${upstream}`,
  ...(instances === 1 ? {} : { instances: String(instances) }),
  ...(limits.length === 0 ? {} : { limits: limits.map(({ name }) => name).join(", ") }),
  ...(tenants === undefined ? {} : { tenants: String(tenants.count) })
})

/** The run record. */
export const recordFront = (outcome: FrontOutcome, context: FrontRecordingContext): RunRecord => {
  const { backend, front, loaded } = context
  const { name, settings, version } = backend
  const recorded = { name, version, settings: { ...settings, ...settingsOf(front) }, durable: false }
  const record = { ...recordRun(outcome, { ...context, backend: recorded }), front: outcome.front }
  return { ...record, slos: [...record.slos, ...checkFrontSlos(loaded.scenario, record)] }
}

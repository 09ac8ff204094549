// How much work calls and the telling of watchers are: the processor time that all programs of a run used for a crowd of pods, shared out.
// Owns that arithmetic, on the records of two real runs of one crowd that differ by their watchers alone; refuses latencies, which say how
// long somebody waited and not who worked. A machine that does not tell processor times (no /proc) gives no work.
import type { RecordedCluster, RunRecord } from "#reports"
import type { Constants } from "./Calibration.ts"
import { kindOf, medianOfKind } from "./Constants.ts"

/** A crowd that was lived with few watchers of its pods, and once more with many. */
export interface CrowdRuns {
  readonly few: RunRecord
  readonly many: RunRecord
}

/** What a quarter of a run's seconds use at most is its rest: heartbeats, timers, this measurement. */
const REST_SHARE = 0.25
/** A run has to last longer than its crowd by enough. */
const FEWEST_SAMPLES = 20

/** Percent of one processor in each second, over all programs; empty where it is not known. */
const useOf = ({ components }: RunRecord): ReadonlyArray<number> => {
  const seconds = Math.max(0, ...components.map(({ atS }) => atS.length))
  return Array.from({ length: seconds }, (_, at) =>
    components.reduce((sum, { cpuPercent }) => sum + (cpuPercent?.[at] ?? 0), 0)
  )
}

/** When the first pod was there, in s; undefined where none was. */
const firstPodS = ({ state }: RecordedCluster): number | undefined => {
  const at = state.atMs.findIndex((_, sample) => Object.values(state.pods).some((column) => (column[sample] ?? 0) > 0))
  return at < 0 ? undefined : state.atMs[at] / 1000
}

/** The processor time in ms that a run's programs used beyond their rest from its first pod on; undefined where it is not known. */
export const busyMs = (record: RunRecord): number | undefined => {
  const { cluster } = record
  const fromS = cluster && firstPodS(cluster)
  const use = useOf(record)
  if (fromS === undefined || use.length < FEWEST_SAMPLES) return undefined
  const rest = use.toSorted((left, right) => left - right)[Math.floor(use.length * REST_SHARE)]
  // A sample stands at the end of its second. The samples' clock is ahead of the cluster's, which begins when all programs are ready.
  const counted = use.slice(Math.max(0, Math.floor(fromS) - 1))
  return counted.reduce((sum, percent) => sum + Math.max(0, percent - rest) * 10, 0)
}

const podEvents = ({ informers }: RecordedCluster): number =>
  informers.filter(({ resource }) => resource === "pods").reduce((sum, { lag }) => sum + lag.count, 0)

/** Calls that a crowd is made of: those about pods, and the events that are written about them. */
const ofCrowd = ({ calls }: RecordedCluster) =>
  calls.filter(({ resource, verb }) => /^(pods|events)\b/.test(resource) && verb !== "list")

/**
 * The work of a watcher's event from the difference of the two runs; that of calls from what is left of the run with few watchers, whose
 * simulation says how many calls the control plane made and how many events it was told of. Undefined where processor times are not known.
 */
export const workOf = (
  { few, many }: CrowdRuns,
  simulated: RecordedCluster,
  constants: Constants
): Pick<Constants, "workShare" | "eventMs"> | undefined => {
  const [fewMs, manyMs] = [busyMs(few), busyMs(many)]
  if (few.cluster === undefined || many.cluster === undefined || fewMs === undefined || manyMs === undefined)
    return undefined
  const more = podEvents(many.cluster) - podEvents(few.cluster)
  if (more <= 0) return undefined
  const eventMs = Math.max(0, manyMs - fewMs) / more
  const calls = ofCrowd(simulated).reduce(
    (sum, call) => sum + call.answered * medianOfKind(constants.calls, kindOf(call), call.verb),
    0
  )
  const callsMs = Math.max(0, fewMs - eventMs * podEvents(simulated))
  return calls === 0
    ? undefined
    : { workShare: Number((callsMs / calls).toPrecision(4)), eventMs: Number(eventMs.toPrecision(4)) }
}

// The simulated clusters of a report, reduced to what is shown of them: one per group, and its figures against Kubernetes' own SLOs.
// Owns which run stands for a group (the first; runs of one seed are the same run) and the limits of the SLOs. Does not format.
import type { RunGroup } from "./Compare.ts"
import type { RecordedCalls, RecordedCluster } from "./RecordedCluster.ts"
import type { RunRecord } from "./RunRecord.ts"

/** A cluster that stands for its group. */
export interface ClusterSummary {
  readonly name: string
  readonly record: RunRecord
  readonly cluster: RecordedCluster
  readonly runs: number
  /** Whether every run of one seed gave the same event log. */
  readonly isRepeatable: boolean
  /** Whether its time is virtual; latencies of a real one are the machine's. */
  readonly isSimulated: boolean
  /** The time that its figures are in, in words. */
  readonly time: "virtual time" | "real time"
}

/** Whether a group's runs are of simulated clusters; such runs have no load generator and are not compared with stores. */
export const isClusterGroup = ({ records }: RunGroup): boolean => records.some(({ cluster }) => cluster !== undefined)

/** The clusters of some groups, in their order. */
export const clustersOf = (groups: ReadonlyArray<RunGroup>): ReadonlyArray<ClusterSummary> =>
  groups.flatMap(({ name, records }) => {
    const runs = records.flatMap((record) =>
      record.cluster === undefined ? [] : [{ record, cluster: record.cluster }]
    )
    const [first] = runs
    if (first === undefined) return []
    const logs = new Set(runs.map(({ cluster, record }) => `${record.seed} ${cluster.eventLogHash}`))
    const seeds = new Set(runs.map(({ record }) => record.seed))
    const isSimulated = first.record.target === "sim"
    const time = isSimulated ? "virtual time" : "real time"
    const isRepeatable = !isSimulated || logs.size === seeds.size
    return [{ name, ...first, runs: runs.length, isRepeatable, isSimulated, time }]
  })

const SINGLE_US = 1_000_000
const LIST_US = 30_000_000
/** Of pods without images to pull and without state, from creation to being seen running. */
export const podStartSloUs = 5_000_000

/**
 * The p99 that Kubernetes' scalability SLOs allow, in µs: 1 s for a call about one object, 30 s for a list; undefined for calls that
 * they do not speak of. Source: kubernetes/community, sig-scalability/slos/api_call_latency.md.
 */
export const callSloUs = ({ scope, verb }: RecordedCalls): number | undefined => {
  if (verb === "list") return LIST_US
  return scope === "object" ? SINGLE_US : undefined
}

/** One kind of calls and how much of its limit its p99 takes. */
export interface JudgedCalls {
  readonly calls: RecordedCalls
  readonly limitUs: number
  readonly share: number
}

/** The calls that an SLO speaks of, nearest to its limit first. */
export const judgedCalls = ({ calls }: RecordedCluster): ReadonlyArray<JudgedCalls> =>
  calls
    .flatMap((one) => {
      const limitUs = callSloUs(one)
      return limitUs === undefined || one.latency.p99 === null
        ? []
        : [{ calls: one, limitUs, share: one.latency.p99 / limitUs }]
    })
    .toSorted((left, right) => right.share - left.share)

/** How calls are named in a table: what is done to what, and how wide it reaches. */
export const callName = ({ by, resource, scope, verb }: RecordedCalls): string => {
  const reach = scope === "object" ? "" : scope === "cluster" ? ", all" : ", of a namespace"
  return `${verb} ${resource}${reach}${by === undefined ? "" : ", by the control plane"}`
}

/** How many times faster than real time the cluster lived. */
export const speedOf = ({ virtualMs, wallMs }: RecordedCluster): number => (wallMs > 0 ? virtualMs / wallMs : 0)

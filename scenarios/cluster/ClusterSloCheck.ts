// Judges a scenario's targets on its cluster against what the run recorded: one verdict per target, the worst of what it is about;
// where nothing was measured the verdict is "missing", never "pass".
import {
  Latency,
  type RecordedCalls,
  type RecordedCluster,
  type SloVerdict,
  virtualRate,
  waitOfAll,
  wallRate
} from "#reports"
import type { Scenario, Slo } from "../Scenario.ts"
import { sloVerdict } from "../SloCheck.ts"
import { type ClusterSloMetric, clusterMetricUnit, isClusterMetric } from "./ClusterSloMetric.ts"

const mutating: ReadonlySet<RecordedCalls["verb"]> = new Set(["create", "update", "patch", "delete"])

const ms = (us: number | null | undefined): number | undefined =>
  us === null || us === undefined ? undefined : us / 1000

const kindOf = (metric: ClusterSloMetric, { verb }: RecordedCalls): boolean => {
  if (metric === "api.mutating.p99") return mutating.has(verb)
  return metric === "api.get.p99" ? verb === "get" : verb === "list"
}

const worstCall = (
  { calls }: RecordedCluster,
  metric: ClusterSloMetric,
  of: string | undefined
): number | undefined => {
  const meant = calls.filter((call) => kindOf(metric, call) && (of === undefined || call.resource === of))
  const worst = meant.reduce<number | undefined>((most, { latency }) => {
    const p99 = latency.p99 ?? undefined
    return p99 === undefined || (most !== undefined && most > p99) ? most : p99
  }, undefined)
  return ms(worst)
}

/** Answers that say that the server could not, of all answers; refusals by rules (404, 409, 429 of a budget) are no errors. */
const errorPercent = ({ calls }: RecordedCluster, of: string | undefined): number | undefined => {
  const meant = calls.filter(({ resource }) => of === undefined || resource === of)
  const answered = meant.reduce((sum, call) => sum + call.answered + (call.errors["connection refused"] ?? 0), 0)
  const failed = meant.reduce(
    (sum, { errors }) =>
      sum + Object.entries(errors).reduce((all, [code, count]) => all + (Number(code) < 500 ? 0 : count), 0),
    0
  )
  return answered === 0 ? undefined : (failed * 100) / answered
}

const informerLag = (cluster: RecordedCluster, of: string | undefined, percentile: number): number | undefined => {
  const meant = cluster.informers.filter(({ resource }) => of === undefined || resource === of)
  return ms(Latency.merge(meant.map(({ lag }) => lag)).percentile(percentile))
}

const nodesReady = ({ nodes, state }: RecordedCluster): number | undefined => {
  if (state.atMs.length === 0) return undefined
  return (state.zones.reduce((sum, { ready }) => sum + (ready.at(-1) ?? 0), 0) * 100) / nodes
}

/** Of the pods that should run: those that ended well are done. */
const podsRunning = ({ state }: RecordedCluster): number | undefined => {
  const last = (phase: string): number => state.pods[phase]?.at(-1) ?? 0
  const wanted = ["Unscheduled", "Pending", "Running", "Failed"].reduce((sum, phase) => sum + last(phase), 0)
  return wanted === 0 ? undefined : (last("Running") * 100) / wanted
}

/** Of one priority class, or of all pods. */
const schedulerWait = ({ scheduling }: RecordedCluster, of: string | undefined) => {
  if (scheduling === undefined) return undefined
  return of === undefined ? waitOfAll(scheduling) : scheduling.waits.find(({ priority }) => priority === of)?.wait
}

const observe = (cluster: RecordedCluster, metric: ClusterSloMetric, of: string | undefined): number | undefined => {
  const { scheduling } = cluster
  switch (metric) {
    case "api.mutating.p99":
    case "api.get.p99":
    case "api.list.p99":
      return worstCall(cluster, metric, of)
    case "api.errors":
      return errorPercent(cluster, of)
    case "pod.start.p50":
      return ms(cluster.podStarts.whole.p50)
    case "pod.start.p99":
      return ms(cluster.podStarts.whole.p99)
    case "scheduler.wait.p50":
      return ms(schedulerWait(cluster, of)?.p50)
    case "scheduler.wait.p99":
      return ms(schedulerWait(cluster, of)?.p99)
    case "scheduler.virtual-rate":
      return scheduling && virtualRate(scheduling)
    case "scheduler.wall-rate":
      return scheduling && wallRate(scheduling)
    case "scheduler.bound":
      return scheduling?.bound
    case "scheduler.waiting":
      return scheduling?.waiting
    case "scheduler.victims":
      return scheduling?.victims
    case "informer.lag.p50":
      return informerLag(cluster, of, 50)
    case "informer.lag.p99":
      return informerLag(cluster, of, 99)
    case "nodes.ready":
      return nodesReady(cluster)
    case "pods.running":
      return podsRunning(cluster)
    case "tracing.stuck":
      return cluster.tracing?.stuck.filter(({ kind }) => of === undefined || kind === of).length
    case "cluster.speed":
      return cluster.wallMs > 0 ? cluster.virtualMs / cluster.wallMs : undefined
    case "cluster.memory":
      return cluster.residentMaxBytes
    case "cluster.wall":
      return cluster.wallMs
  }
}

const judge = (slo: Slo, metric: ClusterSloMetric, cluster: RecordedCluster): SloVerdict =>
  sloVerdict(slo, slo.of ?? "cluster", observe(cluster, metric, slo.of), clusterMetricUnit(metric))

/** The verdict of every target on the cluster. */
export const checkClusterSlos = ({ slo }: Scenario, cluster: RecordedCluster): ReadonlyArray<SloVerdict> =>
  slo.flatMap((target) => (isClusterMetric(target.metric) ? [judge(target, target.metric, cluster)] : []))

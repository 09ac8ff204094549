// Everything that is measured while a scenario's cluster lives, joined: calls, watches, pod starts and states.
// Owns the joining and the record that comes of it; each measure has a file of its own. Measures listen and never ask, save for one
// watcher of pods, which is what "seen by a watcher" means.
import { gvr, Reflector } from "#kube"
import type { ClusterMark, RecordedCluster } from "#reports"
import { epochMs } from "#sim"
import { calibrationOf, recordedCalibration } from "../calibration/Calibration.ts"
import { replicasOf } from "../cluster/Capacity.ts"
import type { Cluster } from "../cluster/Cluster.ts"
import { faultWords } from "../cluster/ClusterFault.ts"
import { ApiCalls } from "./ApiCalls.ts"
import { ClusterState } from "./ClusterState.ts"
import { ObjectTraces } from "./ObjectTraces.ts"
import { PodStarts } from "./PodStarts.ts"
import { nodesOf } from "./ScenarioCase.ts"
import { SchedulerMeasure } from "./SchedulerMeasure.ts"
import type { LivingWorld } from "./LivingWorld.ts"
import type { WorldHooks } from "./ScenarioWorld.ts"
import { modelWords, realWords } from "./SimulatedModel.ts"
import { StoreMeasure } from "./StoreMeasure.ts"
import { LateClock } from "./VirtualClock.ts"
import { WatchLag } from "./WatchLag.ts"

const pods = gvr("", "v1", "pods")
const OBSERVER = "observer"

/** Nodes by zone, as the groups are spread. */
const zoneCounts = (cluster: Cluster): ReadonlyArray<{ readonly name: string; readonly nodes: number }> => {
  const counts = new Map(cluster.zones.map((zone) => [zone, 0]))
  for (const { count, zones = cluster.zones } of cluster.nodeGroups) {
    for (const [at, zone] of zones.entries()) {
      const share = Math.floor(count / zones.length) + (at < count % zones.length ? 1 : 0)
      counts.set(zone, (counts.get(zone) ?? 0) + share)
    }
  }
  return [...counts].map(([name, nodes]) => ({ name, nodes }))
}

const actionWords = (cluster: Cluster, action: Cluster["actions"][number]): string => {
  if (action.kind === "upgrade-nodes") {
    return `upgrade of ${action.group === undefined ? "all nodes" : `group ${action.group}`}, ${action.parallel} at a time`
  }
  const words = action.kind === "rolling-update" ? "rolling update of" : `${action.kind} of`
  if (action.kind !== "scale") return `${words} ${action.of}`
  const replicas = replicasOf(cluster, action, { at: 0, objects: 1 }).toLocaleString("en")
  return `${words} ${action.of} to ${replicas}${action.perNode === undefined ? "" : " in all"}`
}

/** What is planned to happen, in the order of time. */
export const plannedMarks = (cluster: Cluster): ReadonlyArray<ClusterMark> =>
  [
    ...cluster.faults.map((fault) => ({
      kind: "fault" as const,
      text: faultWords(fault),
      atMs: fault.at,
      durationMs: "for" in fault ? fault.for : null
    })),
    ...cluster.actions.map((action) => ({
      kind: "action" as const,
      text: actionWords(cluster, action),
      atMs: action.at,
      durationMs: "over" in action ? action.over : null
    }))
  ].toSorted((left, right) => left.atMs - right.atMs)

/** In the place of an event log's hash where one seed does not give one life. */
export const NO_LOG = "real time"

export class ClusterMeasures {
  readonly clock = new LateClock()
  readonly state: ClusterState
  private readonly cluster: Cluster
  private readonly calls = new ApiCalls(this.clock)
  private readonly lag = new WatchLag(this.clock)
  private readonly starts = new PodStarts(this.clock)
  private readonly scheduling = new SchedulerMeasure(this.clock)
  private readonly store = new StoreMeasure()
  private readonly traces: ObjectTraces | undefined
  private readonly folder: string

  /** Paths that the cluster names begin in the folder. */
  constructor(cluster: Cluster, folder: string) {
    this.cluster = cluster
    this.folder = folder
    this.state = new ClusterState(zoneCounts(cluster))
    this.traces = cluster.tracing ? new ObjectTraces() : undefined
  }

  readonly hooks: WorldHooks = {
    measureCalls: (client, process, times) => this.calls.wrap(client, process, times),
    wrapClient: (client, process) => {
      const heard = this.lag.wrap(client, process)
      return this.traces?.wrap(heard, process) ?? heard
    },
    controllerMade: (controller) => this.state.watchQueue(controller),
    serverStarted: (cluster) => {
      cluster.onRevision((revision) => {
        this.lag.committed(revision)
        this.store.committed(revision)
      })
      this.store.follow(cluster)
      cluster.view("", "pods").onChange((before, after) => {
        this.starts.changed(before, after)
        this.scheduling.changed(before, after)
      })
      this.state.follow(cluster)
    }
  }

  /** Listens where hooks do not reach: the kubelets' stages, and a watcher of its own, which starts when the result is called. */
  attach(world: LivingWorld): () => void {
    world.population.pods.observer = { stageDone: (_stage, pod, seenMs) => this.starts.seen(pod, seenMs) }
    if (world.watchedPods !== undefined) {
      world.watchedPods.onChange((_before, after) => (after === undefined ? undefined : this.starts.watched(after)))
      return () => undefined
    }
    const reflector = new Reflector(
      {
        client: world.client(OBSERVER),
        clockwork: world.kernel.process(OBSERVER).clockwork,
        collection: { resource: pods, namespace: "" }
      },
      {
        replace: (objects) => objects.forEach((object) => this.starts.watched(object)),
        event: ({ object, type }) => (type === "DELETED" ? undefined : this.starts.watched(object))
      }
    )
    return () => reflector.start()
  }

  /** The record, given how the run went. */
  recorded(
    { isSimulated, kernel, population, violations }: LivingWorld,
    cost: { readonly wallMs: number; readonly residentMaxBytes: number }
  ): RecordedCluster {
    const broken = violations.list.map(({ atMs, guarantee, message }) => ({
      kind: "violation" as const,
      text: `${guarantee}: ${message}`,
      atMs,
      durationMs: null
    }))
    const podStarts = this.starts.recorded()
    const calibration = isSimulated ? calibrationOf(this.cluster.calibration, this.folder) : undefined
    const tracing = this.traces?.recorded(podStarts.slowest, kernel.nowMs)
    return {
      eventLogHash: isSimulated ? kernel.log.hash() : NO_LOG,
      events: kernel.log.count,
      virtualMs: kernel.nowMs,
      wallMs: cost.wallMs,
      residentMaxBytes: cost.residentMaxBytes,
      nodes: population.nodes.count > 0 ? nodesOf(this.cluster) : this.state.nodesSeen,
      podsMax: this.state.podsMax,
      model: isSimulated ? modelWords(this.cluster, calibration) : realWords(this.cluster),
      ...(calibration && { calibration: recordedCalibration(calibration, epochMs()) }),
      ...this.store.recorded(),
      calls: this.calls.recorded(),
      podStarts,
      scheduling: this.scheduling.recorded(population.bindings.stats),
      informers: this.lag.recorded().filter(({ lag }) => lag.count > 0),
      state: this.state.recorded(),
      marks: [...plannedMarks(this.cluster), ...broken].toSorted((left, right) => left.atMs - right.atMs),
      ...(tracing && { tracing })
    }
  }
}

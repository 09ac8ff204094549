// Everything that is measured while a scenario's cluster lives, joined: calls, watches, pod starts and states.
// Owns the joining and the record that comes of it; each measure has a file of its own. Measures listen and never ask, save for one
// watcher of pods, which is what "seen by a watcher" means.
import { gvr, Reflector } from "#kube"
import type { ClusterMark, RecordedCluster } from "#reports"
import type { Cluster } from "../cluster/Cluster.ts"
import { faultWords } from "../cluster/ClusterFault.ts"
import { ApiCalls } from "./ApiCalls.ts"
import { ClusterState } from "./ClusterState.ts"
import { PodStarts } from "./PodStarts.ts"
import { nodesOf } from "./ScenarioCase.ts"
import { SchedulerMeasure } from "./SchedulerMeasure.ts"
import type { LivingWorld } from "./LivingWorld.ts"
import type { WorldHooks } from "./ScenarioWorld.ts"
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

const actionWords = (action: Cluster["actions"][number]): string => {
  if (action.kind === "upgrade-nodes") {
    return `upgrade of ${action.group === undefined ? "all nodes" : `group ${action.group}`}, ${action.parallel} at a time`
  }
  const words = action.kind === "rolling-update" ? "rolling update of" : `${action.kind} of`
  return action.kind === "scale" ? `${words} ${action.of} to ${action.replicas}` : `${words} ${action.of}`
}

/** What is planned to happen, in the order of time. */
export const plannedMarks = ({ actions, faults }: Cluster): ReadonlyArray<ClusterMark> =>
  [
    ...faults.map((fault) => ({
      kind: "fault" as const,
      text: faultWords(fault),
      atMs: fault.at,
      durationMs: "for" in fault ? fault.for : null
    })),
    ...actions.map((action) => ({
      kind: "action" as const,
      text: actionWords(action),
      atMs: action.at,
      durationMs: "over" in action ? action.over : null
    }))
  ].toSorted((left, right) => left.atMs - right.atMs)

const modelOf = ({ disk, network, pods: pace, scheduler }: Cluster): ReadonlyArray<string> => [
  network === "none"
    ? "Network: none. Clients call the server in process, so that only the disk and waiting take virtual time."
    : `Network: log-normal with a median of ${network.median} ms each way (deviation of its logarithm ${network.sigma}), ${network.lossRate * 100} % lost and sent again, ${network.resetRate * 100} % of messages take their connection down.`,
  `Disk: a flush takes ${disk.flush} ms at the median (deviation of its logarithm ${disk.sigma}).`,
  pace === "kubelet"
    ? "Pods start within 0.8 to 3 s of being seen by their node, as on a kubelet whose images are there."
    : "Pods start at once, as with kwok's fast stages.",
  ...(scheduler === "one-pass"
    ? []
    : [
        "The scheduler attempts up to 32 pods every 5 ms; how long its decisions really take is the rate per second of real time."
      ]),
  "The server's own computing takes no virtual time: what a figure shows comes from the network, the disk, queues, retries and pace."
]

const realModelOf = ({ pods: pace }: Cluster): ReadonlyArray<string> => [
  "Real time: the API server, the store, the controllers and the scheduler are real programs on this machine; nodes and pods are hollow.",
  pace === "kubelet"
    ? "Pods start within 0.8 to 3 s of being seen by their node, as on a kubelet whose images are there."
    : "Pods start at once, as with kwok's fast stages.",
  "A watch event's lag counts from the moment at which any client of the run first heard of its revision."
]

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

  constructor(cluster: Cluster) {
    this.cluster = cluster
    this.state = new ClusterState(zoneCounts(cluster))
  }

  readonly hooks: WorldHooks = {
    wrapClient: (client, process) => this.calls.wrap(this.lag.wrap(client, process), process),
    controllerMade: (controller) => this.state.watchQueue(controller),
    serverStarted: (cluster) => {
      cluster.onRevision((revision) => this.lag.committed(revision))
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
    return {
      eventLogHash: isSimulated ? kernel.log.hash() : NO_LOG,
      events: kernel.log.count,
      virtualMs: kernel.nowMs,
      wallMs: cost.wallMs,
      residentMaxBytes: cost.residentMaxBytes,
      nodes: population.nodes.count > 0 ? nodesOf(this.cluster) : this.state.nodesSeen,
      podsMax: this.state.podsMax,
      model: isSimulated ? modelOf(this.cluster) : realModelOf(this.cluster),
      calls: this.calls.recorded(),
      podStarts: this.starts.recorded(),
      scheduling: this.scheduling.recorded(population.bindings.stats),
      informers: this.lag.recorded().filter(({ lag }) => lag.count > 0),
      state: this.state.recorded(),
      marks: [...plannedMarks(this.cluster), ...broken].toSorted((left, right) => left.atMs - right.atMs)
    }
  }
}

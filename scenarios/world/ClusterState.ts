// What the cluster looks like over time: nodes ready by zone, pods by phase, objects by resource, keys that wait, taken every so often.
// Owns the counts, kept up from the cluster's view of each change and from its commits, and the columns of the samples.
// Refuses to ask through any client, so that looking changes nothing.
import type { Controller, KubeObject } from "#kube"
import type { RecordedState } from "#reports"
import { memoryBytes } from "#sim"
import type { ClusterView, FollowedView } from "./ClusterView.ts"
import { nodeOf, phaseOf } from "./PodStarts.ts"

const ZONE = "topology.kubernetes.io/zone"
/** Phases in the order of a life, as the report stacks them. */
const PHASES = ["Unscheduled", "Pending", "Running", "Succeeded", "Failed", "Terminating"] as const
/** Commits after which queues are looked at again. */
const COMMITS_PER_LOOK = 8
/** Resources with fewer objects than this at their most are left out of the record. */
const OBJECTS_KEPT_MAX = 24

const conditionOf = ({ status }: KubeObject, type: string): string => {
  const { conditions } = (status ?? {}) as { readonly conditions?: unknown }
  if (!Array.isArray(conditions)) return "Unknown"
  const found = (conditions as ReadonlyArray<{ readonly type?: string; readonly status?: string }>).find(
    (condition) => condition.type === type
  )
  return found?.status ?? "Unknown"
}

const phaseNow = (pod: KubeObject): string => {
  if (pod.metadata.deletionTimestamp !== undefined) return "Terminating"
  const phase = phaseOf(pod)
  return phase === "Pending" && nodeOf(pod) === "" ? "Unscheduled" : phase
}

type Counts = Map<string, number>

const add = (counts: Counts, key: string, by: number): void => void counts.set(key, (counts.get(key) ?? 0) + by)

export class ClusterState {
  /** The most nodes that there ever were, whoever made them. */
  nodesSeen = 0
  /** The most pods that there ever were. */
  podsMax = 0
  private readonly zones: ReadonlyArray<{
    readonly name: string
    readonly nodes: number
    readonly ready: Array<number>
  }>
  private ready: Counts = new Map()
  private pods: Counts = new Map()
  private podCount = 0
  private nodeCount = 0
  private objects: Counts = new Map()
  private readonly controllers: Array<Controller> = []
  private queued: Counts = new Map()
  private commits = 0
  private readonly atMs: Array<number> = []
  private readonly wallMs: Array<number> = []
  private readonly residentBytes: Array<number> = []
  private readonly podColumns = new Map<string, Array<number>>()
  private readonly objectColumns = new Map<string, Array<number>>()
  private readonly queueColumns = new Map<string, Array<number>>()

  constructor(zones: ReadonlyArray<{ readonly name: string; readonly nodes: number }>) {
    this.zones = zones.map(({ name, nodes }) => ({ name, nodes, ready: [] }))
    for (const phase of PHASES) this.podColumns.set(phase, [])
  }

  /** A controller whose queue is looked at. */
  watchQueue(controller: Controller): void {
    this.controllers.push(controller)
  }

  /** Follows a cluster whose server has just started. */
  follow(cluster: ClusterView): void {
    this.ready = new Map()
    this.pods = new Map()
    this.podCount = 0
    this.nodeCount = 0
    followView(cluster.view("", "nodes"), (before, after) => {
      if (before !== undefined) this.countNode(before, -1)
      if (after !== undefined) this.countNode(after, 1)
      this.nodeCount += (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1)
      if (this.nodeCount > this.nodesSeen) this.nodesSeen = this.nodeCount
    })
    followView(cluster.view("", "pods"), (before, after) => {
      if (before !== undefined) this.countPod(before, -1)
      if (after !== undefined) this.countPod(after, 1)
      if (this.podCount > this.podsMax) this.podsMax = this.podCount
    })
    cluster.onObjects((resource, by) => add(this.objects, resource, by))
    cluster.onRevision(() => {
      if (this.commits++ % COMMITS_PER_LOOK === 0) this.lookAtQueues()
    })
  }

  /** Nodes that are ready, by zone. */
  zonesNow(): ReadonlyArray<{ readonly name: string; readonly nodes: number; readonly ready: number }> {
    return this.zones.map(({ name, nodes }) => ({ name, nodes, ready: this.ready.get(name) ?? 0 }))
  }

  podsNow(): Readonly<Record<string, number>> {
    return Object.fromEntries(PHASES.map((phase) => [phase, this.pods.get(phase) ?? 0]))
  }

  /** Adds a row of the columns. */
  sample(atMs: number, wallMs: number): void {
    const row = this.atMs.length
    this.atMs.push(Math.round(atMs))
    this.wallMs.push(Math.round(wallMs))
    this.residentBytes.push(memoryBytes().residentBytes)
    for (const zone of this.zones) zone.ready.push(this.ready.get(zone.name) ?? 0)
    put(this.podColumns, this.pods, row)
    put(this.objectColumns, this.objects, row)
    this.lookAtQueues()
    put(this.queueColumns, this.queued, row)
    this.queued = new Map()
  }

  recorded(): RecordedState {
    const rows = this.atMs.length
    return {
      atMs: this.atMs,
      zones: this.zones,
      pods: leveled(this.podColumns, rows, this.podColumns.size),
      objects: leveled(this.objectColumns, rows, OBJECTS_KEPT_MAX),
      queues: leveled(this.queueColumns, rows, this.queueColumns.size),
      wallMs: this.wallMs,
      residentBytes: this.residentBytes
    }
  }

  /** Queues fill and empty between two samples: what a row shows is the most that was seen since the last one. */
  private lookAtQueues(): void {
    for (const controller of this.controllers) {
      const { queued, working } = controller.stats()
      const seen = this.queued.get(controller.name)
      if (seen === undefined || queued + working > seen) this.queued.set(controller.name, queued + working)
    }
  }

  private countNode(node: KubeObject, by: number): void {
    if (conditionOf(node, "Ready") === "True") add(this.ready, node.metadata.labels?.[ZONE] ?? "", by)
  }

  private countPod(pod: KubeObject, by: number): void {
    this.podCount += by
    add(this.pods, phaseNow(pod), by)
  }
}

/** Hears of what is there already as of what changes: a view that was filled at once does not tell of it. */
const followView = (
  view: FollowedView,
  changed: (before: KubeObject | undefined, after: KubeObject | undefined) => void
): void => {
  view.onChange(changed)
  for (const object of view.list("")) changed(undefined, object)
}

const put = (columns: Map<string, Array<number>>, counts: Counts, row: number): void => {
  for (const [name, count] of counts) {
    let column = columns.get(name)
    if (column === undefined) columns.set(name, (column = Array.from({ length: row }, () => 0)))
    column.push(Math.max(0, count))
  }
  for (const column of columns.values()) if (column.length === row) column.push(0)
}

/** The columns with the highest peaks, each as long as there are rows. */
const leveled = (
  columns: ReadonlyMap<string, ReadonlyArray<number>>,
  rows: number,
  most: number
): Readonly<Record<string, ReadonlyArray<number>>> => {
  const peaks = [...columns].map(([name, column]) => ({
    name,
    column: column.slice(0, rows),
    peak: Math.max(0, ...column)
  }))
  const kept = new Set(
    peaks
      .filter(({ peak }) => peak > 0)
      .toSorted((left, right) => right.peak - left.peak)
      .slice(0, most)
      .map(({ name }) => name)
  )
  return Object.fromEntries(peaks.filter(({ name }) => kept.has(name)).map(({ column, name }) => [name, column]))
}

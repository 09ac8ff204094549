// A plain scheduler: a pod goes to the emptiest node that it fits on, found in one pass over buckets of equally full nodes.
// Owns the room left on each node (arrays by node) and classes of alike nodes; refuses preferences, affinity between pods and
// preemption. Nodes with equal labels and taints are one class, so that a pod's constraints are weighed once a class.
import { isJsonObject, type KubeObject } from "#kube"
import type { Choice, NodeChooser } from "./NodeChooser.ts"
import {
  amountOf,
  demandOf,
  hardTaints,
  labelsFit,
  onlyNode,
  type PodDemand,
  type Taint,
  untolerated
} from "./PodDemand.ts"

const LEVELS = 64
const HOST_LABEL = "kubernetes.io/hostname"

interface NodeClass {
  readonly labels: Readonly<Record<string, string>>
  readonly taints: ReadonlyArray<Taint>
  readonly unschedulable: boolean
  /** Nodes by how full they are, emptiest first. */
  readonly levels: ReadonlyArray<Array<number>>
  /** Where the last search of each level ended: nodes take turns. */
  readonly turns: Uint32Array
}

interface NodeState {
  readonly name: string
  nodeClass: NodeClass
  level: number
  /** Place within its level. */
  at: number
  readonly capacity: Float64Array
  readonly used: Float64Array
  /** Resources beyond those of the arrays. */
  others: ReadonlyMap<string, number>
  readonly othersUsed: Map<string, number>
  present: boolean
}

const CPU = 0
const MEMORY = 1
const PODS = 2

interface Placed {
  readonly node: number
  readonly demand: PodDemand
}

export class OnePassChooser implements NodeChooser {
  private readonly nodes: Array<NodeState> = []
  private readonly byName = new Map<string, number>()
  private readonly classes = new Map<string, NodeClass>()
  private readonly placed = new Map<string, Placed>()
  private present = 0

  readonly nodeCount = (): number => this.present

  readonly nodeSeen = (node: KubeObject): void => {
    const name = node.metadata.name ?? ""
    const nodeClass = this.classOf(node)
    const index = this.byName.get(name) ?? this.add(name, nodeClass)
    const state = this.nodes[index]
    if (!state.present) {
      state.present = true
      this.present++
      this.enter(index, nodeClass)
    } else if (state.nodeClass !== nodeClass) {
      this.leave(index)
      this.enter(index, nodeClass)
    }
    const { allocatable: shown } = isJsonObject(node.status) ? node.status : {}
    const allocatable = isJsonObject(shown) ? shown : {}
    state.capacity[CPU] = amountOf("cpu", allocatable["cpu"])
    state.capacity[MEMORY] = amountOf("memory", allocatable["memory"])
    state.capacity[PODS] = amountOf("pods", allocatable["pods"])
    state.others = new Map(
      Object.entries(allocatable).flatMap(([resource, value]) =>
        ["cpu", "memory", "pods"].includes(resource) ? [] : [[resource, amountOf(resource, value)] as const]
      )
    )
    this.settle(index)
  }

  readonly nodeGone = (name: string): void => {
    const index = this.byName.get(name)
    if (index === undefined || !this.nodes[index].present) return
    this.leave(index)
    this.nodes[index].present = false
    this.present--
  }

  readonly podPlaced = (pod: KubeObject, node: string): void => {
    const uid = pod.metadata.uid ?? ""
    const index = this.byName.get(node) ?? this.add(node, this.emptyClass())
    const before = this.placed.get(uid)
    if (before?.node === index) return
    if (before !== undefined) this.podGone(pod)
    const demand = demandOf(pod)
    this.placed.set(uid, { node: index, demand })
    this.charge(index, demand, 1)
  }

  readonly podGone = ({ metadata: { uid = "" } }: KubeObject): void => {
    const before = this.placed.get(uid)
    if (before === undefined) return
    this.placed.delete(uid)
    this.charge(before.node, before.demand, -1)
  }

  readonly choose = (pod: KubeObject): Choice => {
    const demand = demandOf(pod)
    const reasons = new Map<string, number>()
    const only = onlyNode(pod)
    if (only !== undefined) return this.chooseOnly(pod, demand, only, reasons)
    for (const nodeClass of this.classes.values()) {
      const count = nodeClass.levels.reduce((sum, level) => sum + level.length, 0)
      if (count === 0) continue
      const why = this.excluded(pod, nodeClass, nodeClass.labels)
      if (why !== undefined) {
        reasons.set(why, (reasons.get(why) ?? 0) + count)
        continue
      }
      const found = this.search(nodeClass, demand, reasons)
      if (found !== undefined) return { node: found }
    }
    return { reasons }
  }

  private chooseOnly(pod: KubeObject, demand: PodDemand, only: string, reasons: Map<string, number>): Choice {
    const index = this.byName.get(only)
    const others = "node(s) didn't match Pod's node affinity/selector"
    if (index === undefined || !this.nodes[index].present) return { reasons: reasons.set(others, this.present) }
    const { nodeClass } = this.nodes[index]
    const why = this.excluded(pod, nodeClass, { ...nodeClass.labels, [HOST_LABEL]: only }) ?? this.lacks(index, demand)
    if (why === undefined) return { node: only }
    reasons.set(why, 1)
    if (this.present > 1) reasons.set(others, (reasons.get(others) ?? 0) + this.present - 1)
    return { reasons }
  }

  private excluded(
    pod: KubeObject,
    { taints, unschedulable }: NodeClass,
    labels: Readonly<Record<string, string>>
  ): string | undefined {
    if (unschedulable) return "node(s) were unschedulable"
    const taint = untolerated(pod, taints)
    if (taint !== undefined) {
      const value = taint.value === undefined || taint.value === "" ? "" : `: ${taint.value}`
      return `node(s) had untolerated taint {${taint.key}${value}}`
    }
    return labelsFit(pod, labels) ? undefined : "node(s) didn't match Pod's node affinity/selector"
  }

  private search(nodeClass: NodeClass, demand: PodDemand, reasons: Map<string, number>): string | undefined {
    for (const [number, level] of nodeClass.levels.entries()) {
      for (let tried = 0; tried < level.length; tried++) {
        const index = level[(nodeClass.turns[number] + tried) % level.length]
        const why = this.lacks(index, demand)
        if (why === undefined) {
          nodeClass.turns[number] = (nodeClass.turns[number] + tried + 1) % level.length
          return this.nodes[index].name
        }
        reasons.set(why, (reasons.get(why) ?? 0) + 1)
      }
    }
    return undefined
  }

  private lacks(index: number, { cpuMilli, memory, others }: PodDemand): string | undefined {
    const state = this.nodes[index]
    const { capacity, used } = state
    if (used[PODS] + 1 > capacity[PODS]) return "Too many pods"
    if (used[CPU] + cpuMilli > capacity[CPU]) return "Insufficient cpu"
    if (used[MEMORY] + memory > capacity[MEMORY]) return "Insufficient memory"
    for (const [resource, amount] of others)
      if (amount + (state.othersUsed.get(resource) ?? 0) > (state.others.get(resource) ?? 0))
        return `Insufficient ${resource}`
    return undefined
  }

  private charge(index: number, { cpuMilli, memory, others }: PodDemand, sign: 1 | -1): void {
    const state = this.nodes[index]
    state.used[CPU] += sign * cpuMilli
    state.used[MEMORY] += sign * memory
    state.used[PODS] += sign
    for (const [resource, amount] of others)
      state.othersUsed.set(resource, (state.othersUsed.get(resource) ?? 0) + sign * amount)
    if (state.present) this.settle(index)
  }

  /** Puts a node into the level that it belongs to now. */
  private settle(index: number): void {
    const state = this.nodes[index]
    const { capacity, used } = state
    let fullness = 0
    for (const resource of [CPU, MEMORY, PODS])
      if (capacity[resource] > 0) fullness = Math.max(fullness, used[resource] / capacity[resource])
    const level = Math.min(LEVELS - 1, Math.floor(fullness * LEVELS))
    if (level === state.level) return
    this.leave(index)
    state.level = level
    this.enter(index, state.nodeClass)
  }

  private enter(index: number, nodeClass: NodeClass): void {
    const state = this.nodes[index]
    state.nodeClass = nodeClass
    const level = nodeClass.levels[state.level]
    state.at = level.length
    level.push(index)
  }

  private leave(index: number): void {
    const { at, level, nodeClass } = this.nodes[index]
    const members = nodeClass.levels[level]
    const last = members.pop()
    if (last === undefined || last === index) return
    members[at] = last
    this.nodes[last].at = at
  }

  private add(name: string, nodeClass: NodeClass): number {
    const index = this.nodes.length
    this.byName.set(name, index)
    this.nodes.push({
      name,
      nodeClass,
      level: 0,
      at: 0,
      capacity: new Float64Array(3),
      used: new Float64Array(3),
      others: new Map(),
      othersUsed: new Map(),
      present: false
    })
    return index
  }

  private classOf(node: KubeObject): NodeClass {
    const { [HOST_LABEL]: _host, ...labels } = node.metadata.labels ?? {}
    const spec = isJsonObject(node.spec) ? node.spec : {}
    const taints = hardTaints(node)
    const unschedulable = spec["unschedulable"] === true
    return this.classNamed(JSON.stringify([labels, taints, unschedulable]), labels, taints, unschedulable)
  }

  private emptyClass(): NodeClass {
    return this.classNamed("", {}, [], false)
  }

  private classNamed(
    key: string,
    labels: Readonly<Record<string, string>>,
    taints: ReadonlyArray<Taint>,
    unschedulable: boolean
  ): NodeClass {
    let nodeClass = this.classes.get(key)
    if (nodeClass === undefined) {
      const levels = Array.from({ length: LEVELS }, (): Array<number> => [])
      nodeClass = { labels, taints, unschedulable, levels, turns: new Uint32Array(LEVELS) }
      this.classes.set(key, nodeClass)
    }
    return nodeClass
  }
}

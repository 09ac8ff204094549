// The snapshot: nodes with what they offer and what is taken, in columns by node number, kept by deltas.
// Owns nodes and the pods on them, assumed ones included; refuses to decide. Node numbers are reused; every change of a node or its pods
// is a line in the log, and one that counts of nodes go by (labels, taints, a node more or less) moves an epoch besides.
import { type JsonObject, type KubeObject, type Labels, Quantity, quantityOf, sameJson } from "#kube"
import { PortUse } from "../pod/HostPorts.ts"
import { bump, type Kin } from "../pod/Kin.ts"
import {
  type Amounts,
  nodeSpecOf,
  nodeStatusOf,
  noLabels,
  priorityOf,
  type Taint,
  uidOf,
  type VolumeFields
} from "../pod/PodFields.ts"
import { type PodShape, PodShapes, type PodUsage } from "../pod/PodShape.ts"
import { type Exact, vectorOf } from "../pod/ResourceVector.ts"
import { Change, ChangeLog } from "./ChangeLog.ts"
import { Column, ResourceColumns } from "./Columns.ts"
import { ImageStates } from "./ImageStates.ts"
import { type Domains, Topology } from "./Topology.ts"

/** A pod that takes room on a node. */
export interface PlacedPod {
  readonly uid: string
  readonly pod: KubeObject
  readonly node: number
  readonly shape: PodShape
  /** The shape's, until more labels count. */
  readonly kin: Kin
  readonly usage: PodUsage
  readonly priority: number
  readonly ending: boolean
}

export interface NodeRow {
  readonly index: number
  readonly name: string
  /** Undefined while only pods speak of it. */
  object: KubeObject | undefined
  labels: Labels
  taints: ReadonlyArray<Taint>
  unschedulable: boolean
  allocatable: Amounts
  readonly pods: Map<string, PlacedPod>
  readonly ports: PortUse
}

const FIRST_SIZE = 64
const noTaints: ReadonlyArray<Taint> = []
const noImages: ReadonlyArray<never> = []
const nothing: Amounts = {}

/** Whether nothing changed that a placed pod's shape was read from: versions of an object share the parts that stayed as they were. */
const keepsShape = ({ kin, pod: { metadata, spec }, shape }: PlacedPod, pod: KubeObject): boolean =>
  shape.kin === kin &&
  spec === pod.spec &&
  metadata.labels === pod.metadata.labels &&
  metadata.ownerReferences === pod.metadata.ownerReferences

export class Cluster {
  readonly shapes: PodShapes
  readonly log = new ChangeLog()
  readonly topology = new Topology()
  readonly images = new ImageStates()
  readonly rows: Array<NodeRow> = []
  readonly allocatable: ResourceColumns
  readonly requested: ResourceColumns
  readonly scoredCpu: Column
  readonly scoredMemory: Column
  podsAllowed: Float64Array
  podsPlaced: Float64Array
  /** 1 for nodes that are there. */
  present: Uint8Array
  /**
   * By node: moves with everything in the log, and when a pod there has another state that no count goes by. What was found out about a
   * node by itself holds while it stays.
   */
  versions: Uint32Array
  /** Nodes that are there. */
  nodeCount = 0
  /** Moves when pods may mean something else to one another: by their namespaces' labels, or because more labels count. */
  epoch = 0
  /** Moves when nodes come, leave, or have other labels and taints. */
  nodeEpoch = 0
  private readonly byName = new Map<string, number>()
  private readonly free: Array<number> = []
  private readonly placed = new Map<string, PlacedPod>()
  private readonly namespaces = new Map<string, Labels>()
  private readonly claims = new Map<string, number>()
  /** Moves when pods with volumes come or go. */
  claimEpoch = 0
  private size = FIRST_SIZE

  constructor(shapes: PodShapes = new PodShapes()) {
    this.shapes = shapes
    this.allocatable = new ResourceColumns(FIRST_SIZE)
    this.requested = new ResourceColumns(FIRST_SIZE)
    this.scoredCpu = new Column(FIRST_SIZE)
    this.scoredMemory = new Column(FIRST_SIZE)
    this.podsAllowed = new Float64Array(FIRST_SIZE)
    this.podsPlaced = new Float64Array(FIRST_SIZE)
    this.present = new Uint8Array(FIRST_SIZE)
    this.versions = new Uint32Array(FIRST_SIZE)
    this.topology.grow(FIRST_SIZE)
    shapes.kin.onLearned = () => this.regroupKin()
  }

  readonly namespaceLabels = (namespace: string): Labels => this.namespaces.get(namespace) ?? noLabels

  /** Labels of a namespace; undefined when it is gone. */
  namespaceSeen(name: string, labels: Labels | undefined): void {
    if (sameJson(this.namespaces.get(name) ?? noLabels, labels ?? noLabels)) return
    if (labels === undefined) this.namespaces.delete(name)
    else this.namespaces.set(name, labels)
    this.epoch++
  }

  /** The number of a node that is there; undefined otherwise. */
  find(name: string): number | undefined {
    const index = this.byName.get(name)
    return index !== undefined && this.present[index] === 1 ? index : undefined
  }

  row(index: number): NodeRow {
    return this.rows[index]
  }

  nodeSeen(node: KubeObject): void {
    const name = node.metadata.name ?? ""
    const row = this.rows[this.rowOf(name)]
    const { index } = row
    const { taints = noTaints, unschedulable = false } = nodeSpecOf(node)
    const labels = node.metadata.labels ?? noLabels
    const fresh = row.object === undefined
    const differs =
      fresh ||
      row.unschedulable !== unschedulable ||
      !sameJson(row.labels, labels) ||
      // SAFETY: taints came as JSON.
      !sameJson(row.taints as never, taints as never)
    row.object = node
    if (fresh) {
      this.present[index] = 1
      this.nodeCount++
    }
    if (differs) {
      row.labels = labels
      row.taints = taints
      row.unschedulable = unschedulable
      this.topology.put(index, labels)
      this.changed(index)
    }
    const { allocatable = nothing, images = noImages } = nodeStatusOf(node)
    this.images.put(index, images)
    if (!fresh && sameJson(row.allocatable, allocatable)) return
    row.allocatable = allocatable
    this.setAllocatable(index, allocatable)
    this.note(Change.room, index, -1, false)
  }

  nodeGone(name: string): void {
    const index = this.byName.get(name)
    if (index === undefined || this.present[index] === 0) return
    const row = this.rows[index]
    this.present[index] = 0
    this.nodeCount--
    row.object = undefined
    row.labels = noLabels
    row.taints = noTaints
    row.unschedulable = false
    this.topology.put(index, noLabels)
    this.images.put(index, [])
    this.allocatable.clear(index)
    this.podsAllowed[index] = 0
    this.changed(index)
    this.release(row)
  }

  private changed(index: number): void {
    this.nodeEpoch++
    this.note(Change.node, index, -1, false)
  }

  private note(kind: number, index: number, kin: number, ending: boolean): void {
    this.versions[index]++
    this.log.write(kind, index, kin, ending)
  }

  /** Other pods than before are promised a node, if it is there. */
  promisesChanged(name: string): void {
    const index = this.find(name)
    if (index !== undefined) this.note(Change.promises, index, -1, false)
  }

  /** The pod as it is placed; undefined when it is nowhere. */
  placedPod(uid: string): PlacedPod | undefined {
    return this.placed.get(uid)
  }

  get podCount(): number {
    return this.placed.size
  }

  /** A pod takes room on a node that it is about to be bound to. Answers the pod as it will be. */
  assume(pod: KubeObject, nodeName: string): KubeObject {
    // SAFETY: a spec is an object.
    const assumed = { ...pod, spec: { ...(pod.spec as JsonObject), nodeName } }
    this.placeAs(assumed, nodeName, this.shapes.of(pod))
    return assumed
  }

  /** A pod takes room on a node: bound, or about to be. Placing it again replaces what was said before. */
  place(pod: KubeObject, nodeName: string): void {
    const before = this.placed.get(uidOf(pod))
    this.placeAs(pod, nodeName, before !== undefined && keepsShape(before, pod) ? before.shape : this.shapes.find(pod))
  }

  private placeAs(pod: KubeObject, nodeName: string, shape: PodShape): void {
    const uid = uidOf(pod)
    const before = this.placed.get(uid)
    if (before !== undefined) {
      if (this.amend(before, this.placedAs(pod, this.rowOf(nodeName), shape))) return
      this.takeOff(before)
    }
    // Only now: the last pod that is taken off a node that is gone gives its row back.
    const index = this.rowOf(nodeName)
    const fresh = this.placedAs(pod, index, shape)
    this.placed.set(uid, fresh)
    this.rows[index].pods.set(uid, fresh)
    this.charge(fresh, 1)
    this.shapes.kin.place(fresh.kin, index, 1, fresh.ending)
    this.note(Change.placed, index, fresh.kin.id, fresh.ending)
  }

  /** The pod takes no room any longer; answers whether it did. */
  remove(uid: string): boolean {
    const before = this.placed.get(uid)
    if (before === undefined) return false
    this.takeOff(before)
    return true
  }

  /**
   * Takes a pod's room off its node, or puts it back, unseen by the log: for trying what would be if it were gone.
   * Each lift is undone by a drop before anything else happens.
   */
  lift(placed: PlacedPod): void {
    this.rows[placed.node].pods.delete(placed.uid)
    this.charge(placed, -1)
  }

  drop(placed: PlacedPod): void {
    this.rows[placed.node].pods.set(placed.uid, placed)
    this.charge(placed, 1)
  }

  /** What a pod would be on a node. */
  wouldBe(pod: KubeObject, index: number): PlacedPod {
    return this.placedAs(pod, index, this.shapes.of(pod))
  }

  domains(key: string): Domains {
    return this.topology.domains(key, () => this.labelled())
  }

  /** More labels count: every pod on a node finds its kin anew. */
  private regroupKin(): void {
    this.epoch++
    for (const before of this.placed.values()) {
      const kin = this.shapes.kin.of(before.pod)
      const placed = { ...before, kin }
      this.placed.set(before.uid, placed)
      this.rows[before.node].pods.set(before.uid, placed)
      this.shapes.kin.place(kin, before.node, 1, before.ending)
    }
  }

  private *labelled(): Iterable<readonly [number, Labels]> {
    for (const { index, labels, object } of this.rows) if (object !== undefined) yield [index, labels]
  }

  private placedAs(pod: KubeObject, node: number, shape: PodShape): PlacedPod {
    return {
      uid: uidOf(pod),
      pod,
      node,
      shape,
      kin: shape.kin,
      usage: this.shapes.usageOf(pod, shape),
      priority: priorityOf(pod),
      ending: pod.metadata.deletionTimestamp !== undefined
    }
  }

  /** Replaces a pod that differs in nothing that is counted, or only in that it is being deleted now. */
  private amend(before: PlacedPod, fresh: PlacedPod): boolean {
    const same =
      before.node === fresh.node &&
      before.kin === fresh.kin &&
      before.usage === fresh.usage &&
      before.shape.ports === fresh.shape.ports &&
      before.shape.volumes === fresh.shape.volumes
    if (!same || (before.ending && !fresh.ending)) return false
    this.placed.set(fresh.uid, fresh)
    this.rows[fresh.node].pods.set(fresh.uid, fresh)
    if (fresh.ending && !before.ending) {
      bump(fresh.kin.ending, fresh.node, 1)
      this.note(Change.ending, fresh.node, fresh.kin.id, true)
    } else this.versions[fresh.node]++
    return true
  }

  private takeOff(before: PlacedPod): void {
    const row = this.rows[before.node]
    this.placed.delete(before.uid)
    row.pods.delete(before.uid)
    this.charge(before, -1)
    this.shapes.kin.place(before.kin, before.node, -1, before.ending)
    this.note(Change.removed, before.node, before.kin.id, before.ending)
    this.release(row)
  }

  private charge({ kin, node, shape, usage }: PlacedPod, sign: 1 | -1): void {
    const { ports, volumes } = shape
    const { amounts, numbers } = usage.resources
    for (let at = 0; at < numbers.length; at++)
      this.requested.add(numbers[at], node, sign === 1 ? amounts[at] : -amounts[at])
    this.scoredCpu.add(node, sign === 1 ? usage.scoredCpu : -usage.scoredCpu)
    this.scoredMemory.add(node, sign === 1 ? usage.scoredMemory : -usage.scoredMemory)
    this.podsPlaced[node] += sign
    if (volumes.length > 0) this.countClaims(kin.namespace, volumes, sign)
    const row = this.rows[node]
    if (ports.length > 0) {
      if (sign === 1) row.ports.add(ports)
      else row.ports.remove(ports)
    }
  }

  /** Pods on nodes that use a claim ("namespace/name"). */
  claimUse(claim: string): number {
    return this.claims.get(claim) ?? 0
  }

  private countClaims(namespace: string, volumes: ReadonlyArray<VolumeFields>, sign: 1 | -1): void {
    this.claimEpoch++
    for (const { persistentVolumeClaim: claim } of volumes) {
      if (claim === undefined) continue
      const key = `${namespace}/${claim.claimName}`
      const count = (this.claims.get(key) ?? 0) + sign
      if (count === 0) this.claims.delete(key)
      else this.claims.set(key, count)
    }
  }

  private setAllocatable(index: number, amounts: Amounts): void {
    const quantities = new Map<string, Quantity>()
    let pods: Exact = 0
    for (const name in amounts) {
      const quantity = quantityOf(amounts[name])
      if (!(quantity instanceof Quantity)) continue
      if (name === "pods") pods = quantity.value()
      else quantities.set(name, quantity)
    }
    const { amounts: values, numbers } = vectorOf(this.shapes.resources, quantities)
    for (let number = 0; number < this.shapes.resources.names.length; number++) {
      const at = numbers.indexOf(number)
      this.allocatable.set(number, index, at < 0 ? 0 : values[at])
    }
    this.podsAllowed[index] = Number(pods)
  }

  /** A node's row; one that is not known yet is made, empty. */
  private rowOf(name: string): number {
    const known = this.byName.get(name)
    if (known !== undefined) return known
    const index = this.free.pop() ?? this.rows.length
    if (index >= this.size) this.grow()
    this.byName.set(name, index)
    this.rows[index] = {
      index,
      name,
      object: undefined,
      labels: noLabels,
      taints: noTaints,
      unschedulable: false,
      allocatable: nothing,
      pods: new Map(),
      ports: new PortUse()
    }
    return index
  }

  /** A number is given back when neither node nor pods are left. */
  private release({ index, name, object, pods }: NodeRow): void {
    if (object !== undefined || pods.size > 0) return
    this.byName.delete(name)
    this.free.push(index)
  }

  private grow(): void {
    this.size *= 2
    const { size } = this
    this.allocatable.grow(size)
    this.requested.grow(size)
    this.scoredCpu.grow(size)
    this.scoredMemory.grow(size)
    this.topology.grow(size)
    const grown = <A extends Float64Array | Uint32Array | Uint8Array>(fresh: A, old: A): A => {
      fresh.set(old)
      return fresh
    }
    this.podsAllowed = grown(new Float64Array(size), this.podsAllowed)
    this.podsPlaced = grown(new Float64Array(size), this.podsPlaced)
    this.present = grown(new Uint8Array(size), this.present)
    this.versions = grown(new Uint32Array(size), this.versions)
  }
}

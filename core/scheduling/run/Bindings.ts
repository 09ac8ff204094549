// Pods on their way to a node: assumed there at once, their volumes got, then bound, while the loop goes on with others.
// Owns that way and what happens when it fails (nothing stays assumed, the pod comes back); refuses to choose. Bound: BINDINGS_MAX ways.
import { ApiFailure, type Client, gvr, type KubeObject } from "#kube"
import type { Chosen, Decider } from "../decide/Decider.ts"
import { type Extender, ExtenderFailure } from "../extenders/Extender.ts"
import { podSpecOf } from "../pod/PodFields.ts"
import type { QueuedPod } from "../queue/QueuedPod.ts"
import type { Reservation, VolumeBinder } from "../volumes/VolumeBinder.ts"
import type { ClusterWatches } from "./ClusterWatches.ts"
import type { EventRecorder } from "./EventRecorder.ts"

export interface BindingsOptions {
  readonly client: Client
  readonly watches: ClusterWatches
  readonly volumes: VolumeBinder
  readonly recorder: EventRecorder
  /** The extender that binds a pod, if one does. */
  readonly binderOf: (pod: KubeObject) => Extender | undefined
  /** A way has ended, well or not; another may begin. */
  readonly ended: () => void
  readonly bound: (queued: QueuedPod, node: string) => void
  readonly failed: (queued: QueuedPod, assumed: KubeObject, problem: string) => void
}

interface Way {
  readonly queued: QueuedPod
  readonly node: string
  readonly assumed: KubeObject
  readonly reservation: Reservation | undefined
}

const BINDINGS_MAX = 1024
const pods = gvr("", "v1", "pods")

export class Bindings {
  private readonly options: BindingsOptions
  private ways = 0

  constructor(options: BindingsOptions) {
    this.options = options
  }

  /** Ways that have begun and not ended. */
  get size(): number {
    return this.ways
  }

  get isFull(): boolean {
    return this.ways >= BINDINGS_MAX
  }

  /** Assumes the pod on its node, gets its volumes there, and binds it. */
  begin(queued: QueuedPod, decider: Decider, { name: node, node: number }: Chosen): void {
    const { volumes, watches } = this.options
    const { pod } = queued
    const plan = decider.volumePlan(pod, number)
    const needed = plan !== undefined && plan.bindings.length + plan.provisions.length > 0
    const way: Way = {
      queued,
      node,
      assumed: watches.assume(pod, node),
      reservation: needed ? volumes.reserve(plan, node) : undefined
    }
    this.ways++
    if (way.reservation === undefined) return this.bindPod(way)
    volumes.bind(way.reservation, (problem) => {
      if (problem === undefined) this.bindPod(way)
      else this.fail(way, `running PreBind plugin "VolumeBinding": ${problem}`)
    })
  }

  private bindPod(way: Way): void {
    const { assumed, node } = way
    const { name = "", namespace = "", uid = "" } = assumed.metadata
    const binder = this.options.binderOf(assumed)
    if (binder !== undefined)
      return binder.bind(assumed, node, (answer) =>
        answer instanceof ExtenderFailure ? this.fail(way, answer.message) : this.succeed(way)
      )
    const binding = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name, namespace, uid },
      target: { apiVersion: "v1", kind: "Node", name: node }
    }
    const target = { resource: pods, namespace, name, subresource: "binding" }
    this.options.client.create(target, binding, {}, (answer) =>
      answer instanceof ApiFailure
        ? this.fail(way, `running Bind plugin "DefaultBinder": ${answer.message}`)
        : this.succeed(way)
    )
  }

  private succeed({ assumed, node, queued }: Way): void {
    const { bound, recorder } = this.options
    const { name = "", namespace = "" } = assumed.metadata
    recorder.record(assumed, podSpecOf(assumed).schedulerName ?? "default-scheduler", {
      type: "Normal",
      reason: "Scheduled",
      action: "Binding",
      note: `Successfully assigned ${namespace}/${name} to ${node}`
    })
    bound(queued, node)
    this.end()
  }

  private fail({ assumed, queued, reservation }: Way, problem: string): void {
    if (reservation !== undefined) this.options.volumes.revert(reservation)
    this.options.failed(queued, assumed, problem)
    this.end()
  }

  private end(): void {
    this.ways--
    this.options.ended()
  }
}

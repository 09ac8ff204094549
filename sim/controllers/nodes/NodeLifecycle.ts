// Notices nodes that fall silent, says so in their status and on their pods, and taints them, zone by zone at a bounded rate
// (the node lifecycle controller of kube-controller-manager, with its default times).
// Owns the look at all nodes every five seconds; who is evicted for a taint is TaintEviction.ts's.
import { Effect } from "effect"
import { ApiFailure, type Controller, gvr, type Informer, type KubeObject } from "#kube"
import { clientOf, isNotFound, keyedController, periodicController } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import { nodeNameOf } from "../PodFacts.ts"
import { notReady, pods, podsByNode } from "../PodWrites.ts"
import { silenced } from "./NodeConditions.ts"
import { type HealthTimes, type NodeHealth, NodeHealths } from "./NodeHealth.ts"
import { hasTaint, nodeReference, NOT_READY, readinessOf, type Taint, UNREACHABLE } from "./NodeFacts.ts"
import { nodeTaints } from "./NodeTaints.ts"
import { nodes, swapTaints } from "./NodeWrites.ts"
import { TaintingPass } from "./TaintingPass.ts"
import { defaultRates, type EvictionRates, type ZoneCount, ZoneStates } from "./ZoneStates.ts"

export interface NodeLifecycleOptions extends Partial<HealthTimes>, Partial<EvictionRates> {
  readonly monitorMs?: number
}

const NAME = "node-lifecycle-controller"
const COMPONENT = "node-controller"
const MONITOR_MS = 5000
const times: HealthTimes = { graceMs: 50_000, startupGraceMs: 60_000 }
const WORKERS = 8
const TRIES = 5
const RETRY_MS = 20
const leases = gvr("coordination.k8s.io", "v1", "leases")
const LEASE_NAMESPACE = "kube-node-lease"

export const notReadyTaint: Taint = { key: NOT_READY, effect: "NoExecute" }
export const unreachableTaint: Taint = { key: UNREACHABLE, effect: "NoExecute" }

class NodeLifecycle {
  readonly healths: NodeHealths
  readonly zones: ZoneStates
  readonly nodes: Informer
  readonly leases: Informer
  readonly #manager: Manager
  readonly #passing: TaintingPass
  readonly #podsOf: (node: string) => ReadonlyArray<KubeObject>
  /** Nodes whose pods could not all be told. */
  readonly #untold = new Set<string>()
  readonly #events

  constructor(manager: Manager, options: NodeLifecycleOptions) {
    this.#manager = manager
    this.#events = manager.events.from(COMPONENT)
    this.healths = new NodeHealths(manager.clockwork, { ...times, ...options })
    this.zones = new ZoneStates(manager.clockwork, { ...defaultRates, ...options })
    this.nodes = manager.informers.informer(nodes)
    this.leases = manager.informers.informer(leases, { namespace: LEASE_NAMESPACE })
    this.#podsOf = podsByNode(manager)
    this.#passing = new TaintingPass(manager, this.zones, (name) => this.#evict(name))
  }

  begin(): () => void {
    const { healths } = this
    const cancels = [
      this.nodes.addHandler({
        added: (node) => healths.nodeSeen(node),
        updated: (_, node) => healths.nodeSeen(node),
        deleted: (node) => healths.nodeGone(node)
      }),
      this.leases.addHandler({
        added: (lease) => healths.leaseSeen(lease),
        updated: (_, lease) => healths.leaseSeen(lease)
      })
    ]
    return () => {
      for (const cancel of cancels) cancel()
      this.#passing.stop()
    }
  }

  /** One look at all nodes. */
  readonly monitor = Effect.fnUntraced(
    function* (this: NodeLifecycle): Effect.fn.Return<void, ApiFailure> {
      const { added, gone } = this.healths.takeChanges((name) => this.leases.store.get(`${LEASE_NAMESPACE}/${name}`))
      for (const { name, node, zone } of added) {
        this.#tell(node, "RegisteredNode", `Node ${name} event: Registered Node ${name} in Controller`)
        this.zones.queue(zone)
      }
      for (const node of gone) {
        const { name = "" } = node.metadata
        this.#tell(node, "RemovingNode", `Node ${name} event: Removing Node ${name} from Controller`)
        for (const queue of this.zones.queues.values()) queue.remove(name)
        this.#untold.delete(name)
      }
      const due: Array<NodeHealth> = []
      for (const health of this.healths.all.values()) {
        const { changed, name, ready } = health
        if (changed || health.renewed) this.healths.look(health)
        if (changed || ready !== "True" || this.#untold.has(name) || this.healths.isSilent(health)) due.push(health)
      }
      yield* Effect.forEach(due, (health) => this.#examine(health), { concurrency: WORKERS, discard: true })
      this.#weigh()
      if (this.zones.queues.size > 0) this.#passing.wake()
    }.bind(this)
  )

  #tell(node: KubeObject, reason: string, message: string): void {
    this.#events.event(nodeReference(node), "Normal", reason, message)
  }

  /** Nothing that goes wrong with one node stops the look at the others; it is looked at again in five seconds. */
  #examine(health: NodeHealth): Effect.Effect<void> {
    return this.#examined(health).pipe(
      Effect.catch((failure) =>
        Effect.sync(() => {
          health.changed = true
          if (!isNotFound(failure)) this.#manager.failed(NAME, health.name, failure)
        })
      )
    )
  }

  readonly #examined = Effect.fnUntraced(
    function* (this: NodeLifecycle, health: NodeHealth): Effect.fn.Return<void, ApiFailure> {
      const observed = health.ready
      if (this.healths.isSilent(health)) yield* this.#silence(health)
      const { node, ready } = health
      if (ready === undefined) return
      yield* this.#taint(health)
      const fell = ready !== "True" && observed === "True"
      if (fell) this.#tell(node, "NodeNotReady", `Node ${health.name} status is now: NodeNotReady`)
      if (!fell && !(this.#untold.has(health.name) && observed !== "True")) {
        this.#untold.delete(health.name)
        return
      }
      const told = yield* this.#tellPods(this.#podsOf(health.name))
      if (told) this.#untold.delete(health.name)
      else this.#untold.add(health.name)
    }.bind(this)
  )

  /** A node was silent for too long: unless its lease says otherwise by now, its conditions are unknown. */
  readonly #silence = Effect.fnUntraced(
    function* (this: NodeLifecycle, health: NodeHealth): Effect.fn.Return<void, ApiFailure> {
      const client = clientOf(this.#manager)
      if (health.ready === "Unknown") return
      const lease = yield* client
        .get({ resource: leases, namespace: LEASE_NAMESPACE, name: health.name })
        .pipe(Effect.catch((failure) => (isNotFound(failure) ? Effect.succeed(undefined) : Effect.fail(failure))))
      // Our copy of the leases is behind: nobody may be given up by it.
      if (lease !== undefined && lease.metadata.resourceVersion !== health.leaseVersion) {
        this.healths.leaseSeen(lease)
        if (health.renewed) return this.healths.look(health)
      }
      const target = { resource: nodes, namespace: "", name: health.name }
      for (let tries = 1, { node } = health; ; tries++) {
        const changed = silenced(node, this.#manager.clockwork.now())
        if (changed === undefined) return
        const answer: KubeObject | ApiFailure = yield* client
          .update({ ...target, subresource: "status" }, changed)
          .pipe(Effect.catch((failure) => Effect.succeed(failure)))
        if (!(answer instanceof ApiFailure)) {
          health.node = answer
          health.ready = readinessOf(answer)
          return
        }
        if (tries === TRIES || isNotFound(answer)) return yield* Effect.fail(answer)
        yield* Effect.sleep(RETRY_MS)
        node = yield* client.get(target)
        health.node = node
        health.changed = true
        this.healths.look(health)
        if (!this.healths.isSilent(health)) return
      }
    }.bind(this)
  )

  /** Not ready and unreachable exclude each other: a node that has one taint gets the other at once, else it waits its turn. */
  #taint(health: NodeHealth): Effect.Effect<void, ApiFailure> {
    const { name, node, ready, zone } = health
    const queue = this.zones.queue(zone)
    if (ready === "True") {
      queue.remove(name)
      return swapTaints(this.#manager, node, [], [unreachableTaint, notReadyTaint])
    }
    const [wanted, other] = ready === "False" ? [notReadyTaint, unreachableTaint] : [unreachableTaint, notReadyTaint]
    if (hasTaint(node, other)) return swapTaints(this.#manager, node, [wanted], [other])
    if (!hasTaint(node, wanted)) queue.forgetPassed(name)
    queue.add(name)
    return Effect.void
  }

  /** Tells all pods of a node that they are not ready; answers whether all could be told. */
  readonly #tellPods = Effect.fnUntraced(
    function* (this: NodeLifecycle, all: ReadonlyArray<KubeObject>): Effect.fn.Return<boolean> {
      let told = true
      for (const pod of all) {
        const failure = yield* this.tellPod(pod).pipe(Effect.as(undefined), Effect.catch(Effect.succeed))
        if (failure === undefined) continue
        told = false
        this.#manager.failed(NAME, pod.metadata.name ?? "", failure)
      }
      return told
    }.bind(this)
  )

  tellPod(pod: KubeObject): Effect.Effect<void, ApiFailure> {
    const changed = notReady(pod, this.#manager.clockwork.now())
    if (changed === undefined) return Effect.void
    const { name = "", namespace = "" } = pod.metadata
    return clientOf(this.#manager)
      .update({ resource: pods, namespace, name, subresource: "status" }, changed)
      .pipe(
        Effect.map(() => this.#events.event(pod, "Warning", "NodeNotReady", "Node is not ready")),
        Effect.catch((failure) => (isNotFound(failure) ? Effect.void : Effect.fail(failure)))
      )
  }

  /** Weighs the zones by what is known of their nodes now. */
  #weigh(): void {
    const counts = new Map<string, ZoneCount>()
    for (const { counts: counted, ready, zone } of this.healths.all.values()) {
      if (!counted) continue
      let count = counts.get(zone)
      if (count === undefined) counts.set(zone, (count = { ready: 0, notReady: 0 }))
      if (ready === "True") count.ready++
      else count.notReady++
    }
    const disruption = this.zones.update(counts)
    if (disruption === "left") this.healths.forgive()
    if (disruption !== "entered") return
    // Nobody is evicted while every node everywhere is silent.
    for (const health of this.healths.all.values()) {
      this.zones.queue(health.zone).remove(health.name)
      this.#passing.untaint(health.node)
    }
  }

  /** The turn of a node that waited: tainted if it still must be; answers milliseconds after which to try again. */
  readonly #evict = Effect.fnUntraced(
    function* (this: NodeLifecycle, name: string): Effect.fn.Return<number | undefined> {
      const node = this.nodes.store.get(name)
      if (node === undefined) return undefined
      const ready = readinessOf(node)
      if (ready === undefined) return 50
      if (ready === "True") return undefined
      const [wanted, other] = ready === "False" ? [notReadyTaint, unreachableTaint] : [unreachableTaint, notReadyTaint]
      return yield* swapTaints(this.#manager, node, [wanted], [other]).pipe(
        Effect.as(undefined),
        Effect.catch(() => Effect.succeed(0))
      )
    }.bind(this)
  )

  /** Whether a node is known not to be ready. */
  isNotReady(name: string): boolean {
    const ready = this.healths.all.get(name)?.ready
    return ready !== undefined && ready !== "True"
  }
}

/** Makes the node lifecycle controller with times and rates other than upstream's. */
export const nodeLifecycleWith =
  (options: NodeLifecycleOptions) =>
  (manager: Manager): ReadonlyArray<Controller> => {
    const lifecycle = new NodeLifecycle(manager, options)
    const podInformer = manager.informers.informer(pods)
    return [
      periodicController(manager, NAME, {
        informers: [lifecycle.nodes, lifecycle.leases, podInformer],
        everyMs: options.monitorMs ?? MONITOR_MS,
        begin: () => lifecycle.begin(),
        pass: () => lifecycle.monitor()
      }),
      nodeTaints(manager, NAME),
      // Pods that come to a node which is not ready already.
      keyedController(manager, NAME, {
        watches: [
          {
            informer: podInformer,
            keys: (pod) => {
              const node = nodeNameOf(pod)
              const { name = "", namespace = "" } = pod.metadata
              return node !== "" && lifecycle.isNotReady(node) ? `${namespace}/${name}` : undefined
            },
            changed: (before, after) => nodeNameOf(before) !== nodeNameOf(after)
          }
        ],
        reconcile: (key) => {
          const pod = podInformer.store.get(key)
          return pod === undefined || !lifecycle.isNotReady(nodeNameOf(pod)) ? Effect.void : lifecycle.tellPod(pod)
        }
      })
    ]
  }

/** Makes the node lifecycle controller. */
export const nodeLifecycle = nodeLifecycleWith({})

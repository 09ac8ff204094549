// Keeps the EndpointSlices of every service with a selector equal to its pods, a hundred endpoints to a slice.
// Owns what makes a service be looked at, and when; the plan and its writing are others'.
import { Effect } from "effect"
import { type ApiFailure, type Cancel, type Controller, Failures, gvr, type KubeObject, objectKey } from "#kube"
import { fieldsOf } from "#apiserver"
import { isNodeReady } from "../nodes/NodeFacts.ts"
import { keyedController, withLife } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import { selectorOf } from "./EndpointFacts.ts"
import { MANAGED_BY, MANAGER, planSlices, type SlicePlanner } from "./EndpointSlices.ts"
import { followSlices } from "./FollowSlices.ts"
import { type ServicePods, servicePods } from "./ServicePods.ts"
import { serviceKeyOf, SliceTracker } from "./SliceTracker.ts"
import { slices, writeSlices } from "./SliceWrites.ts"
import { TriggerTimes } from "./TriggerTimes.ts"
import { ZoneHints } from "./ZoneHints.ts"

export interface EndpointSliceOptions {
  /** Endpoints of one slice; at most 1000. */
  readonly perSliceMax?: number
  /** How long pods' changes are gathered before a service is looked at. */
  readonly batchMs?: number
}

const NAME = "endpointslice-controller"
const PER_SLICE_MAX = 100
/** Changes of slices that are not ours are looked at after so long. */
const FOREIGN_MS = 1000
const LIMITS = { baseMs: 1000, maxMs: 1_000_000, perSecond: 10, burst: 100 }
const nodes = gvr("", "v1", "nodes")
const SERVICE_INDEX = "service"
const ZONE = "topology.kubernetes.io/zone"

const isManaged = ({ metadata }: KubeObject): boolean => metadata.labels?.[MANAGED_BY] === MANAGER

class ServiceSlices {
  readonly tracker = new SliceTracker()
  readonly hints: ZoneHints
  readonly #manager: Manager
  readonly #selected: ServicePods
  readonly #planner: SlicePlanner
  readonly #triggers = new TriggerTimes()
  readonly #events

  constructor(manager: Manager, perSliceMax: number) {
    const { store } = manager.informers.informer(nodes)
    this.#manager = manager
    this.#selected = servicePods(manager)
    this.#events = manager.events.from(NAME)
    this.hints = new ZoneHints(() => store.all())
    this.#planner = { perSliceMax, hints: this.hints, node: (name) => store.get(name) }
    manager.informers.informer(slices).store.addIndex(SERVICE_INDEX, (slice) => [serviceKeyOf(slice)])
  }

  readonly sync = Effect.fnUntraced(
    function* (this: ServiceSlices, key: string): Effect.fn.Return<void, ApiFailure> {
      const service = this.#selected.services.store.get(key)
      if (service === undefined) {
        this.#triggers.forget(key)
        this.tracker.forget(key)
        return
      }
      if (fieldsOf(service.spec)["type"] === "ExternalName" || selectorOf(service) === undefined) return
      const existing = this.#slicesOf(key)
      if (this.tracker.isStale(key, existing))
        return yield* Effect.fail(Failures.internal("EndpointSlice informer cache is out of date"))
      const pods = this.#selected.podsOf(key)
      const at = this.#triggers.next(service, pods)
      const plan = planSlices(service, pods, existing, this.#planner)
      const { tracker } = this
      yield* writeSlices(plan, { manager: this.#manager, tracker, owner: service, triggerTime: { at } }).pipe(
        Effect.tapError((failure) => Effect.sync(() => this.#failed(service, failure.message)))
      )
      for (const { message, reason, type } of plan.events) this.#events.event(service, type, reason, message)
      if (plan.waiting.length === 0) return
      const why = plan.waiting.map((pod) => `skipping Pod ${pod} for Service ${key}: its Node was not found`).join(", ")
      this.#failed(service, why)
      return yield* Effect.fail(Failures.internal(why))
    }.bind(this)
  )

  #slicesOf(service: string): ReadonlyArray<KubeObject> {
    return this.#manager.informers
      .informer(slices)
      .store.byIndex(SERVICE_INDEX, service)
      .filter((slice) => isManaged(slice) && slice.metadata.deletionTimestamp === undefined)
  }

  #failed(service: KubeObject, why: string): void {
    const message = `Error updating Endpoint Slices for Service ${objectKey(service)}: ${why}`
    this.#events.event(service, "Warning", "FailedToUpdateEndpointSlices", message)
  }
}

/** Makes the EndpointSlice controller with numbers other than upstream's. */
export const endpointSlicesWith =
  ({ batchMs = 0, perSliceMax = PER_SLICE_MAX }: EndpointSliceOptions) =>
  (manager: Manager): Controller => {
    const selected = servicePods(manager)
    const [sliceInformer, nodeInformer] = [manager.informers.informer(slices), manager.informers.informer(nodes)]
    const { hints, sync, tracker } = new ServiceSlices(manager, perSliceMax)
    const controller = keyedController(manager, NAME, {
      watches: [
        { informer: selected.services, keys: objectKey },
        ...[selected.pods, nodeInformer, sliceInformer].map((informer) => ({ informer, keys: () => undefined }))
      ],
      limits: LIMITS,
      reconcile: sync
    })
    let nodesChanged = false
    /** Services are weighed against the nodes once for all changes of a turn. */
    const weigh = (): void => {
      hints.nodesChanged()
      if (nodesChanged) return
      nodesChanged = true
      manager.clockwork.defer(() => {
        nodesChanged = false
        for (const key of hints.overloaded()) controller.enqueue(key)
      })
    }
    return withLife(controller, (): ReadonlyArray<Cancel> => [
      selected.use((key) => controller.enqueueAfter(key, batchMs)),
      followSlices(sliceInformer, tracker, isManaged, (key) =>
        controller.enqueueAfter(key, Math.max(batchMs, FOREIGN_MS))
      ),
      nodeInformer.addHandler({
        added: weigh,
        deleted: weigh,
        updated: (before, after) => {
          const isZoneSame = before.metadata.labels?.[ZONE] === after.metadata.labels?.[ZONE]
          if (!isZoneSame || isNodeReady(before) !== isNodeReady(after)) weigh()
        }
      })
    ])
  }

/** Makes the EndpointSlice controller. */
export const endpointSliceController = endpointSlicesWith({})

// Mirrors Endpoints that people keep by hand into EndpointSlices, for services that have no selector.
// Owns what makes an Endpoints object be looked at; the plan and its writing are others'.
import { Effect } from "effect"
import { type ApiFailure, type Controller, Failures, gvr, type KubeObject, objectKey } from "#kube"
import { keyedController, withLife } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import { selectorOf } from "./EndpointFacts.ts"
import { followSlices } from "./FollowSlices.ts"
import { isMirrored, isMirrorSlice, planMirror } from "./MirroredSlices.ts"
import { services } from "./ServicePods.ts"
import { serviceKeyOf, SliceTracker } from "./SliceTracker.ts"
import { slices, writeSlices } from "./SliceWrites.ts"

const NAME = "endpointslice-mirroring-controller"
const LIMITS = { baseMs: 1000, maxMs: 100_000, perSecond: 10, burst: 100 }
const PER_SUBSET_MAX = 1000
const SERVICE_INDEX = "service"
const endpointsResource = gvr("", "v1", "endpoints")

const hasSelector = (service: KubeObject): boolean => selectorOf(service) !== undefined

/** Makes the EndpointSlice mirroring controller. */
export const sliceMirroring = (manager: Manager): Controller => {
  const events = manager.events.from(NAME)
  const of = {
    endpoints: manager.informers.informer(endpointsResource),
    services: manager.informers.informer(services),
    slices: manager.informers.informer(slices)
  }
  of.slices.store.addIndex(SERVICE_INDEX, (slice) => [serviceKeyOf(slice)])
  const tracker = new SliceTracker()
  const sync = Effect.fnUntraced(function* (key: string): Effect.fn.Return<void, ApiFailure> {
    const [endpoints, service] = [of.endpoints.store.get(key), of.services.store.get(key)]
    const existing = of.slices.store.byIndex(SERVICE_INDEX, key).filter(isMirrorSlice)
    if (endpoints === undefined || service === undefined || !isMirrored(endpoints) || hasSelector(service)) {
      tracker.forget(key)
      const [first] = existing
      if (first === undefined) return
      const plan = { create: [], update: [], remove: [...existing] }
      yield* writeSlices(plan, { manager, tracker, owner: first })
      tracker.forget(key)
      return
    }
    if (tracker.isStale(key, existing))
      return yield* Effect.fail(Failures.internal("EndpointSlice informer cache is out of date"))
    const plan = planMirror(endpoints, existing)
    if (plan.invalid > 0) {
      const message = `Skipped ${plan.invalid} invalid IP addresses when mirroring to EndpointSlices`
      events.event(endpoints, "Warning", "InvalidIPAddress", message)
    }
    if (plan.skipped > plan.invalid) {
      const message = `A max of ${PER_SUBSET_MAX} addresses can be mirrored to EndpointSlices per Endpoints subset. ${plan.skipped} addresses were skipped`
      events.event(endpoints, "Warning", "TooManyAddressesToMirror", message)
    }
    yield* writeSlices(plan, { manager, tracker, owner: endpoints })
  })
  const controller = keyedController(manager, NAME, {
    watches: [
      {
        informer: of.services,
        keys: (service) => (hasSelector(service) ? undefined : objectKey(service)),
        changed: (before, after) => hasSelector(before) !== hasSelector(after)
      },
      { informer: of.endpoints, keys: (endpoints) => (isMirrored(endpoints) ? objectKey(endpoints) : undefined) },
      { informer: of.slices, keys: () => undefined }
    ],
    limits: LIMITS,
    reconcile: sync
  })
  return withLife(controller, () => [followSlices(of.slices, tracker, isMirrorSlice, controller.enqueue)])
}

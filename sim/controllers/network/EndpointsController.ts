// Keeps the Endpoints object of every service with a selector: the older form, for those who still read it.
// Owns that object's subsets, labels and annotations; EndpointSlices are the newer form's controller's.
import { Effect } from "effect"
import {
  type ApiFailure,
  type Controller,
  Failures,
  gvr,
  type Json,
  type JsonObject,
  type KubeObject,
  type Labels,
  objectKey,
  sameJson,
  splitKey
} from "#kube"
import { fieldsOf, itemsOf, textOf, textsOf } from "#apiserver"
import { clientOf, isNamespaceTerminating, isNotFound, keyedController, withLife } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import { isReady, nodeNameOf } from "../PodFacts.ts"
import { VersionFacts } from "../VersionFacts.ts"
import {
  clusterIpOf,
  hostnameOf,
  isEndpoint,
  isHeadless,
  isV6,
  podAddresses,
  portNumber,
  publishesNotReady,
  selectorOf,
  targetRefOf
} from "./EndpointFacts.ts"
import { addressCount, CAPACITY, type EndpointPair, sameSubsets, subsetsOf, truncated } from "./EndpointSubsets.ts"
import { servicePods } from "./ServicePods.ts"
import { TriggerTimes, withTriggerTime } from "./TriggerTimes.ts"

const NAME = "endpoints-controller"
/** Upstream's older name, which stands in labels and events. */
const COMPONENT = "endpoint-controller"
const MANAGED_BY = "endpoints.kubernetes.io/managed-by"
const HEADLESS = "service.kubernetes.io/headless"
const OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
const LEADER = "control-plane.alpha.kubernetes.io/leader"
const endpoints = gvr("", "v1", "endpoints")

/** The address at which a service finds a pod: the first of the service's first family. */
const addressOf = (pod: KubeObject, service: KubeObject): JsonObject | undefined => {
  const [family] = textsOf(fieldsOf(service.spec)["ipFamilies"])
  const ip = clusterIpOf(service)
  const wantsV6 =
    family !== undefined
      ? family === "IPv6"
      : isV6(ip !== "" && ip !== "None" ? ip : textOf(fieldsOf(pod.status)["podIP"]))
  const address = podAddresses(pod).find((one) => isV6(one) === wantsV6)
  if (address === undefined) return undefined
  const hostname = hostnameOf(pod, service)
  return {
    ip: address,
    nodeName: nodeNameOf(pod),
    targetRef: targetRefOf(pod),
    ...(hostname === "" ? {} : { hostname })
  }
}

const knownPairs = new VersionFacts<KubeObject, ReadonlyArray<EndpointPair>>()

/** Every address of a service's pods at every port. */
export const endpointPairs = (service: KubeObject, pods: ReadonlyArray<KubeObject>): ReadonlyArray<EndpointPair> =>
  pods.flatMap((pod) => knownPairs.of(pod, service, undefined, () => pairsAt(pod, service)))

const pairsAt = (pod: KubeObject, service: KubeObject): ReadonlyArray<EndpointPair> => {
  const all = publishesNotReady(service)
  const ports = itemsOf(fieldsOf(service.spec)["ports"])
  const address = isEndpoint(pod, all) ? addressOf(pod, service) : undefined
  if (address === undefined) return []
  const ready = all || isReady(pod)
  if (ports.length === 0) return clusterIpOf(service) === "None" ? [{ address, port: undefined, ready }] : []
  return ports.flatMap((port) => {
    const number = portNumber(pod, port)
    if (number === undefined) return []
    const { appProtocol, name = "", protocol = "TCP" } = port
    const own = {
      ...(name === "" ? {} : { name }),
      port: number,
      protocol,
      ...(appProtocol === undefined ? {} : { appProtocol })
    }
    return [{ address, port: own, ready }]
  })
}

const labelsOf = (service: KubeObject): Labels => {
  const { [HEADLESS]: _, ...labels } = service.metadata.labels ?? {}
  return { ...labels, ...(isHeadless(service) ? { [HEADLESS]: "" } : {}), [MANAGED_BY]: COMPONENT }
}

/** Whether labels are right, the headless one aside, which alone is no reason to write. */
const areLabelsRight = (held: Labels = {}, service: KubeObject): boolean => {
  const { [HEADLESS]: _, [MANAGED_BY]: manager, ...rest } = held
  return manager === COMPONENT && sameJson(rest, service.metadata.labels ?? {})
}

const isCapacityRight = ({ metadata: { annotations }, ...object }: KubeObject): boolean =>
  addressCount(itemsOf(object["subsets"])) <= CAPACITY && annotations?.[OVER_CAPACITY] === undefined

/** The Endpoints as they must be; undefined when they are so. */
export const wantedEndpoints = (
  service: KubeObject,
  pods: ReadonlyArray<KubeObject>,
  held: KubeObject | undefined,
  triggerTime: string | undefined
): KubeObject | undefined => {
  const subsets = subsetsOf(endpointPairs(service, pods))
  const isRight =
    held !== undefined &&
    sameSubsets(held["subsets"] as Json, subsets) &&
    areLabelsRight(held.metadata.labels, service) &&
    isCapacityRight(held)
  if (isRight) return undefined
  const cut = truncated(subsets)
  const { [OVER_CAPACITY]: _, ...annotations } = withTriggerTime(held?.metadata.annotations, triggerTime)
  const { name = "", namespace = "" } = service.metadata
  return {
    apiVersion: "v1",
    kind: "Endpoints",
    ...held,
    metadata: {
      ...(held?.metadata ?? { name, namespace }),
      labels: labelsOf(service),
      annotations: cut === undefined ? annotations : { ...annotations, [OVER_CAPACITY]: "truncated" }
    },
    subsets: cut ?? subsets
  }
}

/** Makes the Endpoints controller. */
export const endpointsController = (manager: Manager): Controller => {
  const client = clientOf(manager)
  const events = manager.events.from(COMPONENT)
  const selected = servicePods(manager)
  const informer = manager.informers.informer(endpoints)
  const triggers = new TriggerTimes()
  /** Versions that were overwritten: a copy that still has one is older than our own write. */
  const overwritten = new Map<string, string>()
  const write = (key: string, wanted: KubeObject, held: KubeObject | undefined): Effect.Effect<void, ApiFailure> => {
    const { name, namespace } = splitKey(key)
    const place = { resource: endpoints, namespace }
    const written = held === undefined ? client.create(place, wanted) : client.update({ ...place, name }, wanted)
    return written.pipe(
      Effect.map((answer) => {
        const before = held?.metadata.resourceVersion
        if (before !== undefined && answer.metadata.resourceVersion !== before) overwritten.set(key, before)
      }),
      Effect.catch((failure) => {
        if (held === undefined && isNamespaceTerminating(failure)) return Effect.void
        const [reason, verb, of] =
          held === undefined
            ? (["FailedToCreateEndpoint", "create", "endpoint for service"] as const)
            : (["FailedToUpdateEndpoint", "update", "endpoint"] as const)
        events.event(wanted, "Warning", reason, `Failed to ${verb} ${of} ${key}: ${failure.message}`)
        return Effect.fail(failure)
      })
    )
  }
  const sync = (key: string): Effect.Effect<void, ApiFailure> => {
    const service = selected.services.store.get(key)
    if (service === undefined) {
      triggers.forget(key)
      overwritten.delete(key)
      return client.delete({ resource: endpoints, ...splitKey(key) }).pipe(
        Effect.asVoid,
        Effect.catch((failure) => (isNotFound(failure) ? Effect.void : Effect.fail(failure)))
      )
    }
    if (fieldsOf(service.spec)["type"] === "ExternalName" || selectorOf(service) === undefined) return Effect.void
    const pods = selected.podsOf(key)
    const triggerTime = triggers.next(service, pods)
    const held = informer.store.get(key)
    if (held !== undefined && overwritten.get(key) === held.metadata.resourceVersion)
      return Effect.fail(Failures.internal(`endpoints informer cache is out of date for ${key}`))
    const wanted = wantedEndpoints(service, pods, held, triggerTime)
    return wanted === undefined ? Effect.void : write(key, wanted, held)
  }
  const controller = keyedController(manager, NAME, {
    watches: [
      { informer: selected.services, keys: objectKey },
      { informer: selected.pods, keys: () => undefined },
      // What was left behind while nobody looked: Endpoints that were there at the start, and those that somebody deletes.
      {
        informer,
        keys: (object) => (object.metadata.annotations?.[LEADER] === undefined ? objectKey(object) : undefined),
        changed: () => false
      }
    ],
    reconcile: sync
  })
  return withLife(controller, () => [selected.use((key) => controller.enqueue(key))])
}

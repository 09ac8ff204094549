// Claims of pods' own volumes: made from the template in the pod, and gone with it.
// Owns making them; binding them is the binder's, deleting them the garbage collector's.
import { Effect } from "effect"
import { type ApiFailure, type Controller, Failures, type JsonObject, type KubeObject, objectKey } from "#kube"
import { fieldsOf, itemsOf, mapOf, textOf } from "#apiserver"
import { clientOf, keyedController } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import { isControlledBy, ownerReference } from "../Owned.ts"
import { isTerminal } from "../PodFacts.ts"
import { pods } from "../PodWrites.ts"
import { claimsResource } from "./VolumeWrites.ts"

const NAME = "ephemeral-volume-controller"
const COMPONENT = "ephemeral_volume"

/** The name of the claim of a pod's own volume. */
export const ephemeralClaimName = ({ metadata: { name = "" } }: KubeObject, volume: JsonObject): string =>
  `${name}-${textOf(volume["name"])}`

const ephemeralVolumes = (pod: KubeObject): ReadonlyArray<JsonObject> =>
  itemsOf(fieldsOf(pod.spec)["volumes"]).filter(({ ephemeral }) => ephemeral !== undefined)

const claimOf = (pod: KubeObject, volume: JsonObject): KubeObject => {
  const template = fieldsOf(fieldsOf(volume["ephemeral"])["volumeClaimTemplate"])
  const metadata = fieldsOf(template["metadata"])
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: {
      name: ephemeralClaimName(pod, volume),
      namespace: pod.metadata.namespace ?? "",
      ...(metadata["annotations"] === undefined ? {} : { annotations: mapOf(metadata["annotations"]) }),
      ...(metadata["labels"] === undefined ? {} : { labels: mapOf(metadata["labels"]) }),
      ownerReferences: [ownerReference(pod, { apiVersion: "v1", kind: "Pod" })]
    },
    spec: fieldsOf(template["spec"])
  }
}

/** Makes the controller of ephemeral volumes. */
export const ephemeralClaims = (manager: Manager): Controller => {
  const events = manager.events.from(COMPONENT)
  const of = { pods: manager.informers.informer(pods), claims: manager.informers.informer(claimsResource) }
  const ensure = (pod: KubeObject, volume: JsonObject): Effect.Effect<void, ApiFailure> => {
    const { name = "", namespace = "" } = pod.metadata
    const claimName = ephemeralClaimName(pod, volume)
    const claim = of.claims.store.get(`${namespace}/${claimName}`)
    const fail = (why: string): Effect.Effect<never, ApiFailure> => {
      const message = `ephemeral volume ${textOf(volume["name"])}: ${why}`
      events.event(pod, "Warning", "FailedBinding", message)
      return Effect.fail(Failures.internal(`pod ${namespace}/${name}, ${message}`))
    }
    if (claim !== undefined) {
      if (isControlledBy(claim, pod)) return Effect.void
      return fail(`PVC ${namespace}/${claimName} was not created for pod ${namespace}/${name} (pod is not owner)`)
    }
    return clientOf(manager)
      .create({ resource: claimsResource, namespace }, claimOf(pod, volume))
      .pipe(
        Effect.asVoid,
        Effect.catch((failure) => fail(`create PVC ${claimName}: ${failure.message}`))
      )
  }
  return keyedController(manager, NAME, {
    watches: [
      {
        informer: of.pods,
        keys: (pod) =>
          ephemeralVolumes(pod).length > 0 && !isTerminal(pod) && pod.metadata.deletionTimestamp === undefined
            ? objectKey(pod)
            : undefined
      },
      {
        informer: of.claims,
        keys: ({ metadata: { namespace = "", ownerReferences = [] } }) => {
          const owner = ownerReferences.find(({ controller, kind }) => controller === true && kind === "Pod")
          return owner === undefined ? undefined : `${namespace}/${owner.name}`
        },
        changed: () => false
      }
    ],
    reconcile: (key) => {
      const pod = of.pods.store.get(key)
      if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return Effect.void
      return Effect.forEach(ephemeralVolumes(pod), (volume) => ensure(pod, volume), { discard: true })
    }
  })
}

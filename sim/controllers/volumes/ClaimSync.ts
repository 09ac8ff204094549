// What is due for one claim: a volume that fits, a volume that is asked for by name, a provisioner, or patience.
// Owns the decision, in the order of upstream's syncClaim; the writes are VolumeWrites.ts's.
import { Effect } from "effect"
import { type ApiFailure, Failures, gvr, type Informer, type KubeObject } from "#kube"
import { fieldsOf, itemsOf, textOf } from "#apiserver"
import type { Manager } from "../Manager.ts"
import { isTerminal, nodeNameOf } from "../PodFacts.ts"
import { pods } from "../PodWrites.ts"
import { ephemeralClaimName } from "./EphemeralClaims.ts"
import {
  BIND_COMPLETED,
  BOUND_BY_CONTROLLER,
  claimKeyOf,
  claimRefOf,
  classOf,
  defaultClassOf,
  hasAnnotation,
  isForClaim,
  namesClass,
  SELECTED_NODE,
  volumeNameOf,
  waitsForConsumer
} from "./VolumeFacts.ts"
import { bestVolume, mismatch } from "./VolumeMatch.ts"
import type { VolumeWrites } from "./VolumeWrites.ts"

export const classesResource = gvr("storage.k8s.io", "v1", "storageclasses")
const CLAIMS_INDEX = "claims of pods"

/** The keys of the claims that a pod's volumes name. */
export const claimKeysOfPod = (pod: KubeObject): ReadonlyArray<string> => {
  const { namespace = "" } = pod.metadata
  return itemsOf(fieldsOf(pod.spec)["volumes"]).flatMap((volume) => {
    const named = textOf(fieldsOf(volume["persistentVolumeClaim"])["claimName"])
    if (named !== "") return [`${namespace}/${named}`]
    return volume["ephemeral"] === undefined ? [] : [`${namespace}/${ephemeralClaimName(pod, volume)}`]
  })
}

/** Pods by the claims that they use. */
export const podsByClaim = (manager: Manager): ((claim: string) => ReadonlyArray<KubeObject>) => {
  const { store } = manager.informers.informer(pods)
  store.addIndex(CLAIMS_INDEX, claimKeysOfPod)
  return (claim) => store.byIndex(CLAIMS_INDEX, claim)
}

const keyOf = ({ metadata: { name = "", namespace = "" } }: KubeObject): string => `${namespace}/${name}`

export class ClaimSync {
  readonly #writes: VolumeWrites
  readonly #classes: Informer
  readonly #podsOf: (claim: string) => ReadonlyArray<KubeObject>

  constructor(manager: Manager, writes: VolumeWrites) {
    this.#writes = writes
    this.#classes = manager.informers.informer(classesResource)
    this.#podsOf = podsByClaim(manager)
  }

  sync(claim: KubeObject): Effect.Effect<void, ApiFailure> {
    if (hasAnnotation(claim, BIND_COMPLETED)) return this.#syncBound(claim)
    return volumeNameOf(claim) === "" ? this.#syncUnbound(claim) : this.#syncNamed(claim)
  }

  #syncBound(claim: KubeObject): Effect.Effect<void, ApiFailure> {
    const name = volumeNameOf(claim)
    const lost = (what: string): Effect.Effect<void, ApiFailure> =>
      this.#writes.lose(
        claim,
        "ClaimLost",
        `Bound claim has lost ${what} PersistentVolume. Data on the volume is lost!`
      )
    if (name === "") return lost("reference to")
    const volume = this.#writes.volumes.get(name)
    if (volume === undefined) return lost("its")
    const reference = claimRefOf(volume)
    if (reference === undefined || reference["uid"] === claim.metadata.uid) return this.#writes.bind(volume, claim)
    const why = "Two claims are bound to the same volume, this one is bound incorrectly"
    return this.#writes.lose(claim, "ClaimMisbound", why)
  }

  /** A claim that asks for one volume by name. */
  #syncNamed(claim: KubeObject): Effect.Effect<void, ApiFailure> {
    const name = volumeNameOf(claim)
    const pending = Effect.asVoid(this.#writes.claimStatus(claim, "Pending"))
    const volume = this.#writes.volumes.get(name)
    if (volume === undefined) return pending
    if (claimRefOf(volume) === undefined) {
      const why = mismatch(volume, claim)
      if (why === undefined) return this.#writes.bind(volume, claim)
      this.#tell(claim, "Warning", "VolumeMismatch", `Cannot bind to requested volume "${name}": ${why}`)
      return pending
    }
    if (isForClaim(volume, claim)) return this.#writes.bind(volume, claim)
    this.#tell(claim, "Warning", "FailedBinding", `volume "${name}" already bound to a different claim.`)
    if (!hasAnnotation(claim, BOUND_BY_CONTROLLER)) return pending
    const holder = claimKeyOf(volume) ?? ""
    return Effect.fail(
      Failures.internal(
        `invalid binding of claim "${keyOf(claim)}" to volume "${name}": volume already claimed by "${holder}"`
      )
    )
  }

  readonly #syncUnbound = Effect.fnUntraced(
    function* (this: ClaimSync, claim: KubeObject): Effect.fn.Return<void, ApiFailure> {
      const waits = waitsForConsumer(this.#classes.store.get(classOf(claim)))
      const volume = bestVolume(claim, this.#writes.candidates(claim), waits)
      if (volume !== undefined) return yield* this.#writes.bind(volume, claim)
      if (!namesClass(claim)) {
        const found = defaultClassOf(this.#classes.store.all())
        if (found !== undefined) {
          yield* this.#writes.setClass(claim, found.metadata.name ?? "")
          return
        }
      }
      if (waits && !hasAnnotation(claim, SELECTED_NODE)) this.#tellWaiting(claim)
      else if (classOf(claim) !== "") return yield* this.#provision(claim)
      else {
        const message = "no persistent volumes available for this claim and no storage class is set"
        this.#tell(claim, "Normal", "FailedBinding", message)
      }
      yield* this.#writes.claimStatus(claim, "Pending")
    }.bind(this)
  )

  #tell(claim: KubeObject, type: "Normal" | "Warning", reason: string, message: string): void {
    this.#writes.events.event(claim, type, reason, message)
  }

  #tellWaiting(claim: KubeObject): void {
    const waiting = this.#podsOf(keyOf(claim))
      .filter((pod) => !isTerminal(pod) && nodeNameOf(pod) === "")
      .map(({ metadata }) => metadata.name ?? "")
    if (waiting.length === 0) {
      const message = "waiting for first consumer to be created before binding"
      return this.#tell(claim, "Normal", "WaitForFirstConsumer", message)
    }
    const message = `waiting for pod${waiting.length > 1 ? "s" : ""} ${waiting.join()} to be scheduled`
    return this.#tell(claim, "Normal", "WaitForPodScheduled", message)
  }

  /** Asks whoever provisions for the class; nobody of ours does, so that a real cluster's provisioner finds what it expects. */
  #provision(claim: KubeObject): Effect.Effect<void, ApiFailure> {
    const name = classOf(claim)
    const storageClass = this.#classes.store.get(name)
    const fail = (message: string): Effect.Effect<void> => {
      this.#tell(claim, "Warning", "ProvisioningFailed", message)
      return Effect.void
    }
    if (storageClass === undefined) return fail(`storageclass.storage.k8s.io "${name}" not found`)
    const provisioner = textOf(storageClass["provisioner"])
    if (provisioner.startsWith("kubernetes.io/")) return fail(`no volume plugin matched name: ${provisioner}`)
    return Effect.map(this.#writes.setProvisioner(claim, provisioner), (asked) => {
      const message = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`
      this.#tell(asked, "Normal", "ExternalProvisioning", message)
    })
  }
}

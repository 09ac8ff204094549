// The loop that keeps each HPA's mode: the label by which the host's autoscaler finds centralized ones, the reason on those that
// cannot work as they stand, and its turn among the controllers of a federated object: an HPA goes to members only once it can work.
// Owns these marks on the HPA and on its federated object; refuses to scale, which members do, or an autoscaler over FleetClient.ts.
import { Effect } from "effect"
import {
  type ApiFailure,
  type Client,
  type Clockwork,
  type ClockworkRuntime,
  type Controller,
  effectClient,
  type EffectClient,
  type GroupVersionResource,
  type Informer,
  type KubeObject,
  makeController,
  objectKey,
  parseApiVersion,
  type Reconciled,
  splitKey
} from "#kube"
import {
  federationAnnotations,
  federationControllers,
  federationLabels,
  federationResources
} from "../api/FederationNames.ts"
import type { TypeConfig } from "../api/TypeConfig.ts"
import { afterActing, pendingOf, pendingText } from "../federate/PendingControllers.ts"
import { sourceNameOf, templateOf } from "../followers/Needs.ts"
import { fieldPath } from "../semantics/FieldPaths.ts"
import { referenceKey } from "../semantics/PodReferences.ts"
import { patchRead } from "../HostCalls.ts"
import { type AutoscalerDecision, decideAutoscaler, scaledReference, type WorkloadPolicy } from "./AutoscalerMode.ts"

export interface AutoscalerOptions {
  readonly clockwork: Clockwork
  readonly client: Client
  readonly runtime?: ClockworkRuntime
  /** Of FederatedObjects. */
  readonly objects: Informer
  readonly types: (group: string, kind: string) => TypeConfig | undefined
  readonly sources: (type: GroupVersionResource) => Informer
  readonly policyOf: (federated: KubeObject) => WorkloadPolicy | undefined
  readonly onFailure?: (key: string, failure: ApiFailure) => void
}

const SOURCE_INDEX = "federation/source"
/** Federated autoscalers by what they scale. */
const SCALED_INDEX = "federation/scaled"
const MANAGER = { fieldManager: "kubeadmiral-federatedhpa" }

type Marks = Readonly<Record<string, string | null>>

const differing = (own: Readonly<Record<string, string>> | undefined, wanted: Marks): Marks =>
  Object.fromEntries(Object.entries(wanted).filter(([name, value]) => (own?.[name] ?? null) !== value))

/**
 * Who is to act on a federated HPA after this controller, where it has its turn. One that cannot work as it stands waits here: in a
 * member it would scale what the federation scales back. Where it is already it stays.
 */
const turnOf = (
  { metadata: { annotations } }: KubeObject,
  { controllers }: TypeConfig,
  { problem }: AutoscalerDecision
): string | undefined => {
  const pending = pendingOf(annotations)
  if (problem !== undefined || pending?.[0]?.includes(federationControllers.federatedHpa) !== true) return undefined
  return pendingText(afterActing(pending, federationControllers.federatedHpa, controllers, false))
}

class AutoscalerLoop {
  readonly #options: AutoscalerOptions
  readonly #host: EffectClient

  constructor(options: AutoscalerOptions) {
    this.#options = options
    this.#host = effectClient(options.client)
    options.objects.store.addIndex(SOURCE_INDEX, (object) => [sourceNameOf(object)])
    options.objects.store.addIndex(SCALED_INDEX, (object) => {
      const type = this.#typeOf(object)
      const scaled = type && scaledReference(templateOf(object), fieldPath(type.scaleTargetRefPath))
      return scaled === undefined ? [] : [referenceKey(scaled)]
    })
  }

  /** The keys of federated autoscalers that a change of a federated object concerns: itself, or those that scale it. */
  keys = (federated: KubeObject): ReadonlyArray<string> => {
    if (this.#typeOf(federated) !== undefined) return [objectKey(federated)]
    return this.#options.objects.store.byIndex(SCALED_INDEX, sourceNameOf(federated)).map(objectKey)
  }

  reconcile = (key: string): Effect.Effect<Reconciled, ApiFailure> =>
    Effect.suspend(() => {
      const { objects, policyOf } = this.#options
      const federated = objects.store.get(key)
      const type = federated === undefined ? undefined : this.#typeOf(federated)
      if (federated === undefined || type === undefined) return Effect.void
      const source = this.#source(federated, type)
      if (source === undefined || source.metadata.deletionTimestamp !== undefined) return Effect.void
      const scaled = scaledReference(source, fieldPath(type.scaleTargetRefPath))
      const workload = scaled === undefined ? undefined : objects.store.byIndex(SOURCE_INDEX, referenceKey(scaled))[0]
      const decision = decideAutoscaler(source, workload, workload === undefined ? undefined : policyOf(workload))
      const label = { [federationLabels.centralizedHpaEnabled]: decision.centralized ? "true" : null }
      const reason = { [federationAnnotations.fedHpaNotWorkReason]: decision.problem ?? null }
      const { name, namespace } = splitKey(key)
      return Effect.gen({ self: this }, function* () {
        const target = { resource: type.type, namespace, name: source.metadata.name ?? "" }
        yield* this.#mark(target, source, { label, reason })
        const copy = { resource: federationResources.objects, namespace, name }
        const turn = turnOf(federated, type, decision)
        if (turn === undefined) yield* this.#mark(copy, federated, { label, reason: {} })
        else {
          const labels = differing(federated.metadata.labels, label)
          const annotations = { [federationAnnotations.pendingControllers]: turn }
          yield* Effect.asVoid(patchRead(this.#host, copy, federated, { metadata: { labels, annotations } }))
        }
      })
    })

  #typeOf(federated: KubeObject): TypeConfig | undefined {
    const [group = "", kind = ""] = sourceNameOf(federated).split("/")
    const type = this.#options.types(group, kind)
    return type === undefined || type.scaleTargetRefPath === "" ? undefined : type
  }

  #source(federated: KubeObject, { type }: TypeConfig): KubeObject | undefined {
    const [, , namespace = "", name = ""] = sourceNameOf(federated).split("/")
    return this.#options.sources(type).store.get(namespace === "" ? name : `${namespace}/${name}`)
  }

  #mark(
    target: { readonly resource: GroupVersionResource; readonly namespace: string; readonly name: string },
    object: KubeObject,
    { label, reason }: { readonly label: Marks; readonly reason: Marks }
  ): Effect.Effect<void, ApiFailure> {
    const labels = differing(object.metadata.labels, label)
    const annotations = differing(object.metadata.annotations, reason)
    if (Object.keys(labels).length + Object.keys(annotations).length === 0) return Effect.void
    const body = { metadata: { labels, annotations } }
    return Effect.asVoid(this.#host.patch(target, { type: "merge", body }, MANAGER)).pipe(
      Effect.catch((failure) => (failure.code === 404 ? Effect.void : Effect.fail(failure)))
    )
  }
}

/** The controller, waiting to be started. */
export const makeAutoscalerController = (options: AutoscalerOptions): Controller => {
  const loop = new AutoscalerLoop(options)
  return makeController({
    name: "federatedhpa",
    clockwork: options.clockwork,
    ...(options.runtime === undefined ? {} : { runtime: options.runtime }),
    ...(options.onFailure === undefined ? {} : { onFailure: options.onFailure }),
    watches: [{ informer: options.objects, keys: loop.keys }],
    reconcile: loop.reconcile
  })
}

/** Whether a federated object is kept from members because the host decides for all of them. */
export const isCentralized = ({ metadata }: KubeObject): boolean =>
  metadata.labels?.[federationLabels.centralizedHpaEnabled] === "true"

/** Whether a kind is one that scales others, by its group and name. */
export const isAutoscaler = ({ apiVersion, kind }: KubeObject): boolean =>
  kind === "HorizontalPodAutoscaler" && parseApiVersion(apiVersion).group === "autoscaling"

// The loop that tells each policy how many objects it stands behind.
// Owns when a policy's status is written: at most once each `intervalMs`, however many objects come and go; the counts are
// ReferenceCounts.ts's.
import { Effect } from "effect"
import { fieldsOf, textOf } from "#apiserver"
import {
  type ApiFailure,
  type Cancel,
  type Client,
  type Clockwork,
  type ClockworkRuntime,
  type Controller,
  effectClient,
  groupResource,
  type GroupVersionResource,
  type Informer,
  type Json,
  type KubeObject,
  makeController,
  objectKey,
  parseApiVersion,
  type Reconciled,
  sameJson
} from "#kube"
import { federatedSpecOf } from "../api/FederatedObject.ts"
import { federationLabels, federationResources } from "../api/FederationNames.ts"
import type { TypeConfig } from "../api/TypeConfig.ts"
import { policiesOf, policyKey, type PolicyLabel, ReferenceCounts } from "./ReferenceCounts.ts"

export interface PolicyCountOptions {
  readonly clockwork: Clockwork
  readonly client: Client
  readonly runtime?: ClockworkRuntime
  /** Of FederatedObjects and ClusterFederatedObjects. */
  readonly objects: ReadonlyArray<Informer>
  /** By the plural of their resource: propagationpolicies and the three others. */
  readonly policies: Readonly<Record<string, Informer>>
  readonly types: (group: string, kind: string) => TypeConfig | undefined
  /** Policies that an object has without naming them, in addition to its labels. */
  readonly chosen?: (federated: KubeObject) => ReadonlyArray<string>
  /** Between two writes of one policy. Default 2,000. */
  readonly intervalMs?: number
  readonly onFailure?: (key: string, failure: ApiFailure) => void
}

const INTERVAL_MS = 2000

const MANAGER = { fieldManager: "kubeadmiral-policyrc" }

const { clusterOverridePolicies, clusterPropagationPolicies, overridePolicies, propagationPolicies } =
  federationResources

const LABELS: ReadonlyArray<PolicyLabel> = [
  { label: federationLabels.propagationPolicy, resource: propagationPolicies.resource, namespaced: true },
  {
    label: federationLabels.clusterPropagationPolicy,
    resource: clusterPropagationPolicies.resource,
    namespaced: false
  },
  { label: federationLabels.overridePolicy, resource: overridePolicies.resource, namespaced: true },
  { label: federationLabels.clusterOverridePolicy, resource: clusterOverridePolicies.resource, namespaced: false }
]

const RESOURCES: Readonly<Record<string, GroupVersionResource>> = Object.fromEntries(
  [propagationPolicies, clusterPropagationPolicies, overridePolicies, clusterOverridePolicies].map((one) => [
    one.resource,
    one
  ])
)

class PolicyCounts {
  readonly #options: PolicyCountOptions
  readonly #host: ReturnType<typeof effectClient>
  readonly #counts = new ReferenceCounts()
  enqueueAfter: (key: string, delayMs: number) => void = () => {}

  constructor(options: PolicyCountOptions) {
    this.#options = options
    this.#host = effectClient(options.client)
  }

  /** Counts what comes and goes from now on, and what is there. */
  follow(): ReadonlyArray<Cancel> {
    return this.#options.objects.map((informer) =>
      informer.addHandler({
        added: (object) => this.#count(object),
        updated: (_before, object) => this.#count(object),
        deleted: (object) => this.#wake(this.#counts.delete(objectKey(object)))
      })
    )
  }

  reconcile = (key: string): Effect.Effect<Reconciled, ApiFailure> =>
    Effect.suspend(() => {
      const [resource = "", namespace = "", name = ""] = key.split("/")
      const policy = this.#options.policies[resource]?.store.get(namespace === "" ? name : `${namespace}/${name}`)
      const type = RESOURCES[resource]
      if (policy === undefined || type === undefined) return Effect.void
      const use = this.#counts.use(key)
      const before = fieldsOf(policy.status)
      const same =
        (before["refCount"] ?? 0) === use.refCount &&
        sameJson(before["typedRefCount"] ?? [], use.typedRefCount as unknown as Json)
      if (same) return Effect.void
      const body = { status: { refCount: use.refCount, typedRefCount: use.typedRefCount as unknown as Json } }
      const target = { resource: type, namespace, name, subresource: "status" }
      return Effect.asVoid(this.#host.patch(target, { type: "merge", body }, MANAGER)).pipe(
        Effect.catch((failure) => (failure.code === 404 ? Effect.void : Effect.fail(failure)))
      )
    })

  #count(federated: KubeObject): void {
    const template = federatedSpecOf(federated).template
    const { group } = parseApiVersion(textOf(template["apiVersion"]))
    const kind = textOf(template["kind"])
    const type = this.#options.types(group, kind)?.type
    const name = type === undefined ? groupResource({ group, resource: kind.toLowerCase() }) : groupResource(type)
    const policies = new Set([...policiesOf(federated, LABELS), ...(this.#options.chosen?.(federated) ?? [])])
    this.#wake(this.#counts.set(objectKey(federated), [...policies], name))
  }

  #wake(policies: ReadonlyArray<string>): void {
    for (const policy of policies) this.enqueueAfter(policy, this.#options.intervalMs ?? INTERVAL_MS)
  }
}

/** The controller, waiting to be started. */
export const makePolicyCountController = (options: PolicyCountOptions): Controller => {
  const counts = new PolicyCounts(options)
  const controller = makeController({
    name: "policyrc",
    clockwork: options.clockwork,
    ...(options.runtime === undefined ? {} : { runtime: options.runtime }),
    ...(options.onFailure === undefined ? {} : { onFailure: options.onFailure }),
    watches: [
      ...options.objects.map((informer) => ({ informer, keys: () => undefined })),
      ...Object.entries(options.policies).map(([resource, informer]) => ({
        informer,
        keys: ({ metadata }: KubeObject) => policyKey(resource, metadata.namespace ?? "", metadata.name ?? "")
      }))
    ],
    reconcile: counts.reconcile
  })
  counts.enqueueAfter = controller.enqueueAfter
  let cancels: ReadonlyArray<Cancel> = []
  return {
    ...controller,
    start: () => {
      cancels = counts.follow()
      controller.start()
    },
    stop: () => {
      for (const cancel of cancels) cancel()
      controller.stop()
    }
  }
}

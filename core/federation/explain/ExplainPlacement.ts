// Why an object of a federation is where it is: read from the host, decided again in the head, told.
// Owns finding the object, its type and all that a decision depends on; refuses to change anything, and to ask webhooks, which then count
// as not answering.
import { Effect } from "effect"
import { builtInResources, type Client, effectClient, type JsonObject, type KubeObject } from "#kube"
import { fieldsIn, fieldsOf, textOf } from "#apiserver"
import { memberClusterOf } from "../api/FederatedCluster.ts"
import { federatedSpecOf } from "../api/FederatedObject.ts"
import { federationResources } from "../api/FederationNames.ts"
import { propagationPolicyOf } from "../api/PropagationPolicy.ts"
import { defaultSchedulingProfile, schedulingProfileOf } from "../api/SchedulingProfile.ts"
import { type TypeConfig, typeConfigOf } from "../api/TypeConfig.ts"
import { PlacementNotExplained } from "../FederationError.ts"
import { valueAt } from "../overrides/Containers.ts"
import { Fleet } from "../scheduling/Fleet.ts"
import type { Explanation, PolicyChoice } from "../scheduling/Outcome.ts"
import { PolicyIndex } from "../scheduling/PolicyIndex.ts"
import { schedule } from "../scheduling/Schedule.ts"
import { schedulingUnitOf } from "../scheduling/SchedulingUnit.ts"
import { storedExplanationOf, storedPlacementOf } from "../scheduling/StoredPlacement.ts"

/** "deploy/web" of a namespace. */
export interface ExplainRequest {
  readonly object: string
  /** Empty for what is in none. */
  readonly namespace: string
  /** What the last attempt left, instead of a new look. */
  readonly stored: boolean
  readonly nowMs: number
}

const notExplained = (message: string): PlacementNotExplained => new PlacementNotExplained({ message })

/** Whether a type is meant by a word as kubectl takes them: plural, kind, or a short name of a built-in one. */
const isMeant = ({ name, type }: TypeConfig, word: string): boolean => {
  const wanted = word.toLowerCase()
  if ([name, type.resource, type.kind.toLowerCase()].includes(wanted)) return true
  return builtInResources().some(
    (one) => one.group === type.group && one.kind === type.kind && one.shortNames.includes(wanted)
  )
}

const listed = (client: Client, resource: (typeof federationResources)[keyof typeof federationResources]) =>
  Effect.map(effectClient(client).list({ resource, namespace: "" }), ({ items }) => items)

const typeNamed = Effect.fnUntraced(function* (client: Client, word: string) {
  const types = (yield* listed(client, federationResources.typeConfigs)).map(typeConfigOf)
  const found = types.filter((type) => isMeant(type, word))
  const [first, second] = found
  if (first === undefined) {
    return yield* notExplained(
      `no FederatedTypeConfig is for ${word}; there are ${types.map(({ name }) => name).join(", ") || "none"}`
    )
  }
  if (second !== undefined) return yield* notExplained(`${word} may be ${found.map(({ name }) => name).join(" or ")}`)
  return first
})

/** The FederatedObject whose template has this name: its own name may be another, for a source whose name is none. */
const federatedNamed = Effect.fnUntraced(function* (client: Client, type: TypeConfig, namespace: string, name: string) {
  const resource = type.namespaced ? federationResources.objects : federationResources.clusterObjects
  const { items } = yield* effectClient(client).list({ resource, namespace: type.namespaced ? namespace : "" })
  const found = items.find((item) => {
    const { template } = federatedSpecOf(item)
    return template["kind"] === type.type.kind && textOf(fieldsOf(template["metadata"])["name"]) === name
  })
  if (found !== undefined) return found
  const where = type.namespaced ? `${namespace}/${name}` : name
  return yield* notExplained(`${type.type.kind} ${where} has no FederatedObject: it is not federated, or not yet`)
})

const policyFor = Effect.fnUntraced(function* (client: Client, object: KubeObject, template: JsonObject) {
  const index = new PolicyIndex()
  const kinds = [federationResources.propagationPolicies, federationResources.clusterPropagationPolicies]
  for (const items of yield* Effect.all(kinds.map((kind) => listed(client, kind)))) {
    for (const item of items) index.set(propagationPolicyOf(item))
  }
  const metadata = fieldsOf(template["metadata"])
  return index.choose({
    apiVersion: textOf(template["apiVersion"]),
    kind: textOf(template["kind"]),
    namespace: textOf(metadata["namespace"]),
    name: textOf(metadata["name"]),
    // SAFETY: labels are texts. Those that name policies go to the federated object, the others stay in the template.
    labels: { ...(metadata["labels"] as Record<string, string> | undefined), ...object.metadata.labels }
  })
})

const profileFor = Effect.fnUntraced(function* (client: Client, policy: PolicyChoice) {
  if (typeof policy === "string" || policy.profile === "") return defaultSchedulingProfile
  const profiles = yield* listed(client, federationResources.schedulingProfiles)
  const found = profiles.find(({ metadata }) => metadata.name === policy.profile)
  return found === undefined ? ("missing" as const) : schedulingProfileOf(found)
})

const replicasAt = (template: JsonObject, path: string): number | undefined => {
  if (path === "") return undefined
  const found = valueAt(template, `/${path.split(".").join("/")}`)
  return typeof found === "number" ? found : undefined
}

const podSpecIn = (template: JsonObject): JsonObject | undefined =>
  fieldsIn(valueAt(template, "/spec/template/spec")) ??
  fieldsIn(valueAt(template, "/spec/jobTemplate/spec/template/spec"))

/** Explains. */
export const explainPlacement = Effect.fn("federation.explain")(function* (client: Client, request: ExplainRequest) {
  const [word = "", name = ""] = request.object.split("/")
  if (name === "") return yield* notExplained(`${request.object}: name a type and an object, like deploy/web`)
  const type = yield* typeNamed(client, word)
  const object = yield* federatedNamed(client, type, request.namespace, name)
  if (request.stored) {
    const found = storedExplanationOf(object)
    return found ?? (yield* notExplained(`${request.object}: no attempt has left an explanation`))
  }
  const { template } = federatedSpecOf(object)
  const policy = yield* policyFor(client, object, template)
  const profile = yield* profileFor(client, policy)
  const clusters = yield* listed(client, federationResources.clusters)
  const outcome = schedule({
    unit: schedulingUnitOf({
      template,
      resource: type.type,
      annotations: object.metadata.annotations ?? {},
      replicas: replicasAt(template, type.paths.replicasSpec),
      podSpec: podSpecIn(template)
    }),
    fleet: Fleet.of(clusters.map(memberClusterOf)),
    policy,
    profile,
    previous: storedPlacementOf(object, type.paths.replicasSpec),
    nowMs: request.nowMs
  })
  const explanation: Explanation = outcome.explain()
  return explanation
})

// What a federated object comes to in one member: the template with all overrides for it, marked as ours.
// Owns the order of overrides and the digest by which it is told whether a member is up to date; refuses to send it. Who it is named
// and where it is may not be overridden.
import { fieldsOf, mapOf, textOf } from "#apiserver"
import { ApiFailure, applyJsonPatch, type Json, type JsonObject, type KubeObject } from "#kube"
import { federatedSpecOf, type OverridePatch } from "../api/FederatedObject.ts"
import { controlAnnotations, federationAnnotations, federationLabels } from "../api/FederationNames.ts"
import type { TypeConfig } from "../api/TypeConfig.ts"
import { replicasPath } from "../federate/Composition.ts"
import { pointer } from "../federate/PlacementRecord.ts"
import { jsonAt } from "../federate/Template.ts"
import type { TypeRules } from "../federate/TypeRules.ts"
import { textDigest } from "../planner/StableHash.ts"

/** An object as a member should have it, or why it cannot be made. */
export type Desired = { readonly object: KubeObject; readonly hash: string } | { readonly problem: string }

const FORBIDDEN: ReadonlySet<string> = new Set([
  "/metadata/namespace",
  "/metadata/name",
  "/metadata/generateName",
  "/kind",
  "/apiVersion"
])

/** All changes for a cluster, in the order in which the type names its controllers; those of others come last. */
const patchesFor = (
  federated: KubeObject,
  { controllers }: TypeConfig,
  cluster: string
): ReadonlyArray<OverridePatch> => {
  const overrides = federatedSpecOf(federated).overrides ?? []
  if (overrides.length === 0) return []
  const order = controllers.flat()
  const rank = (name: string): number => {
    const at = order.indexOf(name)
    return at < 0 ? order.length : at
  }
  const sorted =
    overrides.length === 1 ? overrides : [...overrides].sort((a, b) => rank(a.controller) - rank(b.controller))
  return sorted.flatMap(({ clusters }) => clusters.find((one) => one.cluster === cluster)?.patches ?? [])
}

/** Templates are shared by all members, and so are their digests. */
const digests = new WeakMap<object, string>()

const digestOf = (template: JsonObject): string => {
  const known = digests.get(template)
  if (known !== undefined) return known
  const fresh = textDigest(JSON.stringify(template))
  digests.set(template, fresh)
  return fresh
}

const marked = (object: JsonObject, federated: KubeObject, generation: Json | undefined): KubeObject => {
  const metadata = fieldsOf(object["metadata"])
  const { generation: _source, ...rest } = metadata
  const { namespace } = federated.metadata
  const made: JsonObject = {
    ...object,
    metadata: {
      ...rest,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...mapOf(metadata["labels"]), [federationLabels.managed]: "true" },
      annotations: {
        ...mapOf(metadata["annotations"]),
        [federationAnnotations.sourceGeneration]: String(typeof generation === "number" ? generation : 0)
      }
    }
  }
  // SAFETY: a template is an object of its kind.
  return made as unknown as KubeObject
}

/** What a cluster should have. */
export const desiredFor = (federated: KubeObject, type: TypeConfig, cluster: string): Desired => {
  const { template } = federatedSpecOf(federated)
  const patches = patchesFor(federated, type, cluster)
  const forbidden = patches.find(({ path }) => FORBIDDEN.has(path) || path.startsWith("/metadata/finalizers"))
  if (forbidden !== undefined) return { problem: `${forbidden.path} must not be overridden` }
  let object: Json | ApiFailure = template
  if (patches.length > 0) {
    const operations = patches.map((patch) => Object.assign({ op: "replace" }, patch))
    object = applyJsonPatch(template, operations as unknown as Json)
    if (object instanceof ApiFailure) return { problem: object.message }
  }
  const generation = fieldsOf(template["metadata"])["generation"]
  return {
    object: marked(fieldsOf(object), federated, generation),
    hash: textDigest(`${digestOf(template)}${patches.length === 0 ? "" : JSON.stringify(patches)}`)
  }
}

/** Whether the member keeps its own number of replicas. */
const keepsReplicas = ({ metadata }: KubeObject): boolean =>
  metadata.annotations?.[controlAnnotations.retainReplicas] === "true"

/** The desired object with what the member owns in its own. */
export const retained = (
  desired: KubeObject,
  member: KubeObject,
  federated: KubeObject,
  { rules, type }: { readonly rules: TypeRules; readonly type: TypeConfig }
): KubeObject => {
  const kept = rules.retain(desired, member)
  const path = replicasPath(type, rules)
  if (path === undefined || !keepsReplicas(federated)) return kept
  const replicas = jsonAt(member as unknown as Json, path)
  if (replicas === undefined) return kept
  const patched = applyJsonPatch(kept as unknown as Json, [{ op: "add", path: pointer(path), value: replicas }])
  return patched instanceof ApiFailure ? kept : (patched as unknown as KubeObject)
}

/** Which state of a member's object a record speaks of: its generation where its kind has one. */
export const versionOf = ({ metadata: { generation, resourceVersion = "" } }: KubeObject): string =>
  generation === undefined || generation === 0 ? `rv:${resourceVersion}` : `gen:${generation}`

/** Whether labels and annotations that are ours stand as we want them: changing them raises no generation. */
export const hasMarks = (desired: KubeObject, member: KubeObject): boolean => {
  for (const field of ["labels", "annotations"] as const) {
    const [wanted, there] = [mapOf(desired.metadata[field]), mapOf(member.metadata[field])]
    for (const key in wanted) if (there[key] !== wanted[key]) return false
  }
  return textOf(member.metadata.deletionTimestamp) === ""
}

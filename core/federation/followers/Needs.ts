// What a federated object needs in which cluster: of its template, of the template as overrides change it, of its own annotation.
// Owns reading one federated object as a node of the graph; refuses to place anything.
import { textOf } from "#apiserver"
import { applyJsonPatch, type Json, type JsonObject, type KubeObject, parseApiVersion } from "#kube"
import {
  federatedSpecOf,
  type FederatedObjectSpec,
  type OverridePatch,
  placedClusters
} from "../api/FederatedObject.ts"
import { federationAnnotations, federationControllers } from "../api/FederationNames.ts"
import { referenceKey } from "../semantics/PodReferences.ts"
import type { SemanticsTable } from "../semantics/SemanticsTable.ts"
import type { Reference } from "../semantics/TypeSemantics.ts"
import type { FollowNode, Need, ObjectName } from "./FollowGraph.ts"

/** Followers that one annotation may name. */
const FOLLOWERS_MAX = 1000

/** The template as an object in its federated object's namespace. */
export const templateOf = (federated: KubeObject): KubeObject => {
  const { template } = federatedSpecOf(federated)
  const metadata = (template["metadata"] ?? {}) as JsonObject
  const { namespace } = federated.metadata
  return {
    ...template,
    apiVersion: textOf(template["apiVersion"]),
    kind: textOf(template["kind"]),
    metadata: { ...metadata, ...(namespace === undefined ? {} : { namespace }) }
  }
}

/** The name of the source that a federated object stands for. */
export const sourceNameOf = (federated: KubeObject): ObjectName => {
  const { apiVersion, kind, metadata } = templateOf(federated)
  const { group } = parseApiVersion(apiVersion)
  return referenceKey({ group, kind, namespace: metadata.namespace ?? "", name: metadata.name ?? "" })
}

/** What stands in the annotation `followers`: objects of the same namespace. What is no such list names nobody. */
export const namedFollowers = (text: string | undefined, namespace: string): ReadonlyArray<Reference> => {
  if (text === undefined) return []
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch {
    return []
  }
  if (!Array.isArray(value)) return []
  return value.slice(0, FOLLOWERS_MAX).flatMap((item: Json) => {
    const part = (typeof item === "object" && item !== null ? item : {}) as JsonObject
    const [kind, name] = [textOf(part["kind"]), textOf(part["name"])]
    return kind === "" || name === "" ? [] : [{ group: textOf(part["group"]), kind, namespace, name }]
  })
}

const isOn = (value: string | undefined): boolean => value !== undefined && value !== "" && value !== "false"

/** Whether an object takes others with it; also while it is being deleted, because its pods may still read what it needed. */
export const leads = ({ metadata: { annotations = {} } }: KubeObject): boolean =>
  annotations[federationAnnotations.enableFollowerScheduling] !== "false" &&
  !isOn(annotations[federationAnnotations.noScheduling]) &&
  !isOn(annotations[federationAnnotations.dryRun])

/** Patches of all controllers by cluster, those alone that may change a reference. */
const patchesByCluster = ({ overrides }: FederatedObjectSpec): ReadonlyMap<string, ReadonlyArray<OverridePatch>> => {
  const found = new Map<string, Array<OverridePatch>>()
  for (const { clusters } of overrides ?? []) {
    for (const { cluster, patches = [] } of clusters) {
      const telling = patches.filter(({ path }) => path !== "/spec/replicas" && path !== "/spec/parallelism")
      if (telling.length > 0) found.set(cluster, [...(found.get(cluster) ?? []), ...telling])
    }
  }
  return found
}

/** What only some clusters need, because overrides name it there; patches that do not apply name nothing. */
const overriddenNeeds = (
  template: KubeObject,
  spec: FederatedObjectSpec,
  { base, semantics }: { readonly semantics: SemanticsTable; readonly base: ReadonlySet<ObjectName> }
): ReadonlyArray<Need> => {
  const clusters = new Map<ObjectName, Set<string>>()
  const same = new Map<string, ReadonlyArray<ObjectName>>()
  for (const [cluster, patches] of patchesByCluster(spec)) {
    const text = JSON.stringify(patches)
    const names = same.get(text) ?? namesIn(template, patches, semantics)
    same.set(text, names)
    for (const name of names) {
      if (base.has(name)) continue
      const found = clusters.get(name)
      if (found === undefined) clusters.set(name, new Set([cluster]))
      else found.add(cluster)
    }
  }
  return [...clusters].map(([object, where]) => ({ object, clusters: where }))
}

const namesIn = (
  template: KubeObject,
  patches: ReadonlyArray<OverridePatch>,
  semantics: SemanticsTable
): ReadonlyArray<ObjectName> => {
  const patched = patchedTemplate(template, patches)
  return patched === undefined ? [] : semantics.ofObject(patched).dependencies(patched).map(referenceKey)
}

/** The template with patches on it, which replace unless they say otherwise; undefined when they do not apply. */
const patchedTemplate = (template: KubeObject, patches: ReadonlyArray<OverridePatch>): KubeObject | undefined => {
  // SAFETY: a template and its patches are JSON.
  const operations = patches.map((patch) => ({ ...patch, op: patch.op ?? "replace" }))
  const patched = applyJsonPatch(template as unknown as Json, operations)
  return patched instanceof Error ? undefined : (patched as unknown as KubeObject)
}

/** A federated object as a node of the graph. */
export const followNodeOf = (federated: KubeObject, semantics: SemanticsTable): FollowNode => {
  const spec = federatedSpecOf(federated)
  const others = (spec.placements ?? []).filter(({ controller }) => controller !== federationControllers.follower)
  const own = placedClusters({ ...spec, placements: others })
  const followsNobody = isOn(federated.metadata.annotations?.[federationAnnotations.disableFollowing])
  if (!leads(federated)) return { own, needs: [], followsNobody }
  const template = templateOf(federated)
  const named = namedFollowers(
    federated.metadata.annotations?.[federationAnnotations.followers],
    federated.metadata.namespace ?? ""
  )
  const base = new Set([...semantics.ofObject(template).dependencies(template), ...named].map(referenceKey))
  base.delete(sourceNameOf(federated))
  const needs: ReadonlyArray<Need> = [...base].map((object) => ({ object }))
  return { own, needs: [...needs, ...overriddenNeeds(template, spec, { base, semantics })], followsNobody }
}

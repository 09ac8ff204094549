// A placement as a federated object keeps it: clusters under the scheduler's name, replicas as one patch for each, and which of them are
// being left.
// Owns both directions, which are each other's inverse; refuses to decide a placement.
import { fieldsOf, numberOf, textOf } from "#apiserver"
import type { Json, KubeObject } from "#kube"
import {
  type ControllerOverrides,
  type ControllerPlacement,
  federatedSpecOf,
  type FederatedObjectSpec,
  placementBy
} from "../api/FederatedObject.ts"
import { federationAnnotations, federationControllers } from "../api/FederationNames.ts"
import type { Leaving, Placement } from "../scheduling/Outcome.ts"
import { annotationJson } from "../scheduling/SchedulingUnit.ts"

const { scheduler } = federationControllers

/** The JSON pointer of a path. */
export const pointer = (path: ReadonlyArray<string>): string =>
  path.map((field) => `/${field.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("")

/** The overrides of one controller in the place of those it had; none at all without clusters. */
export const withOverrides = (
  spec: FederatedObjectSpec,
  controller: string,
  clusters: ControllerOverrides["clusters"]
): FederatedObjectSpec => {
  const others = (spec.overrides ?? []).filter((one) => one.controller !== controller)
  const overrides = clusters.length === 0 ? others : [...others, { controller, clusters }]
  const { overrides: _before, ...rest } = spec
  return overrides.length === 0 ? rest : { ...rest, overrides }
}

/** The clusters of one controller in the place of those it had. */
export const placedBy = (
  spec: FederatedObjectSpec,
  controller: string,
  clusters: ReadonlyArray<string>
): FederatedObjectSpec => {
  const others = (spec.placements ?? []).filter((one) => one.controller !== controller)
  const own: ReadonlyArray<ControllerPlacement> =
    clusters.length === 0 ? [] : [{ controller, placement: clusters.map((cluster) => ({ cluster })) }]
  const placements = [...others, ...own]
  const { placements: _before, ...rest } = spec
  return placements.length === 0 ? rest : { ...rest, placements }
}

const leavingIn = (object: KubeObject): ReadonlyMap<string, Leaving> => {
  const found = annotationJson(object.metadata.annotations ?? {}, federationAnnotations.leavingClusters)
  const fields = fieldsOf(found)
  return new Map(
    Object.keys(fields).map((cluster): readonly [string, Leaving] => {
      const { reason, sinceMs, untilMs } = fieldsOf(fields[cluster])
      return [cluster, { reason: textOf(reason), sinceMs: numberOf(sinceMs), untilMs: numberOf(untilMs) }]
    })
  )
}

/** Where the scheduler put the object last. */
export const placementIn = (object: KubeObject): Placement => {
  const spec = federatedSpecOf(object)
  const replicas = new Map(
    spec.overrides
      ?.find(({ controller }) => controller === scheduler)
      ?.clusters.map(({ cluster, patches }) => [cluster, patches?.[0]?.value] as const)
  )
  const count = (cluster: string): number | undefined => {
    const value: Json | undefined = replicas.get(cluster)
    return typeof value === "number" ? value : undefined
  }
  return {
    clusters: new Map(placementBy(spec, scheduler).map((cluster) => [cluster, count(cluster)])),
    leaving: leavingIn(object)
  }
}

/** The spec with a placement of the scheduler's. */
export const withSchedulerPlacement = (
  spec: FederatedObjectSpec,
  placement: Placement,
  replicasPath: ReadonlyArray<string> | undefined
): FederatedObjectSpec => {
  const clusters = [...placement.clusters]
  const path = replicasPath === undefined ? undefined : pointer(replicasPath)
  const patches = clusters.flatMap(([cluster, replicas]) =>
    replicas === undefined || path === undefined
      ? []
      : [{ cluster, patches: [{ op: "replace" as const, path, value: replicas }] }]
  )
  return withOverrides(
    placedBy(
      spec,
      scheduler,
      clusters.map(([cluster]) => cluster)
    ),
    scheduler,
    patches
  )
}

/** The annotation that says which clusters are being left; undefined: none is. */
export const leavingText = ({ leaving }: Placement): string | undefined =>
  leaving.size === 0 ? undefined : JSON.stringify(Object.fromEntries(leaving))

/** KubeAdmiral's annotation on the source: where it went. */
export const schedulingText = (
  source: KubeObject,
  federatedGeneration: number,
  clusters: ReadonlyArray<string>,
  placement: Placement
): string =>
  JSON.stringify({
    sourceGeneration: source.metadata.generation ?? 0,
    fedGeneration: federatedGeneration,
    placement: Object.fromEntries(clusters.map((cluster) => [cluster, placement.clusters.get(cluster) ?? null]))
  })

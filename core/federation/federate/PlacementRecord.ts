// What one controller says in a federated object's spec, put in the place of what it said before; and what the source is told of it.
// Owns these replacements; refuses the form of a placement, which scheduling has.
import { fieldsOf } from "#apiserver"
import { type Json, type KubeObject, sameJson } from "#kube"
import type { ControllerOverrides, ControllerPlacement, FederatedObjectSpec } from "../api/FederatedObject.ts"
import { federationControllers } from "../api/FederationNames.ts"
import type { Placement } from "../scheduling/Outcome.ts"
import type { StoredPlacement } from "../scheduling/StoredPlacement.ts"

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

/** The spec with a placement of the scheduler's. */
export const withSchedulerPlacement = (
  spec: FederatedObjectSpec,
  { overrides, placement }: StoredPlacement
): FederatedObjectSpec =>
  withOverrides(
    placedBy(
      spec,
      scheduler,
      placement.placement.map(({ cluster }) => cluster)
    ),
    scheduler,
    overrides?.clusters ?? []
  )

/** Where a text of `schedulingText` says that the source went. */
const placementIn = (text: string): Json | undefined => {
  try {
    return fieldsOf(JSON.parse(text) as Json)["placement"]
  } catch {
    return undefined
  }
}

/**
 * Whether two such texts name the same placement. Their generations are those of when it was decided: on a real API server this very
 * annotation makes another generation of a Deployment, and to follow that would never end.
 */
export const samePlacementText = (a: string, b: string): boolean =>
  sameJson(placementIn(a) ?? null, placementIn(b) ?? null)

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

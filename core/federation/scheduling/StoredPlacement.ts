// A placement as it stands in a FederatedObject: clusters, one patch of replicas for each, and an annotation for those that are left.
// Owns both directions, so that what was written is read back the same; refuses to write objects.
import { isJsonObject, type Json, type KubeObject, parseRfc3339, rfc3339 } from "#kube"
import { fieldsOf, textOf } from "#apiserver"
import {
  type ControllerOverrides,
  type ControllerPlacement,
  federatedSpecOf,
  patchesBy,
  placementBy
} from "../api/FederatedObject.ts"
import { federationAnnotations, federationControllers } from "../api/FederationNames.ts"
import type { Explanation, Leaving, Placement } from "./Outcome.ts"
import { annotationJson } from "./SchedulingUnit.ts"

const CONTROLLER = federationControllers.scheduler

/** "spec.replicas" as a JSON pointer. */
const pointerOf = (path: string): string => `/${path.split(".").join("/")}`

const leavingIn = (annotations: Readonly<Record<string, string>>): ReadonlyMap<string, Leaving> => {
  const found = new Map<string, Leaving>()
  const stored = fieldsOf(annotationJson(annotations, federationAnnotations.leavingClusters))
  for (const cluster of Object.keys(stored)) {
    const fields = fieldsOf(stored[cluster])
    const sinceMs = parseRfc3339(textOf(fields["since"]))
    const untilMs = parseRfc3339(textOf(fields["until"]))
    // What cannot be read has waited long enough.
    found.set(cluster, { reason: textOf(fields["reason"]), sinceMs: sinceMs ?? 0, untilMs: untilMs ?? 0 })
  }
  return found
}

/** The placement that a FederatedObject has from the scheduler; `replicasPath` like "spec.replicas", empty for types without. */
export const storedPlacementOf = (object: KubeObject, replicasPath: string): Placement => {
  const spec = federatedSpecOf(object)
  const pointer = pointerOf(replicasPath)
  const names = placementBy(spec, CONTROLLER).toSorted()
  const leaving = leavingIn(object.metadata.annotations ?? {})
  return {
    clusters: new Map(
      names.map((cluster) => {
        const replicas = patchesBy(spec, CONTROLLER, cluster).find(({ path }) => path === pointer)?.value
        return [cluster, replicasPath !== "" && typeof replicas === "number" ? replicas : undefined]
      })
    ),
    leaving: new Map(Array.from(leaving).filter(([cluster]) => names.includes(cluster)))
  }
}

/** What is written of a placement. */
export interface StoredPlacement {
  readonly placement: ControllerPlacement
  /** undefined: nothing differs between clusters. */
  readonly overrides: ControllerOverrides | undefined
  /** The annotation's value; undefined: no cluster is being left. */
  readonly leaving: string | undefined
}

const leavingText = (leaving: Placement["leaving"]): string | undefined => {
  if (leaving.size === 0) return undefined
  // Whole seconds are all that is written: times are rounded up, so that nothing ends early.
  const text = (ms: number): string => rfc3339(Math.ceil(ms / 1000) * 1000)
  const stored: Record<string, Json> = {}
  for (const [cluster, { reason, sinceMs, untilMs }] of leaving) {
    stored[cluster] = { reason, since: text(sinceMs), until: text(untilMs) }
  }
  return JSON.stringify(stored)
}

/** A placement as it is written. */
export const storedPlacement = ({ clusters, leaving }: Placement, replicasPath: string): StoredPlacement => {
  const patches = Array.from(clusters).flatMap(([cluster, value]) =>
    value === undefined || replicasPath === ""
      ? []
      : [{ cluster, patches: [{ op: "replace" as const, path: pointerOf(replicasPath), value }] }]
  )
  return {
    placement: { controller: CONTROLLER, placement: Array.from(clusters.keys(), (cluster) => ({ cluster })) },
    overrides: patches.length === 0 ? undefined : { controller: CONTROLLER, clusters: patches },
    leaving: leavingText(leaving)
  }
}

/** Clusters of each kind that a stored explanation names. */
const STORED_MAX = 20

/** An explanation as an annotation's value: as long for a thousand clusters as for forty. */
export const explanationText = (explanation: Explanation): string =>
  JSON.stringify({
    ...explanation,
    ruledOut: explanation.ruledOut.slice(0, STORED_MAX),
    chosen: explanation.chosen.slice(0, STORED_MAX),
    rejected: explanation.rejected.slice(0, STORED_MAX),
    notes: explanation.notes.slice(0, STORED_MAX)
  })

/** The explanation that a FederatedObject was left with; undefined: none that can be read. */
export const storedExplanationOf = (object: KubeObject): Explanation | undefined => {
  const found = annotationJson(object.metadata.annotations ?? {}, federationAnnotations.schedulingExplanation)
  if (!isJsonObject(found)) return undefined
  const fields = fieldsOf(found)
  const whole = ["ruledOut", "chosen", "rejected", "notes"].every((name) => Array.isArray(fields[name]))
  // SAFETY: our own annotation, with all the lists that are walked.
  return whole ? (found as unknown as Explanation) : undefined
}

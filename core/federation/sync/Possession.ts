// Whose an object in a member is: ours, to be adopted, or nobody's business of ours; and what stays of it when we let it go.
// Owns KubeAdmiral's annotations for both; refuses to write. Without an explicit word nothing is adopted and nothing is orphaned.
import { fieldsOf, textOf, textsOf } from "#apiserver"
import type { KubeObject } from "#kube"
import { controlAnnotations, federationAnnotations, federationLabels } from "../api/FederationNames.ts"
import { annotationJson } from "../scheduling/SchedulingUnit.ts"

/** Of an object that is there though we have not made it. */
export type Possession = "managed" | "unmanaged" | "refused"

/** By its label: ours, nobody's, or told to be left alone. */
export const possessionOf = ({ metadata }: KubeObject): Possession => {
  const label = metadata.labels?.[federationLabels.managed]
  return label === "true" ? "managed" : label === undefined ? "unmanaged" : "refused"
}

const matches = (pattern: string, cluster: string): boolean => {
  try {
    return new RegExp(`^(?:${pattern})$`).test(cluster)
  } catch {
    return false
  }
}

/** Whether objects of others may be taken over in a cluster. */
export const mayAdopt = ({ metadata: { annotations = {} } }: KubeObject, cluster: string): boolean => {
  const own = annotations[federationAnnotations.internalConflictResolution] !== undefined
  const resolution =
    annotations[own ? federationAnnotations.internalConflictResolution : controlAnnotations.conflictResolution]
  if (resolution !== "adopt") return false
  const where = annotationJson(
    annotations,
    own ? federationAnnotations.internalClustersToAdopt : controlAnnotations.clustersToAdopt
  )
  const fields = fieldsOf(where)
  if (textsOf(fields["clusters"]).includes(cluster)) return true
  const pattern = textOf(fields["regexp"])
  return pattern !== "" && matches(pattern, cluster)
}

/** Whether a member's object stays when its federated object goes. */
export const isOrphaned = ({ metadata: { annotations = {} } }: KubeObject, member: KubeObject): boolean => {
  const mode = annotations[federationAnnotations.internalOrphan] ?? annotations[controlAnnotations.orphan]
  if (mode === "all") return true
  return mode === "adopted" && member.metadata.annotations?.[federationAnnotations.adopted] === "true"
}

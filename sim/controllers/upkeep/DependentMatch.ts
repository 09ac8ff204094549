// Which dependents mean an owner as it is, and what else those may mean that do not.
// Owns these two questions of references that disagree; refuses to act on the answers.
import { type GraphNode, type Identity, identityOfOwner, matchesOwner, sameIdentity } from "./GraphNode.ts"

/** Dependents that refer to exactly this owner, and those that refer to its uid otherwise; one may be both. */
export const partitionDependents = (
  dependents: Iterable<GraphNode>,
  owner: Identity
): { readonly matching: ReadonlyArray<GraphNode>; readonly nonmatching: ReadonlyArray<GraphNode> } => {
  const matching: Array<GraphNode> = []
  const nonmatching: Array<GraphNode> = []
  for (const dependent of dependents) {
    const isElsewhere = owner.namespace !== "" && owner.namespace !== dependent.namespace
    const references = dependent.owners.filter(({ uid }) => uid === owner.uid)
    if (!isElsewhere && references.some((one) => matchesOwner(one, owner))) matching.push(dependent)
    if (isElsewhere || references.some((one) => !matchesOwner(one, owner))) nonmatching.push(dependent)
  }
  return { matching, nonmatching }
}

/** By kind, version, namespace and name. */
const order = (a: Identity, b: Identity): number => {
  for (const field of ["kind", "apiVersion", "namespace", "name", "uid"] as const) {
    if (a[field] !== b[field]) return a[field] < b[field] ? -1 : 1
  }
  return 0
}

/**
 * Another identity that dependents give to the owner of a uid which does not exist as it was believed: the first after it in order,
 * else the first of all, so that in time every one is tried.
 */
export const alternateIdentity = (dependents: ReadonlyArray<GraphNode>, absent: Identity): Identity | undefined => {
  let first: Identity | undefined
  let following: Identity | undefined
  for (const dependent of dependents) {
    for (const reference of dependent.owners) {
      if (reference.uid !== absent.uid) continue
      const isClusterKind =
        absent.namespace === "" && reference.kind === absent.kind && reference.apiVersion === absent.apiVersion
      const found = identityOfOwner(reference, isClusterKind ? "" : dependent.namespace)
      if (sameIdentity(found, absent)) continue
      if (matchesOwner(reference, absent) && absent.namespace === "") continue
      if (first === undefined || order(found, first) < 0) first = found
      if (order(absent, found) < 0 && (following === undefined || order(found, following) < 0)) following = found
    }
  }
  return following ?? first
}

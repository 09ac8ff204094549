// What a namespace that is being deleted says about itself: what was found, what remains, what waits for finalizers.
// Owns the five conditions in upstream's words and when one of them changes; refuses to delete anything.
import { type GroupVersionResource, type JsonObject, type KubeObject, rfc3339 } from "#kube"
import { fieldsOf, itemsOf, textOf } from "#apiserver"

/** What one pass over a namespace found. */
export interface NamespaceFindings {
  /** Failures of deletions, in words. */
  readonly failures: ReadonlyArray<string>
  /** Objects that are left, by resource; undefined when the pass ended before it knew. */
  readonly remaining: ReadonlyMap<GroupVersionResource, number> | undefined
  /** Objects that wait for a finalizer, by its name. */
  readonly finalizers: ReadonlyMap<string, number>
}

interface Said {
  readonly status: "True" | "False"
  readonly reason: string
  readonly message: string
}

const fine: Readonly<Record<string, Said>> = {
  NamespaceDeletionDiscoveryFailure: {
    status: "False",
    reason: "ResourcesDiscovered",
    message: "All resources successfully discovered"
  },
  NamespaceDeletionGroupVersionParsingFailure: {
    status: "False",
    reason: "ParsedGroupVersions",
    message: "All legacy kube types successfully parsed"
  },
  NamespaceDeletionContentFailure: {
    status: "False",
    reason: "ContentDeleted",
    message: "All content successfully deleted, may be waiting on finalization"
  },
  NamespaceContentRemaining: {
    status: "False",
    reason: "ContentRemoved",
    message: "All content successfully removed"
  },
  NamespaceFinalizersRemaining: {
    status: "False",
    reason: "ContentHasNoFinalizers",
    message: "All content-preserving finalizers finished"
  }
}

const listed = (lines: Iterable<string>): string => [...lines].sort().join(", ")

/** What each condition is to say; those that are not here are fine. */
const saidOf = ({ failures, finalizers, remaining }: NamespaceFindings): Readonly<Record<string, Said>> => {
  const said: Record<string, Said> = { ...fine }
  const say = (type: string, reason: string, message: string): void => {
    said[type] = { status: "True", reason, message }
  }
  if (failures.length > 0) {
    const message = `Failed to delete all resource types, ${failures.length} remaining: ${listed(failures)}`
    say("NamespaceDeletionContentFailure", "ContentDeletionFailed", message)
  }
  if (remaining !== undefined && remaining.size > 0) {
    const lines = Array.from(
      remaining,
      ([{ group, resource }, count]) => `${resource}.${group} has ${count} resource instances`
    )
    say("NamespaceContentRemaining", "SomeResourcesRemain", `Some resources are remaining: ${listed(lines)}`)
  }
  if (finalizers.size > 0) {
    const lines = Array.from(finalizers, ([name, count]) => `${name} in ${count} resource instances`)
    const message = `Some content in the namespace has finalizers remaining: ${listed(lines)}`
    say("NamespaceFinalizersRemaining", "SomeFinalizersRemain", message)
  }
  return said
}

/** The namespace with its conditions as they must be now; undefined when they are so already. */
export const withConditions = (
  namespace: KubeObject,
  findings: NamespaceFindings,
  nowMs: number
): KubeObject | undefined => {
  const status = fieldsOf(namespace.status)
  const conditions: Array<JsonObject> = [...itemsOf(status["conditions"])]
  let changed = false
  for (const [type, said] of Object.entries(saidOf(findings))) {
    const at = conditions.findIndex((one) => one["type"] === type)
    const old = conditions[at]
    const isSame =
      old !== undefined &&
      old["status"] === said.status &&
      old["reason"] === said.reason &&
      old["message"] === said.message
    if (isSame) continue
    changed = true
    const since = old !== undefined && old["status"] === said.status ? textOf(old["lastTransitionTime"]) : ""
    const fresh = { type, ...said, lastTransitionTime: since === "" ? rfc3339(nowMs) : since }
    if (old === undefined) conditions.push(fresh)
    else conditions[at] = fresh
  }
  return changed ? { ...namespace, status: { ...status, conditions } } : undefined
}

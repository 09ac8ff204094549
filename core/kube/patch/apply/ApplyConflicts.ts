// Conflicts of server-side apply: which managers own what an applier would change, and how the failure says so.
// Owns messages and causes; refuses to find conflicts, which ApplyPatch.ts does.
import { type ApiFailure, Failures } from "../../Status.ts"
import { eachPath, type FieldSet, hasPath } from "./FieldSet.ts"
import { identityOf, type Manager } from "./ManagedFields.ts"
import { elementOrder, pathText } from "./PathElements.ts"

/** A path that another manager owns with another value. */
export interface FieldConflict {
  readonly manager: Manager
  readonly path: ReadonlyArray<string>
}

/** One conflict for each path that a manager owns, by managers in the order of their identities. */
export const conflictsOf = (taken: ReadonlyArray<readonly [Manager, FieldSet]>): ReadonlyArray<FieldConflict> => {
  const sorted = taken.toSorted(([a], [b]) => (identityOf(a) < identityOf(b) ? -1 : 1))
  return sorted.flatMap(([manager, set]) => {
    const paths: Array<FieldConflict> = []
    eachPath(set, elementOrder, (path) => paths.push({ manager, path }))
    return paths
  })
}

/** The conflicts outside a set of paths. */
export const conflictsOutside = (
  conflicts: ReadonlyArray<FieldConflict>,
  allowed: FieldSet
): ReadonlyArray<FieldConflict> => conflicts.filter(({ path }) => !hasPath(allowed, path))

const shown = ({ apiVersion, manager, operation, subresource }: Manager): string => {
  const sub = subresource === "" ? "" : ` with subresource ${JSON.stringify(subresource)}`
  return `${JSON.stringify(manager)}${sub}${operation === "Update" ? ` using ${apiVersion}` : ""}`
}

const message = (conflicts: ReadonlyArray<FieldConflict>): string => {
  const [only] = conflicts
  if (conflicts.length === 1) {
    return `Apply failed with 1 conflict: conflict with ${shown(only.manager)}: ${pathText(only.path)}`
  }
  const lines: Array<string> = []
  let last: Manager | undefined
  for (const { manager, path } of conflicts) {
    if (manager !== last) lines.push(`conflicts with ${shown(manager)}:`)
    last = manager
    lines.push(`- ${pathText(path)}`)
  }
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join("\n")}`
}

/** The 409 that an apply without force gets. */
export const conflictFailure = (conflicts: ReadonlyArray<FieldConflict>): ApiFailure =>
  Failures.applyConflict(
    message(conflicts),
    conflicts.map(({ manager, path }) => ({
      reason: "FieldManagerConflict",
      message: `conflict with ${shown(manager)}`,
      field: pathText(path)
    }))
  )

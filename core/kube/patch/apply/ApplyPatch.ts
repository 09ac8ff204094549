// Server-side apply: an applied configuration merged into the live object, by who owns what.
// Owns the order of steps and their failures; refuses defaults, name checks and admission, which follow it.
import { isJsonObject, type Json, type JsonObject, sameJson } from "../../Json.ts"
import type { KubeObject } from "../../KubeObject.ts"
import { apiVersionOf, parseApiVersion } from "../../Resource.ts"
import { prune } from "../../schema/Prune.ts"
import { type ApiFailure, Failures } from "../../Status.ts"
import { rfc3339 } from "../../Timestamp.ts"
import { patchFailed } from "../PatchFailures.ts"
import { conflictFailure, conflictsOf, conflictsOutside, type FieldConflict } from "./ApplyConflicts.ts"
import { emptyObject, isBuiltIn } from "./EmptyObject.ts"
import {
  difference,
  EMPTY_SET,
  type FieldSet,
  intersection,
  isEmptySet,
  recursiveDifference,
  union
} from "./FieldSet.ts"
import { KUBECTL, lastAppliedPaths, withLastApplied } from "./LastApplied.ts"
import { decodeManagers, dropEmpty, encodeManagers, identityOf, type Manager, type Managers } from "./ManagedFields.ts"
import { mergeObjects } from "./MergeObjects.ts"
import { keptPaths, ownedPaths } from "./OwnedPaths.ts"
import { pruneDropped } from "./PruneApplied.ts"
import { comparisonIn, type FieldContext, trackUpdate } from "./UpdateManagers.ts"
import { appliedProblem } from "./ValidateApplied.ts"

export interface ApplyRequest extends FieldContext {
  readonly kind: string
  /** Absent when the object is made by this apply. */
  readonly live: KubeObject | undefined
  /** The body of the request. */
  readonly applied: Json
  /** Takes over what other managers own. */
  readonly force: boolean
}

/** Who owned fields before the first apply of an object that nobody tracked. */
const BEFORE_FIRST_APPLY = "before-first-apply"

// SAFETY: objects are JSON values; KubeObject leaves the types of their other fields open.
const asJson = (object: KubeObject): JsonObject => object as unknown as JsonObject

const objectText = (applied: JsonObject): string => {
  const metadata = isJsonObject(applied["metadata"]) ? applied["metadata"] : {}
  const apiVersion = typeof applied["apiVersion"] === "string" ? applied["apiVersion"] : ""
  const kind = typeof applied["kind"] === "string" ? applied["kind"] : ""
  const text = (name: "name" | "namespace"): string => (typeof metadata[name] === "string" ? metadata[name] : "")
  return `${text("namespace")}/${text("name")}; ${apiVersion}, Kind=${kind}`
}

/** Why a body cannot be applied at all. */
const refused = (request: ApplyRequest, applied: Json): ApiFailure | undefined => {
  if (!isJsonObject(applied)) {
    const kind = Array.isArray(applied) ? "array" : typeof applied
    return Failures.badRequest(
      `error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`
    )
  }
  const { apiVersion, kind } = applied
  if (apiVersion !== request.apiVersion || kind !== request.kind) {
    const version = parseApiVersion(typeof apiVersion === "string" ? apiVersion : "")
    const shown = `${apiVersionOf(version)}, Kind=${typeof kind === "string" ? kind : ""}`
    return Failures.badRequest(`invalid object type: ${version.version === "" ? `/${shown}` : shown}`)
  }
  const metadata = applied["metadata"]
  if (isJsonObject(metadata) && metadata["managedFields"] !== undefined && metadata["managedFields"] !== null) {
    return Failures.badRequest("metadata.managedFields must be nil")
  }
  const problem = appliedProblem(request.schema, applied)
  return problem === undefined
    ? undefined
    : patchFailed(`failed to create typed patch object (${objectText(applied)}): ${problem}`)
}

const managersBefore = (request: ApplyRequest): Managers | ApiFailure => {
  const { live } = request
  const managers = decodeManagers(live?.metadata.managedFields)
  if (managers === undefined) return patchFailed("failed to decode managed fields")
  if (managers.size === 0 && live !== undefined) {
    const context = { ...request, manager: BEFORE_FIRST_APPLY }
    trackUpdate(context, managers, comparisonIn(context, undefined, live))
  }
  return managers
}

const schemaIn = (request: ApplyRequest, apiVersion: string) =>
  apiVersion === request.apiVersion ? undefined : request.versions?.(apiVersion)

/** What all managers own together. */
const ownedByAll = (managers: Managers): FieldSet => {
  let all: FieldSet = EMPTY_SET
  for (const { set } of managers.values()) all = union(all, set)
  return all
}

interface Merged {
  readonly object: JsonObject
  readonly managers: Managers
  readonly conflicts: ReadonlyArray<FieldConflict>
}

const merge = (request: ApplyRequest, applied: JsonObject, before: Managers): Merged => {
  const { apiVersion, live, reset, schema, subresource } = request
  const managers: Managers = new Map(before)
  const base = live === undefined ? emptyObject(schema) : withoutManagers(asJson(live))
  const merged = mergeObjects(schema, base, applied)
  const set = ownedPaths(schema, applied)
  const own: Manager = {
    manager: request.manager,
    operation: "Apply",
    apiVersion,
    subresource,
    time: undefined,
    set: reset === undefined ? set : recursiveDifference(set, reset)
  }
  const identity = identityOf(own)
  const last = managers.get(identity)
  managers.set(identity, { ...own, time: last?.time })
  const lastSchema = last === undefined ? undefined : (schemaIn(request, last.apiVersion)?.schema ?? schema)
  const pruned =
    last === undefined || isEmptySet(last.set) || lastSchema !== schema
      ? merged
      : pruneDropped(schema, merged, last.set, ownedByAll(managers))
  // SAFETY: a merged object has the fields of its two halves.
  const compared = comparisonIn(request, live, pruned as unknown as KubeObject)
  const taken: Array<readonly [Manager, FieldSet]> = []
  for (const [other, manager] of managers) {
    if (other === identity) continue
    const comparison = compared(manager.apiVersion)
    if (comparison === undefined) {
      managers.delete(other)
      continue
    }
    const lost = intersection(manager.set, union(comparison.modified, comparison.added))
    if (!isEmptySet(lost)) taken.push([manager, lost])
    const left = difference(difference(manager.set, lost), comparison.removed)
    if (left !== manager.set) managers.set(other, { ...manager, set: left })
  }
  const applier = managers.get(identity)
  if (applier !== undefined) managers.set(identity, { ...applier, set: keptPaths(applier.set) })
  dropEmpty(managers)
  return { object: pruned, managers, conflicts: conflictsOf(taken) }
}

const withoutManagers = (object: JsonObject): JsonObject => {
  const metadata = object["metadata"]
  if (!isJsonObject(metadata) || metadata["managedFields"] === undefined) return object
  const { managedFields: _, ...rest } = metadata
  return { ...object, metadata: rest }
}

/** The result with its managers: the applier's time is now unless nothing of the object changed. */
const finished = (request: ApplyRequest, applied: JsonObject, { managers, object }: Merged): KubeObject => {
  const { live, manager, schema } = request
  const unchanged = live !== undefined && sameJson(withoutManagers(asJson(live)), object)
  const identity = identityOf({ ...request, operation: "Apply" })
  const own = managers.get(identity)
  if (own !== undefined && !unchanged) managers.set(identity, { ...own, time: rfc3339(request.now) })
  const clean = prune(schema, object, { nulls: isBuiltIn(schema) ? "drop" : "keep" })
  // SAFETY: the body names its kind, and was checked to.
  const whole = { ...clean, apiVersion: request.apiVersion, kind: request.kind } as unknown as KubeObject
  const entries = encodeManagers(managers)
  const result = {
    ...whole,
    metadata: { ...whole.metadata, ...(entries === undefined ? {} : { managedFields: entries }) }
  }
  return manager === KUBECTL ? withLastApplied(result, applied) : result
}

/**
 * The object after an apply, before defaults. Fails with 400 for a body of another kind or with managers of its own, 409 for fields
 * that other managers own with other values (unless forced), 500 for a body that has not its kind's types, as a kube-apiserver does.
 */
export const applyPatch = (request: ApplyRequest): { readonly object: KubeObject } | ApiFailure => {
  const failure = refused(request, request.applied)
  if (failure !== undefined) return failure
  const applied = request.applied as JsonObject
  const before = managersBefore(request)
  if (!(before instanceof Map)) return before
  const merged = merge(request, applied, before)
  let { conflicts } = merged
  if (conflicts.length > 0 && !request.force) {
    // Only kubectl takes over, without force, what its client-side apply said.
    if (request.manager === KUBECTL && request.live !== undefined) {
      const allowed = lastAppliedPaths(request.schema, request.apiVersion, request.live)
      conflicts = conflictsOutside(conflicts, allowed)
    }
    if (conflicts.length > 0) return conflictFailure(conflicts)
  }
  return { object: finished(request, applied, merged) }
}

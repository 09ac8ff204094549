// Who owns which fields after a write that is no apply: the writer takes what it changed, all others lose that and what is gone.
// Owns this step, which runs on every write; refuses the write itself. A write that changes only what its manager owns already,
// as the renewal of a lease does, builds no set and reuses the old one.
import { isJsonObject, type JsonObject, sameJson } from "../../Json.ts"
import type { KubeObject, ManagedFieldsEntry } from "../../KubeObject.ts"
import type { Schema } from "../../Schema.ts"
import { rfc3339 } from "../../Timestamp.ts"
import { compareObjects, type Comparison } from "./Compare.ts"
import { emptyObject } from "./EmptyObject.ts"
import { keptPaths } from "./OwnedPaths.ts"
import {
  childOf,
  difference,
  EMPTY_SET,
  type FieldSet,
  includes,
  isEmptySet,
  isMember,
  overlaps,
  recursiveDifference,
  union
} from "./FieldSet.ts"
import {
  asksForReset,
  capManagers,
  decodeManagers,
  dropEmpty,
  encodeManagers,
  identityOf,
  type Manager,
  type Managers
} from "./ManagedFields.ts"

/** Another version of the same resource: its schema, and how objects look in it. */
export interface FieldVersion {
  readonly schema: Schema
  readonly convert: (object: KubeObject) => KubeObject
}

/** What every write says of itself. */
export interface FieldContext {
  readonly schema: Schema
  /** The version of the write, like "apps/v1". */
  readonly apiVersion: string
  /** As asked for, or from the client's name; empty counts as "unknown". */
  readonly manager: string
  /** Empty for the object itself. */
  readonly subresource: string
  /** Milliseconds since the epoch. */
  readonly now: number
  /** What this strategy resets: never owned by such writes. In fieldsV1 form, like `{"f:status":{}}`. */
  readonly reset?: FieldSet
  /** Other versions that managers may have written in; undefined for those that are no longer served. Absent: all are alike. */
  readonly versions?: (apiVersion: string) => FieldVersion | undefined
}

export interface ManagedWrite extends FieldContext {
  /** The object before; absent when it is created. */
  readonly live: KubeObject | undefined
  /** The object after, with defaults, before the strategy prepares it. */
  readonly next: KubeObject
}

export const filtered = ({ added, modified, removed }: Comparison, reset: FieldSet | undefined): Comparison => {
  const clean = (set: FieldSet): FieldSet => (reset === undefined ? set : recursiveDifference(set, reset))
  return {
    removed: clean(removed),
    modified: clean(modified),
    // Metadata itself is nobody's.
    added: isMember(childOf(added, "f:metadata")) ? keptPaths(clean(added)) : clean(added)
  }
}

// SAFETY: objects are JSON values; KubeObject leaves the types of their other fields open.
const asJson = (object: KubeObject): JsonObject => object as unknown as JsonObject

/** The difference between two objects in a manager's version; undefined when that version is no longer served. */
export const comparisonIn = (
  context: FieldContext,
  live: KubeObject | undefined,
  next: KubeObject
): ((apiVersion: string) => Comparison | undefined) => {
  const { apiVersion, reset, schema, versions } = context
  const own = filtered(
    compareObjects(schema, live === undefined ? emptyObject(schema) : asJson(live), asJson(next)),
    reset
  )
  const others = new Map<string, Comparison | undefined>([[apiVersion, own]])
  return (wanted) => {
    if (wanted === apiVersion || versions === undefined) return own
    if (others.has(wanted)) return others.get(wanted)
    const version = versions(wanted)
    const before = version === undefined || live === undefined ? undefined : asJson(version.convert(live))
    const made =
      version === undefined
        ? undefined
        : filtered(
            compareObjects(version.schema, before ?? emptyObject(version.schema), asJson(version.convert(next))),
            reset
          )
    others.set(wanted, made)
    return made
  }
}

/** What is left of a set after others changed or removed fields. */
const reduced = (set: FieldSet, { added, modified, removed }: Comparison): FieldSet => {
  let left = set
  for (const gone of [modified, added, removed]) {
    if (!isEmptySet(gone) && overlaps(left, gone)) left = difference(left, gone)
  }
  return left
}

const managersFor = ({ live, next, subresource }: ManagedWrite): Managers => {
  const before = live?.metadata.managedFields
  if (subresource !== "") return decodeManagers(before) ?? new Map()
  const asked = next.metadata.managedFields
  if (asksForReset(asked)) return new Map()
  const managers = asked === before ? undefined : decodeManagers(asked)
  return managers === undefined || managers.size === 0 ? (decodeManagers(before) ?? new Map()) : managers
}

const withEntries = (object: KubeObject, entries: ReadonlyArray<ManagedFieldsEntry> | undefined): KubeObject => {
  const { managedFields, ...metadata } = object.metadata
  if (entries === managedFields) return object
  return { ...object, metadata: entries === undefined ? metadata : { ...metadata, managedFields: entries } }
}

/** The writer's manager with what it owned before and now. */
const writer = (context: FieldContext, previous: Manager | undefined, changed: FieldSet, time: string): Manager => {
  const { apiVersion, subresource } = context
  const manager = context.manager === "" ? "unknown" : context.manager
  const set = previous === undefined ? changed : union(previous.set, changed)
  const entry = previous?.entry
  return { manager, operation: "Update", apiVersion, subresource, time, set, ...(entry === undefined ? {} : { entry }) }
}

/**
 * The entries when only the writer's own fields changed and nobody else's: its entry with a new time, or the very same entries within
 * a second. Undefined when more is to be done.
 */
const quickEntries = (
  context: FieldContext,
  entries: ReadonlyArray<ManagedFieldsEntry>,
  comparison: Comparison,
  time: string
): ReadonlyArray<ManagedFieldsEntry> | undefined => {
  const { added, modified, removed } = comparison
  if (!isEmptySet(removed)) return undefined
  let own = -1
  for (let at = 0; at < entries.length; at++) {
    const { apiVersion, fieldsV1 = EMPTY_SET, manager, operation, subresource = "" } = entries[at]
    if (apiVersion !== context.apiVersion) return undefined
    if (operation === "Update" && manager === context.manager && subresource === context.subresource) {
      if (!includes(fieldsV1, modified) || !includes(fieldsV1, added)) return undefined
      own = at
    } else if (overlaps(fieldsV1, modified) || overlaps(fieldsV1, added)) return undefined
  }
  if (own < 0) return undefined
  return entries[own].time === time ? entries : renewed(entries, own, time)
}

/** The entries with one's time renewed: it comes last but for those of the same time and a greater name. */
const renewed = (
  entries: ReadonlyArray<ManagedFieldsEntry>,
  own: number,
  time: string
): ReadonlyArray<ManagedFieldsEntry> => {
  const entry = { ...entries[own], time }
  if (entries.length === 1) return [entry]
  const rest = entries.toSpliced(own, 1)
  let at = rest.length
  while (at > 0 && rest[at - 1].time === time && (rest[at - 1].manager ?? "") > (entry.manager ?? "")) at--
  return rest.toSpliced(at, 0, entry)
}

const isSame = ({ added, modified, removed }: Comparison): boolean =>
  isEmptySet(modified) && isEmptySet(added) && isEmptySet(removed)

/** The object after a create, update or patch with its managers; `next` itself when they are the same. */
export const updateManagers = (write: ManagedWrite): KubeObject => {
  const { apiVersion, live, next } = write
  const entries = live?.metadata.managedFields
  const asked = next.metadata.managedFields
  const isPlain = write.subresource !== "" || asked === undefined || asked === entries
  const compared = comparisonIn(write, live, next)
  const own = compared(apiVersion)
  if (isPlain && entries !== undefined && entries.length > 0 && own !== undefined) {
    if (isSame(own)) return withEntries(next, entries)
    const quick = quickEntries(write, entries, own, rfc3339(write.now))
    if (quick !== undefined) return withEntries(next, quick)
  }
  const managers = managersFor(write)
  // An object that nobody tracks stays so until it is applied.
  if (managers.size === 0 && live !== undefined && live.metadata.uid !== undefined) return withEntries(next, undefined)
  trackUpdate(write, managers, compared)
  return withEntries(next, encodeManagers(managers))
}

/** Gives the writer what it changed and takes it from all others. */
export const trackUpdate = (
  context: FieldContext,
  managers: Managers,
  compared: (apiVersion: string) => Comparison | undefined
): void => {
  for (const [identity, manager] of managers) {
    const comparison = compared(manager.apiVersion)
    if (comparison === undefined) {
      managers.delete(identity)
      continue
    }
    const set = reduced(manager.set, comparison)
    if (set !== manager.set) managers.set(identity, { ...manager, set })
  }
  dropEmpty(managers)
  const own = compared(context.apiVersion)
  const changed = own === undefined ? EMPTY_SET : union(own.modified, own.added)
  if (!isEmptySet(changed)) {
    const time = rfc3339(context.now)
    const identity = identityOf({ ...writer(context, undefined, EMPTY_SET, time) })
    managers.set(identity, writer(context, managers.get(identity), changed, time))
  }
  capManagers(managers)
}

/** Whether two objects differ in nothing but the times of their managers: such a write is none. */
export const sameButForTimes = (live: KubeObject, next: KubeObject): boolean => {
  const before = live.metadata.managedFields ?? []
  const after = next.metadata.managedFields ?? []
  if (before.length !== after.length) return false
  const same = after.every((entry, at) => {
    const held = before[at]
    return (
      held === entry ||
      (held.manager === entry.manager &&
        held.operation === entry.operation &&
        held.apiVersion === entry.apiVersion &&
        held.subresource === entry.subresource &&
        includes(held.fieldsV1 ?? EMPTY_SET, entry.fieldsV1 ?? EMPTY_SET) &&
        includes(entry.fieldsV1 ?? EMPTY_SET, held.fieldsV1 ?? EMPTY_SET))
    )
  })
  if (!same) return false
  return sameWithoutManagers(asJson(live), asJson(next))
}

const sameWithoutManagers = (a: JsonObject, b: JsonObject): boolean => {
  const strip = (object: JsonObject): JsonObject => {
    const { managedFields: _, ...metadata } = isJsonObject(object["metadata"]) ? object["metadata"] : {}
    return { ...object, metadata }
  }
  return a === b || sameJson(strip(a), strip(b))
}

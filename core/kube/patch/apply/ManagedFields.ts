// The managers of an object's fields as they are worked with: by identity, each with its set and time.
// Owns identities, order and the cap on the number of updating managers; refuses to compute sets (UpdateManagers.ts, ApplyPatch.ts).
import type { ManagedFieldsEntry } from "../../KubeObject.ts"
import { parseRfc3339 } from "../../Timestamp.ts"
import { EMPTY_SET, type FieldSet, isEmptySet, union } from "./FieldSet.ts"

export interface Manager {
  readonly manager: string
  readonly operation: "Apply" | "Update"
  readonly apiVersion: string
  readonly subresource: string
  readonly time: string | undefined
  readonly set: FieldSet
  /** The entry that it was read from, reused while nothing of it changes. */
  readonly entry?: ManagedFieldsEntry
}

/** Managers by identity. */
export type Managers = Map<string, Manager>

/** How many managers with operation Update an object keeps apart; older ones are put together. */
export const UPDATE_MANAGERS_LIMIT = 10
const ANCIENT = "ancient-changes"

/** Who a manager is: appliers are the same in every version. The form is that of kube-apiserver, which sorts by it. */
export const identityOf = (who: Pick<Manager, "manager" | "operation" | "apiVersion" | "subresource">): string => {
  const version =
    who.operation === "Apply" || who.apiVersion === "" ? "" : `,"apiVersion":${JSON.stringify(who.apiVersion)}`
  const sub = who.subresource === "" ? "" : `,"subresource":${JSON.stringify(who.subresource)}`
  return `{"manager":${JSON.stringify(who.manager)},"operation":"${who.operation}"${version}${sub}}`
}

const managerOf = (entry: ManagedFieldsEntry): Manager | undefined => {
  const { apiVersion = "", fieldsType, manager = "", operation, subresource = "", time } = entry
  if ((operation !== "Apply" && operation !== "Update") || apiVersion === "" || fieldsType !== "FieldsV1")
    return undefined
  return { manager, operation, apiVersion, subresource, time, set: entry.fieldsV1 ?? EMPTY_SET, entry }
}

/** The managers of an object's entries; undefined when one of them is malformed. */
export const decodeManagers = (entries: ReadonlyArray<ManagedFieldsEntry> = []): Managers | undefined => {
  const managers: Managers = new Map()
  for (const entry of entries) {
    const manager = managerOf(entry)
    if (manager === undefined) return undefined
    managers.set(identityOf(manager), manager)
  }
  return managers
}

const entryOf = (manager: Manager): ManagedFieldsEntry => {
  const { apiVersion, entry, operation, set, subresource, time } = manager
  if (
    entry !== undefined &&
    entry.fieldsV1 === set &&
    entry.time === time &&
    entry.apiVersion === apiVersion &&
    entry.manager === manager.manager
  ) {
    return entry
  }
  return {
    manager: manager.manager,
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: "FieldsV1",
    fieldsV1: set,
    ...(subresource === "" ? {} : { subresource })
  }
}

const seconds = (time: string | undefined): number => (time === undefined ? 0 : (parseRfc3339(time) ?? 0))

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const order = (a: Manager, b: Manager): number =>
  compareText(a.operation, b.operation) ||
  (a.time === b.time ? 0 : seconds(a.time) - seconds(b.time)) ||
  compareText(a.manager, b.manager) ||
  compareText(a.apiVersion, b.apiVersion) ||
  compareText(a.subresource, b.subresource)

/** The entries as an object carries them; undefined when there is no manager. */
export const encodeManagers = (managers: Managers): ReadonlyArray<ManagedFieldsEntry> | undefined =>
  managers.size === 0 ? undefined : [...managers.values()].toSorted(order).map(entryOf)

/** Forgets managers that own nothing. */
export const dropEmpty = (managers: Managers): void => {
  for (const [identity, { set }] of managers) if (isEmptySet(set)) managers.delete(identity)
}

/** Puts the oldest updating managers of each version together until no more than the limit are left. */
export const capManagers = (managers: Managers): void => {
  const updaters = Array.from(managers).filter(([, { operation }]) => operation === "Update")
  let count = updaters.length
  if (count <= UPDATE_MANAGERS_LIMIT) return
  updaters.sort(([a, x], [b, y]) => seconds(x.time) - seconds(y.time) || compareText(a, b))
  const first = new Map<string, string>()
  for (const [identity, manager] of updaters) {
    if (count <= UPDATE_MANAGERS_LIMIT) return
    const { apiVersion } = manager
    const oldest = first.get(apiVersion)
    if (oldest === undefined) {
      first.set(apiVersion, identity)
      continue
    }
    const bucket: Manager = { ...manager, manager: ANCIENT, subresource: "" }
    const bucketId = identityOf(bucket)
    if (!managers.has(bucketId)) {
      const held = managers.get(oldest)
      managers.delete(oldest)
      if (held !== undefined) managers.set(bucketId, { ...bucket, set: held.set })
    }
    const held = managers.get(bucketId)
    managers.set(bucketId, { ...bucket, set: union(manager.set, held?.set ?? EMPTY_SET) })
    managers.delete(identity)
    count--
  }
}

/** Whether a write asks to forget all managers: an empty list, or a list of one empty entry. */
export const asksForReset = (entries: ReadonlyArray<ManagedFieldsEntry> | undefined): boolean =>
  entries !== undefined &&
  (entries.length === 0 || (entries.length === 1 && entries[0] !== undefined && Object.keys(entries[0]).length === 0))

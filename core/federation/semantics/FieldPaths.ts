// Reading and writing at a way into an object: "spec.template.spec" as a list of fields.
// Owns these few functions; refuses lists inside paths, which no path of the table has.
import { fieldsIn } from "#apiserver"
import type { Json, JsonObject } from "#kube"
import type { FieldPath } from "./TypeSemantics.ts"

/** A dot path as configuration writes it. */
export const fieldPath = (text: string): FieldPath => text.split(".").filter((part) => part !== "")

/** What stands at a path; undefined when any part of it is absent. */
export const valueAt = (object: unknown, path: FieldPath): Json | undefined => {
  let value = object
  for (const field of path) value = fieldsIn(value)?.[field]
  // SAFETY: objects are JSON all the way down.
  return value as Json | undefined
}

/** The object with another value at a path, with the objects on the way made where they are absent; undefined removes it. */
export const withValueAt = <A extends object>(object: A, path: FieldPath, value: Json | undefined): A => {
  const [field, ...rest] = path
  if (field === undefined) return object
  const before = (object as JsonObject)[field]
  if (rest.length === 0) {
    if (before === value) return object
    if (value !== undefined) return { ...object, [field]: value }
    const { [field]: _removed, ...others } = object as JsonObject
    // SAFETY: the caller's type allows the field to be absent, or it would not remove it.
    return others as A
  }
  const inner = fieldsIn(before)
  if (inner === undefined && value === undefined) return object
  const after = withValueAt(inner ?? {}, rest, value)
  return after === before ? object : { ...object, [field]: after }
}

/** An object that holds only what stands at these paths. */
export const projected = (object: object, paths: ReadonlyArray<FieldPath>): JsonObject => {
  let found: JsonObject = {}
  for (const path of paths) {
    const value = valueAt(object, path)
    if (value !== undefined) found = withValueAt(found, path, value)
  }
  return found
}

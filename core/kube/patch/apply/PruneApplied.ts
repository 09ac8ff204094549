// What goes from a merged object because its applier no longer says it: what it applied last time, does not apply now, and nobody
// else owns.
// Owns this decision; refuses to walk objects (RemoveItems.ts, OwnedPaths.ts).
import type { JsonObject } from "../../Json.ts"
import type { Schema } from "../../Schema.ts"
import { childOf, difference, type FieldSet, hasBelow, intersection, isMember, LEAF, union } from "./FieldSet.ts"
import { DEDUCED, fieldType } from "./FieldTypes.ts"
import { ownedPaths } from "./OwnedPaths.ts"
import { removePaths } from "./RemoveItems.ts"

/** The set with every named field of a struct that has something below it: so that a struct goes with its last field. */
const withNamedFields = (schema: Schema, set: FieldSet): FieldSet => {
  const out: { [element: string]: FieldSet } = {}
  for (const element in set) {
    if (element === ".") {
      out[element] = LEAF
      continue
    }
    const node = childOf(set, element) ?? LEAF
    const isField = element.startsWith("f:")
    const name = element.slice(2)
    const type = isField ? (fieldType(schema, name) ?? DEDUCED) : (schema.items ?? DEDUCED)
    const below = hasBelow(node) ? withNamedFields(type, node) : node
    const named = isField && schema.fields?.has(name) === true && hasBelow(node)
    out[element] = named && !isMember(node) ? { ".": LEAF, ...below } : below
  }
  return out
}

/** The merged object without what its applier dropped. `owned` is what all managers own now, the applier's new set included. */
export const pruneDropped = (schema: Schema, merged: JsonObject, last: FieldSet, owned: FieldSet): JsonObject => {
  const lastNamed = withNamedFields(schema, last)
  const mergedNamed = withNamedFields(schema, ownedPaths(schema, merged))
  const paths = (object: JsonObject): FieldSet => withNamedFields(schema, ownedPaths(schema, object))
  const without = removePaths(schema, merged, lastNamed)
  // What others own comes back.
  const kept = union(paths(without), withNamedFields(schema, owned))
  const restored = removePaths(schema, merged, difference(mergedNamed, kept))
  // And so does what the applier never owned.
  return removePaths(schema, merged, intersection(difference(mergedNamed, paths(restored)), lastNamed))
}

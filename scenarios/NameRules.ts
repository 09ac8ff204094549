// Rules about names inside a scenario: each is taken once, and what is named must exist.
// Owns their sentences and hints; which names there are is said by whoever asks.
import type { FieldPath } from "./Diagnostic.ts"
import type { Problem } from "./Problems.ts"
import { nearest } from "./Suggest.ts"

/** A name that does not exist, with the nearest that does. */
export const unknownName = (path: FieldPath, kind: string, name: string, known: ReadonlyArray<string>): Problem => {
  const near = nearest(name, known)
  const hint = near === undefined ? `known: ${known.join(", ") || "none"}` : `did you mean "${near}"?`
  return { path, rule: `there is no ${kind} named ${name}`, hint }
}

/** Names that stand twice in a list. */
export const duplicates = (
  items: ReadonlyArray<{ readonly name: string }>,
  path: FieldPath
): ReadonlyArray<Problem> => {
  const seen = new Set<string>()
  return items.flatMap(({ name }, index) => {
    if (!seen.has(name)) {
      seen.add(name)
      return []
    }
    return [{ path: [...path, index, "name"], rule: `the name ${name} is already taken here` }]
  })
}

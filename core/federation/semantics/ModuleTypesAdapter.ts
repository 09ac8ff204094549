// Type semantics from a TypeScript or JavaScript module that configuration names: for kinds that expressions are too small for.
// Owns loading it and checking what it exports; refuses a module that lacks `typeSemantics`, or an entry that lacks a part.
import { Effect } from "effect"
import { pathToFileURL } from "node:url"
import { resolve } from "node:path"
import { SemanticsInvalid } from "./ConfiguredTypes.ts"
import { conventionalType } from "./NativeTypes.ts"
import type { TypeSemantics } from "./TypeSemantics.ts"

const FUNCTIONS = ["health", "aggregate", "dependencies", "retain", "prepare"] as const

const checked = (module: string, at: number, entry: unknown): TypeSemantics => {
  const refuse = (field: string, rule: string): never => {
    throw new SemanticsInvalid(`${module}: typeSemantics[${at}].${field}: ${rule}`)
  }
  if (typeof entry !== "object" || entry === null) return refuse("", "must be an object")
  const given = entry as Partial<TypeSemantics>
  if (typeof given.group !== "string") return refuse("group", "must be a string")
  if (typeof given.kind !== "string" || given.kind === "") return refuse("kind", "must be a non-empty string")
  for (const name of FUNCTIONS) {
    if (given[name] !== undefined && typeof given[name] !== "function") refuse(name, "must be a function")
  }
  return { ...conventionalType(given.group, given.kind), ...given, group: given.group, kind: given.kind }
}

/** The entries that a module exports as `typeSemantics`: an array of entries, each of which may leave out what convention says. */
export const moduleTypes = (path: string): Effect.Effect<ReadonlyArray<TypeSemantics>, SemanticsInvalid> =>
  Effect.tryPromise({
    try: async () => {
      const module = (await import(pathToFileURL(resolve(path)).href)) as Readonly<Record<string, unknown>>
      const entries = module["typeSemantics"]
      if (!Array.isArray(entries)) throw new SemanticsInvalid(`${path}: must export an array named typeSemantics`)
      return entries.map((entry, at) => checked(path, at, entry))
    },
    catch: (error) =>
      error instanceof SemanticsInvalid
        ? error
        : new SemanticsInvalid(`${path}: ${error instanceof Error ? error.message : String(error)}`)
  })

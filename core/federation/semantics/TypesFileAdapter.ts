// Type semantics from a file that a flag names: a module of code, or YAML (JSON is YAML too) of CEL expressions.
// Owns telling the two apart by the file's ending and reading it; refuses a file that is not there or says what it must not.
import { readFileSync } from "node:fs"
import { Effect } from "effect"
import { parse } from "yaml"
import { configuredTypes, type ExpressionFailed, SemanticsInvalid } from "./ConfiguredTypes.ts"
import { moduleTypes } from "./ModuleTypesAdapter.ts"
import type { TypeSemantics } from "./TypeSemantics.ts"

const isData = (path: string): boolean => /\.(ya?ml|json)$/.test(path)

const entriesOf = (path: string): unknown => {
  const value: unknown = parse(readFileSync(path, "utf8"))
  if (Array.isArray(value)) return value
  if (typeof value === "object" && value !== null && "typeSemantics" in value) return value.typeSemantics
  throw new SemanticsInvalid("must have a list typeSemantics")
}

/** The entries of a file. Expressions that fail on an object are told to `onFailure`. */
export const typesFile = (
  path: string,
  onFailure: ExpressionFailed = () => {}
): Effect.Effect<ReadonlyArray<TypeSemantics>, SemanticsInvalid> =>
  isData(path)
    ? Effect.try({
        try: () => configuredTypes(entriesOf(path), onFailure),
        catch: (error) => new SemanticsInvalid(`${path}: ${error instanceof Error ? error.message : String(error)}`)
      })
    : moduleTypes(path)

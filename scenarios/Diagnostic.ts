// What is wrong with a scenario file and where: the room's error for bad input, and its one rendering.
// Owns wording of positions and hints. Refuses to decide what is wrong; ScenarioFile.ts and ScenarioRules.ts do.
import { Schema } from "effect"

/** One problem: a place (line and column count from 1), the field's path, the rule it breaks and, where one is near, a hint. */
export const Diagnostic = Schema.Struct({
  line: Schema.Int,
  column: Schema.Int,
  path: Schema.String,
  rule: Schema.String,
  hint: Schema.optionalKey(Schema.String)
})

export type Diagnostic = typeof Diagnostic.Type

/** A path inside the file's data: mapping keys and sequence indexes from the top. */
export type FieldPath = ReadonlyArray<string | number>

/** A path as people read it: `phases[0].load[1].shape`. */
export const renderPath = (path: FieldPath): string => {
  let text = ""
  for (const part of path) text += typeof part === "number" ? `[${part}]` : text === "" ? part : `.${part}`
  return text === "" ? "(the document)" : text
}

/** The scenario file does not say what a scenario must say; carries every problem found, in file order. */
export class ScenarioInvalid extends Schema.TaggedError<ScenarioInvalid>()("ScenarioInvalid", {
  file: Schema.String,
  diagnostics: Schema.Array(Diagnostic)
}) {
  override get message(): string {
    const lines = this.diagnostics.map(({ column, hint, line, path, rule }) => {
      const where = line > 0 ? `${this.file}:${line}:${column}` : this.file
      return `${where}  ${path}: ${rule}${hint === undefined ? "" : `\n    hint: ${hint}`}`
    })
    const count = this.diagnostics.length
    return [...lines, `${count} problem${count === 1 ? "" : "s"} in ${this.file}`].join("\n")
  }
}

/** The scenario file cannot be read at all. */
export class ScenarioUnreadable extends Schema.TaggedError<ScenarioUnreadable>()("ScenarioUnreadable", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.file}: ${this.reason}`
  }
}

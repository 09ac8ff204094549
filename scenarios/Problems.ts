// Schema issues in a person's words: each leaf of an issue tree becomes one problem with the field's path, the rule
// it breaks and, where a known name is near, a hint. Owns the wording; knows neither files nor positions.
import { SchemaAST, type SchemaIssue } from "effect"
import type { FieldPath } from "./Diagnostic.ts"
import { nearest } from "./Suggest.ts"

/** One broken rule; `onKey` means that the field's name is wrong, not its value. */
export interface Problem {
  readonly path: FieldPath
  readonly rule: string
  readonly hint?: string
  readonly onKey?: boolean
}

const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return "nothing"
  if (Array.isArray(value)) return "a list"
  return typeof value === "object" ? "a mapping" : `a ${typeof value}`
}

const valueAt = (data: unknown, path: FieldPath): unknown => {
  let value = data
  for (const part of path) {
    value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[part] : undefined
  }
  return value
}

const fieldNames = (ast: SchemaAST.AST): ReadonlyArray<string> => {
  if (SchemaAST.isObjects(ast)) return ast.propertySignatures.map(({ name }) => String(name))
  return SchemaAST.isUnion(ast) ? ast.types.flatMap(fieldNames) : []
}

const literals = (ast: SchemaAST.AST): ReadonlyArray<string> => {
  if (SchemaAST.isLiteral(ast)) return [String(ast.literal)]
  return SchemaAST.isUnion(ast) ? ast.types.flatMap(literals) : []
}

const primitives: Readonly<Record<string, string>> = { String: "text", Number: "a number", Boolean: "true or false" }

/** What the schema at this node would have taken, in words. */
const expected = (issue: SchemaIssue.Issue): string => {
  if (issue._tag === "Filter") {
    const words = issue.filter.annotations?.["expected"]
    return typeof words === "string" ? words : "a valid value"
  }
  if (!("ast" in issue)) return "a valid value"
  const names = literals(issue.ast)
  if (names.length > 1) return `one of ${names.join(", ")}`
  if (SchemaAST.isObjects(issue.ast)) return "a mapping"
  if (SchemaAST.isArrays(issue.ast)) return "a list"
  return primitives[issue.ast._tag] ?? names[0] ?? "a valid value"
}

const leaf = (issue: SchemaIssue.Issue, path: FieldPath, data: unknown): Problem => {
  const value = valueAt(data, path)
  const near = typeof value === "string" && "ast" in issue ? nearest(value, literals(issue.ast)) : undefined
  const hint = near === undefined ? {} : { hint: `did you mean "${near}"?` }
  const wrongKind = issue._tag === "InvalidType" || (issue._tag === "AnyOf" && typeof value !== "string")
  const got = wrongKind ? `, not ${kindOf(value)}` : ""
  return { path, rule: `must be ${expected(issue)}${got}`, ...hint }
}

const unexpected = (ast: SchemaAST.AST, path: FieldPath): Problem => {
  const known = fieldNames(ast)
  const near = nearest(String(path.at(-1)), known)
  const hint = near === undefined ? `fields here: ${known.join(", ")}` : `did you mean "${near}"?`
  return { path, onKey: true, rule: "is not a known field", hint }
}

/** The field whose literal tells the members of a union of mappings apart, with the literals that there are. */
const discriminant = (
  ast: SchemaAST.AST
): { readonly name: string; readonly known: ReadonlyArray<string> } | undefined => {
  if (!SchemaAST.isUnion(ast)) return undefined
  const members = ast.types.map((member) =>
    SchemaAST.isObjects(member)
      ? new Map(
          member.propertySignatures.flatMap(({ name, type }) =>
            SchemaAST.isLiteral(type) ? [[String(name), String(type.literal)] as const] : []
          )
        )
      : new Map<string, string>()
  )
  const name = [...(members[0]?.keys() ?? [])].find((each) => members.every((member) => member.has(each)))
  return name === undefined ? undefined : { name, known: members.map((member) => member.get(name) ?? "") }
}

/** A mapping that is no member of its union: the field that tells them apart says which, and does not. */
const wrongMember = (issue: SchemaIssue.Issue, path: FieldPath, data: unknown): Problem | undefined => {
  const value = valueAt(data, path)
  const told = "ast" in issue && kindOf(value) === "a mapping" ? discriminant(issue.ast) : undefined
  if (told === undefined) return undefined
  const { known, name } = told
  const written = valueAt(value, [name])
  if (written === undefined) return { path: [...path, name], rule: `is required: one of ${known.join(", ")}` }
  const near = typeof written === "string" ? nearest(written, known) : undefined
  const hint = near === undefined ? {} : { hint: `did you mean "${near}"?` }
  return { path: [...path, name], rule: `must be one of ${known.join(", ")}`, ...hint }
}

const walk = (issue: SchemaIssue.Issue, path: FieldPath, data: unknown, out: Array<Problem>): void => {
  switch (issue._tag) {
    case "Pointer": {
      const parts = issue.path.map((part) => (typeof part === "number" ? part : String(part)))
      return walk(issue.issue, [...path, ...parts], data, out)
    }
    case "Encoding":
      return walk(issue.issue, path, data, out)
    case "MissingKey":
      return void out.push({ path, rule: "is required" })
    case "UnexpectedKey":
      return void out.push(unexpected(issue.ast, path))
    case "Composite":
    case "AnyOf":
      if (issue.issues.length === 0) return void out.push(wrongMember(issue, path, data) ?? leaf(issue, path, data))
      for (const inner of issue.issues) walk(inner, path, data, out)
      return
    default:
      out.push(leaf(issue, path, data))
  }
}

/** Every problem of an issue tree; alternatives that fail at the same field are said once, joined by "or". */
export const problemsOf = (issue: SchemaIssue.Issue, data: unknown): ReadonlyArray<Problem> => {
  const found: Array<Problem> = []
  walk(issue, [], data, found)
  const byField = new Map<string, Problem>()
  for (const problem of found) {
    const key = JSON.stringify(problem.path)
    const before = byField.get(key)
    if (before === undefined) byField.set(key, problem)
    else if (!before.rule.includes(problem.rule.replace("must be ", ""))) {
      byField.set(key, { ...before, rule: `${before.rule} or ${problem.rule.replace("must be ", "")}` })
    }
  }
  return [...byField.values()]
}

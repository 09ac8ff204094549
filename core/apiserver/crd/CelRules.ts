// The CEL rules of a CustomResourceDefinition (x-kubernetes-validations), compiled once and run on every write.
// Owns where rules stand, what `self` and `oldSelf` are there, and the failures; refuses the language, which a maintained library brings.
// The cost of a rule is not metered: rules come from those who may define resources. Source: KEP-2876.
import type { ParseResult } from "@marcbachmann/cel-js"
import { type FieldProblem, isJsonObject, type Json, type JsonArray, type JsonObject, parseRfc3339 } from "#kube"
import { kubernetesCel } from "./CelLibrary.ts"
import { propsOf, type SchemaProps } from "./StructuralSchema.ts"

interface CompiledRule {
  readonly rule: string
  readonly message: string | undefined
  readonly evaluate: ParseResult
  readonly messageOf: ParseResult | undefined
  readonly reason: FieldProblem["type"]
  /** Where the failure is shown, below the value. */
  readonly fieldPath: string
  readonly usesOld: boolean
  readonly optionalOld: boolean
}

/** Rules of one value and of all below it. */
interface RuleNode {
  readonly props: SchemaProps
  readonly rules: ReadonlyArray<CompiledRule>
  readonly fields: ReadonlyArray<readonly [string, RuleNode]>
  readonly each: RuleNode | undefined
  readonly items: RuleNode | undefined
}

/** Checks an object; `old` is what it was, undefined on create. */
export type CelRules = (object: Json, old: Json | undefined) => ReadonlyArray<FieldProblem>

const reasons: Record<string, FieldProblem["type"]> = {
  FieldValueInvalid: "FieldValueInvalid",
  FieldValueForbidden: "FieldValueForbidden",
  FieldValueRequired: "FieldValueRequired",
  FieldValueDuplicate: "FieldValueDuplicate"
}

const makeEnvironment = () => kubernetesCel().registerVariable("self", "dyn").registerVariable("oldSelf", "dyn")

let environment: ReturnType<typeof makeEnvironment> | undefined

const compile = (text: string): ParseResult => (environment ??= makeEnvironment()).parse(text)

/** An expression over `self` that is compiled when it is first used. */
const lazily = (expression: string): ((self: unknown) => unknown) => {
  let program: ParseResult | undefined
  return (self) => (program ??= compile(expression))({ self }) as unknown
}
const toTimestamp = lazily("timestamp(self)")
const toDuration = lazily("duration(self)")
const toOptional = lazily("optional.of(self)")
const noOptional = lazily("optional.none()")

const rulesOf = (props: SchemaProps): ReadonlyArray<JsonObject> => {
  const found = props["x-kubernetes-validations"]
  return Array.isArray(found) ? (found as JsonArray).filter(isJsonObject) : []
}

const text = (value: Json | undefined): string => (typeof value === "string" ? value : "")

const compileRule = (source: JsonObject): CompiledRule => {
  const rule = text(source["rule"])
  const messageExpression = text(source["messageExpression"])
  return {
    rule: rule.trim(),
    message: text(source["message"]) === "" ? undefined : text(source["message"]).trim(),
    evaluate: compile(rule),
    messageOf: messageExpression === "" ? undefined : compile(messageExpression),
    reason: reasons[text(source["reason"])] ?? "FieldValueInvalid",
    fieldPath: text(source["fieldPath"]),
    usesOld: /\boldSelf\b/.test(rule),
    optionalOld: source["optionalOldSelf"] === true
  }
}

const nodeOf = (props: SchemaProps): RuleNode | undefined => {
  const rules = rulesOf(props)
    .filter((source) => text(source["rule"]).trim() !== "")
    .map(compileRule)
  const fields = Object.entries(propsOf(props["properties"]) ?? {}).flatMap(([name, value]) => {
    const inner = propsOf(value)
    const node = inner && nodeOf(inner)
    return node === undefined ? [] : [[name, node] as const]
  })
  const values = propsOf(props["additionalProperties"])
  const items = propsOf(props["items"])
  const each = values && nodeOf(values)
  const item = items && nodeOf(items)
  if (rules.length === 0 && fields.length === 0 && each === undefined && item === undefined) return undefined
  return { props, rules, fields, each, items: item }
}

// --- Values as CEL has them ---

/** A value as its schema makes CEL see it: integers are int, times are timestamps, fields that are not there are absent. */
export const celValue = (value: Json | undefined, props: SchemaProps | undefined): unknown => {
  if (typeof value === "number") return props?.["type"] === "number" || !Number.isInteger(value) ? value : BigInt(value)
  if (typeof value === "string") return celText(value, text(props?.["format"]))
  if (Array.isArray(value)) return (value as JsonArray).map((item) => celValue(item, propsOf(props?.["items"])))
  if (!isJsonObject(value)) return value
  const known = propsOf(props?.["properties"])
  const rest = propsOf(props?.["additionalProperties"])
  const made: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined) continue
    const inner = propsOf(known?.[name])
    // A map's keys are as they are; a property's name may be one that CEL keeps for itself.
    made[inner === undefined ? name : escapeName(name)] = celValue(field, inner ?? rest)
  }
  return made
}

const celText = (value: string, format: string): unknown => {
  if (format === "date-time" || format === "date") {
    const whole = format === "date" ? `${value}T00:00:00Z` : value
    return parseRfc3339(whole) === undefined ? value : toTimestamp(whole)
  }
  return format === "duration" && /^-?(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(value) ? toDuration(value) : value
}

const RESERVED = new Set([
  "true",
  "false",
  "null",
  "in",
  "as",
  "break",
  "const",
  "continue",
  "else",
  "for",
  "function",
  "if",
  "import",
  "let",
  "loop",
  "package",
  "namespace",
  "return",
  "var",
  "void",
  "while"
])

/** Property names that are no CEL identifiers, escaped as Kubernetes says. */
const escapeName = (name: string): string => {
  if (RESERVED.has(name)) return `__${name}__`
  if (/^[A-Za-z_][\w]*$/.test(name) && !name.includes("__")) return name
  return name
    .replaceAll("__", "__underscores__")
    .replaceAll(".", "__dot__")
    .replaceAll("-", "__dash__")
    .replaceAll("/", "__slash__")
}

// --- Running ---

const child = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`)

class Run {
  readonly found: Array<FieldProblem> = []

  visit(node: RuleNode, value: Json, old: Json | undefined, path: string): void {
    if (node.rules.length > 0) this.check(node, value, old, path)
    if (isJsonObject(value)) this.visitFields(node, value, isJsonObject(old) ? old : undefined, path)
    else if (Array.isArray(value) && node.items !== undefined) this.visitItems(node.items, node.props, value, old, path)
  }

  private visitFields(node: RuleNode, value: JsonObject, old: JsonObject | undefined, path: string): void {
    for (const [name, inner] of node.fields) {
      const field = value[name]
      if (field !== undefined && field !== null) this.visit(inner, field, old?.[name], child(path, name))
    }
    if (node.each === undefined) return
    const known = propsOf(node.props["properties"])
    for (const [name, field] of Object.entries(value)) {
      if (field === undefined || field === null || known?.[name] !== undefined) continue
      this.visit(node.each, field, old?.[name], child(path, name))
    }
  }

  /** Only the items of a list that is a map have something before them to be compared with. */
  private visitItems(node: RuleNode, list: SchemaProps, items: JsonArray, old: Json | undefined, path: string): void {
    const keys = list["x-kubernetes-list-type"] === "map" ? list["x-kubernetes-list-map-keys"] : undefined
    const names = Array.isArray(keys) ? (keys as JsonArray).map(String) : []
    const before = names.length > 0 && Array.isArray(old) ? (old as JsonArray) : []
    const keyOf = (item: Json): string =>
      JSON.stringify(isJsonObject(item) ? names.map((name) => item[name] ?? null) : item)
    const byKey = new Map(before.map((item) => [keyOf(item), item]))
    for (const [at, item] of items.entries()) {
      if (item !== null) this.visit(node, item, byKey.get(keyOf(item)), `${path}[${at}]`)
    }
  }

  private check({ props, rules }: RuleNode, value: Json, old: Json | undefined, path: string): void {
    const self = celValue(value, props)
    const oldSelf = old === undefined ? undefined : celValue(old, props)
    const shown = typeof value === "object" ? {} : { value }
    for (const rule of rules) {
      if (rule.usesOld && old === undefined && !rule.optionalOld) continue
      const before = !rule.optionalOld ? oldSelf : oldSelf === undefined ? noOptional(undefined) : toOptional(oldSelf)
      const bound = { self, oldSelf: before }
      const field = path === "" ? rule.fieldPath.replace(/^\./, "") : `${path}${rule.fieldPath}`
      const outcome = evaluate(rule.evaluate, bound)
      if (outcome.failed !== undefined) {
        const detail = `${outcome.failed} evaluating rule: ${rule.message ?? rule.rule}`
        this.found.push({ type: "FieldValueInvalid", field: path, value: text(props["type"]), detail })
      } else if (outcome.value !== true) {
        const detail = this.messageOf(rule, bound) ?? rule.message ?? `failed rule: ${rule.rule}`
        const valued = rule.reason === "FieldValueForbidden" || rule.reason === "FieldValueRequired" ? {} : shown
        this.found.push({
          type: rule.reason,
          field,
          ...valued,
          detail: rule.reason === "FieldValueDuplicate" ? "" : detail
        })
      }
    }
  }

  /** A message that cannot be made, is empty or has several lines is not used. */
  private messageOf({ messageOf }: CompiledRule, bound: Record<string, unknown>): string | undefined {
    if (messageOf === undefined) return undefined
    const { value } = evaluate(messageOf, bound)
    return typeof value === "string" && value.trim() !== "" && !value.includes("\n") ? value.trim() : undefined
  }
}

const evaluate = (
  program: ParseResult,
  bound: Record<string, unknown>
): { readonly value?: unknown; readonly failed?: string } => {
  try {
    return { value: program(bound) as unknown }
  } catch (error) {
    const [line] = (error instanceof Error ? error.message : String(error)).split("\n")
    return { failed: line }
  }
}

/** The rules of a schema; undefined when it has none. Call `celProblems` first: a rule that does not compile throws here. */
export const celRules = (props: SchemaProps): CelRules | undefined => {
  const root = nodeOf(props)
  if (root === undefined) return undefined
  return (object, old) => {
    const run = new Run()
    run.visit(root, object, old, "")
    return run.found
  }
}

/** What is wrong with the rules themselves, by the path in the definition. */
export const celProblems = (props: SchemaProps, path: string): ReadonlyArray<FieldProblem> => {
  const problems = rulesOf(props).flatMap((source, at) =>
    ruleProblems(source, `${path}.x-kubernetes-validations[${at}]`)
  )
  for (const [name, value] of Object.entries(propsOf(props["properties"]) ?? {})) {
    const inner = propsOf(value)
    if (inner !== undefined) problems.push(...celProblems(inner, `${path}.properties[${name}]`))
  }
  for (const name of ["items", "additionalProperties"]) {
    const inner = propsOf(props[name])
    if (inner !== undefined) problems.push(...celProblems(inner, `${path}.${name}`))
  }
  return problems
}

const ruleProblems = (source: JsonObject, path: string): Array<FieldProblem> => {
  const rule = text(source["rule"])
  if (rule.trim() === "")
    return [{ type: "FieldValueRequired", field: `${path}.rule`, detail: "rule is not specified" }]
  return (["rule", "messageExpression"] as const).flatMap((name): Array<FieldProblem> => {
    const expression = text(source[name])
    if (expression === "") return []
    try {
      const { error, valid } = compile(expression).check()
      if (valid) return []
      return [compilation(`${path}.${name}`, expression, error?.message ?? "")]
    } catch (error) {
      return [compilation(`${path}.${name}`, expression, error instanceof Error ? error.message : String(error))]
    }
  })
}

const compilation = (field: string, value: string, why: string): FieldProblem => ({
  type: "FieldValueInvalid",
  field,
  value,
  detail: `compilation failed: ERROR: <input>: ${why.split("\n")[0]}`
})

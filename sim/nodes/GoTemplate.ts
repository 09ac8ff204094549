// Go's text/template as far as Stage files use it: the language of statusTemplate.
// Owns the tree of a template and its evaluation; GoTemplateParser.ts reads the text. Refuses nested templates, method calls and
// custom delimiters. A missing field is nothing, and a field of nothing is nothing, as for Go's maps.
import { parseTemplate } from "./GoTemplateParser.ts"

/** What an argument of a command is. */
export type Operand =
  | { readonly kind: "literal"; readonly value: unknown }
  /** A path from the dot, from a variable, or from the value of a parenthesis. */
  | {
      readonly kind: "path"
      readonly from: "dot" | { readonly variable: string } | Pipeline
      readonly fields: ReadonlyArray<string>
    }
  | { readonly kind: "call"; readonly name: string }

export interface Pipeline {
  /** Variables that the value is given to: two of them for a range with an index. */
  readonly variables: ReadonlyArray<string>
  readonly declares: boolean
  /** Commands, each the operand that is called or stands alone and its arguments. */
  readonly commands: ReadonlyArray<ReadonlyArray<Operand>>
}

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipeline: Pipeline }
  | {
      readonly kind: "if" | "range" | "with"
      readonly pipeline: Pipeline
      readonly body: ReadonlyArray<Node>
      readonly otherwise: ReadonlyArray<Node>
    }

/** A function that templates may call. */
export type TemplateFunction = (...args: ReadonlyArray<unknown>) => unknown
export type TemplateFunctions = Readonly<Record<string, TemplateFunction>>

const isTrue = (value: unknown): boolean =>
  Array.isArray(value)
    ? value.length > 0
    : typeof value === "object" && value !== null
      ? Object.keys(value).length > 0
      : value !== undefined && value !== null && value !== false && value !== 0 && value !== ""

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined

const indexOf = (value: unknown, key: unknown): unknown =>
  Array.isArray(value) ? value[Number(key)] : fieldOf(value, String(key))

/** A value as Go prints it. */
export const printed = (value: unknown): string => {
  if (value === undefined || value === null) return "<no value>"
  if (Array.isArray(value)) return `[${value.map(printed).join(" ")}]`
  if (typeof value === "object") {
    const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
    return `map[${fields.map(([name, field]) => `${name}:${printed(field)}`).join(" ")}]`
  }
  return typeof value === "string" ? value : JSON.stringify(value)
}

const formatted = (format: unknown, values: ReadonlyArray<unknown>): string => {
  let next = 0
  return String(format).replace(/%([svdq%])/g, (_, verb: string) => {
    if (verb === "%") return "%"
    const value = values[next++]
    return verb === "q" ? JSON.stringify(printed(value)) : printed(value)
  })
}

const compare = (a: unknown, b: unknown): number => (Number(a) === Number(b) ? 0 : Number(a) < Number(b) ? -1 : 1)

const builtIns: TemplateFunctions = {
  not: (value) => !isTrue(value),
  eq: (value, ...others) => others.some((other) => other === value),
  ne: (value, other) => value !== other,
  lt: (a, b) => compare(a, b) < 0,
  le: (a, b) => compare(a, b) <= 0,
  gt: (a, b) => compare(a, b) > 0,
  ge: (a, b) => compare(a, b) >= 0,
  index: (value, ...keys) => keys.reduce(indexOf, value),
  len: (value) =>
    typeof value === "string" || Array.isArray(value) ? value.length : Object.keys(Object(value)).length,
  print: (...values) => values.map(printed).join(""),
  printf: (format, ...values) => formatted(format, values),
  dict: (...pairs) =>
    Object.fromEntries(
      Array.from({ length: pairs.length >> 1 }, (_, at) => [String(pairs[at * 2]), pairs[at * 2 + 1]])
    ),
  list: (...values) => values,
  default: (standard, value) => (isTrue(value) ? value : standard),
  add: (...values) => values.reduce<number>((sum, value) => sum + Number(value), 0),
  sub: (a, b) => Number(a) - Number(b),
  lower: (value) => printed(value).toLowerCase(),
  upper: (value) => printed(value).toUpperCase(),
  trim: (value) => printed(value).trim()
}

/** Evaluates one template again and again with different data. */
export class GoTemplate {
  private readonly nodes: ReadonlyArray<Node>
  private readonly functions: TemplateFunctions
  private variables = new Map<string, unknown>()
  private output = ""

  /** Throws GoTemplateInvalid for text that it does not read and for unknown functions. */
  constructor(text: string, functions: TemplateFunctions) {
    this.functions = { ...builtIns, ...functions }
    this.nodes = parseTemplate(text, (name) => name === "and" || name === "or" || name in this.functions)
  }

  render(data: unknown): string {
    this.variables = new Map([["$", data]])
    this.output = ""
    this.walk(this.nodes, data)
    return this.output
  }

  private walk(nodes: ReadonlyArray<Node>, dot: unknown): void {
    for (const node of nodes) {
      if (node.kind === "text") this.output += node.text
      else if (node.kind === "action") {
        const value = this.value(node.pipeline, dot)
        if (node.pipeline.variables.length === 0) this.output += printed(value)
        else this.variables.set(node.pipeline.variables[0], value)
      } else if (node.kind === "range") this.range(node, dot)
      else this.branch(node, dot)
    }
  }

  private branch(node: Node & { readonly kind: "if" | "with" | "range" }, dot: unknown): void {
    const value = this.value(node.pipeline, dot)
    const [variable] = node.pipeline.variables
    if (variable !== undefined) this.variables.set(variable, value)
    if (isTrue(value)) this.walk(node.body, node.kind === "with" ? value : dot)
    else this.walk(node.otherwise, dot)
  }

  private range(node: Node & { readonly kind: "if" | "with" | "range" }, dot: unknown): void {
    const value = this.value(node.pipeline, dot)
    const entries: ReadonlyArray<readonly [unknown, unknown]> = Array.isArray(value)
      ? Array.from(value.entries())
      : Object.entries(Object(value) as object).sort(([a], [b]) => (a < b ? -1 : 1))
    if (entries.length === 0) return this.walk(node.otherwise, dot)
    const { variables } = node.pipeline
    for (const [key, item] of entries) {
      if (variables.length === 1) this.variables.set(variables[0], item)
      else if (variables.length === 2) {
        this.variables.set(variables[0], key)
        this.variables.set(variables[1], item)
      }
      this.walk(node.body, item)
    }
  }

  private value(pipeline: Pipeline, dot: unknown): unknown {
    let piped: ReadonlyArray<unknown> = []
    for (const command of pipeline.commands) piped = [this.command(command, dot, piped)]
    return piped[0]
  }

  private command([head, ...rest]: ReadonlyArray<Operand>, dot: unknown, piped: ReadonlyArray<unknown>): unknown {
    if (head.kind !== "call") return this.operand(head, dot)
    if (head.name === "and" || head.name === "or") return this.shortCircuit(head.name, rest, dot, piped)
    const args = [...rest.map((operand) => this.operand(operand, dot)), ...piped]
    return this.functions[head.name](...args)
  }

  private shortCircuit(
    name: "and" | "or",
    operands: ReadonlyArray<Operand>,
    dot: unknown,
    piped: ReadonlyArray<unknown>
  ): unknown {
    let value: unknown
    for (const operand of operands) {
      value = this.operand(operand, dot)
      if (isTrue(value) === (name === "or")) return value
    }
    return piped.length > 0 ? piped[0] : value
  }

  private operand(operand: Operand, dot: unknown): unknown {
    if (operand.kind === "literal") return operand.value
    if (operand.kind === "call") return this.command([operand], dot, [])
    const { fields, from } = operand
    const start = from === "dot" ? dot : "variable" in from ? this.variables.get(from.variable) : this.value(from, dot)
    return fields.reduce(fieldOf, start)
  }
}

// Changing a scenario from the command line and from itself: `--set a.b=c`, and `${name}` replaced by parameters.
// Both work on the parsed YAML document, so that every other field keeps its line and column.
import { type Document, isCollection, isMap, isScalar, isSeq, parseDocument, Scalar, visit } from "yaml"
import type { Diagnostic, FieldPath } from "./Diagnostic.ts"
import { renderPath } from "./Diagnostic.ts"
import { nearest } from "./Suggest.ts"

/** One `--set path=value` of the command line. */
export interface Override {
  readonly path: FieldPath
  readonly value: string
}

const outside = (path: string, rule: string, hint?: string): Diagnostic => ({
  line: 0,
  column: 0,
  path,
  rule,
  ...(hint === undefined ? {} : { hint })
})

/** Splits `a.b.0.c=value`; a text without `=` or without a path is a diagnostic. */
export const parseOverride = (text: string): Override | Diagnostic => {
  const cut = text.indexOf("=")
  if (cut < 1) return outside(`--set ${text}`, "must be path=value", "for example --set params.seconds=30")
  const path = text
    .slice(0, cut)
    .split(".")
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part))
  return { path, value: text.slice(cut + 1) }
}

const named = (node: unknown, name: string): boolean => isMap(node) && node.get("name") === name

/** Resolves each step of the path against the document: sequences may be addressed by index or by an item's `name`. */
const resolve = (document: Document, path: FieldPath): FieldPath | Diagnostic => {
  const steps: Array<string | number> = []
  for (const part of path) {
    const parent: unknown = steps.length === 0 ? document.contents : document.getIn(steps, true)
    if (!isSeq(parent)) {
      steps.push(part)
      continue
    }
    const index = typeof part === "number" ? part : parent.items.findIndex((item) => named(item, part))
    if (index < 0 || index >= parent.items.length) {
      const names = parent.items.flatMap((item) => (isMap(item) ? [String(item.get("name"))] : []))
      const hint = `${renderPath(steps)} has ${parent.items.length} items${names.length > 0 ? `: ${names.join(", ")}` : ""}`
      return outside(`--set ${path.join(".")}`, `no item ${part} in ${renderPath(steps)}`, hint)
    }
    steps.push(index)
  }
  return steps
}

const isDiagnostic = (value: FieldPath | Override | Diagnostic): value is Diagnostic => "rule" in value

/** The parameters that a scenario declares, with their values. */
const parametersOf = (document: Document): Readonly<Record<string, unknown>> => {
  const declared: unknown = document.getIn(["params"])
  return isMap(declared) ? (declared.toJSON() as Record<string, unknown>) : {}
}

/** What is wrong with a name that is not among the parameters; `written` shows one as it stands at the place. */
const undeclared = (name: string, params: object, written: (name: string) => string) => {
  const names = Object.keys(params)
  const near = nearest(name, names)
  const hint = near === undefined ? `declared: ${names.join(", ") || "none"}` : `did you mean ${written(near)}?`
  return { rule: `parameter ${name} is not declared under params`, hint }
}

/** A parameter that nobody declares would change nothing: another one is meant. */
const parameterProblem = (document: Document, path: FieldPath): Diagnostic | undefined => {
  const [field, name] = path
  if (field !== "params" || name === undefined || document.hasIn(["params", name])) return undefined
  const { hint, rule } = undeclared(String(name), parametersOf(document), (near) => near)
  return outside(`--set ${path.join(".")}`, rule, hint)
}

/** Applies overrides in order; a single bare name that is a declared parameter means that parameter. */
export const applyOverrides = (document: Document, overrides: ReadonlyArray<Override>): ReadonlyArray<Diagnostic> => {
  const problems: Array<Diagnostic> = []
  for (const { path, value } of overrides) {
    const single = path.length === 1 && document.hasIn(["params", path[0]]) ? ["params", ...path] : path
    const steps = parameterProblem(document, single) ?? resolve(document, single)
    if (isDiagnostic(steps)) {
      problems.push(steps)
      continue
    }
    const parent: unknown = steps.length === 1 ? document.contents : document.getIn(steps.slice(0, -1), true)
    if (parent !== undefined && !isCollection(parent)) {
      problems.push(outside(`--set ${path.join(".")}`, `${renderPath(steps.slice(0, -1))} is not a mapping`))
      continue
    }
    document.setIn(steps, document.createNode(parseDocument(value).toJS()))
  }
  return problems
}

const whole = /^\$\{([A-Za-z][A-Za-z0-9_-]*)\}$/
const inside = /\$\{([A-Za-z][A-Za-z0-9_-]*)\}/g

/** Replaces `${name}` in every scalar outside `params`; a scalar that is nothing else takes the parameter's own type. */
export const substituteParameters = (
  document: Document
): ReadonlyArray<{ readonly node: Scalar; readonly rule: string; readonly hint: string }> => {
  const declared: unknown = document.getIn(["params"])
  const params = parametersOf(document)
  const problems: Array<{ node: Scalar; rule: string; hint: string }> = []
  const unknown = (node: Scalar, name: string) =>
    problems.push({ node, ...undeclared(name, params, (near) => `\${${near}}`) })
  visit(document, {
    Pair: (_, pair) =>
      isScalar(pair.key) && pair.key.value === "params" && pair.value === declared ? visit.SKIP : undefined,
    Scalar: (key, node) => {
      if (key === "key" || typeof node.value !== "string" || !node.value.includes("${")) return undefined
      const only = whole.exec(node.value)?.[1]
      if (only !== undefined) {
        if (only in params) node.value = params[only]
        else unknown(node, only)
        return undefined
      }
      node.value = node.value.replaceAll(inside, (text, name: string) => {
        if (name in params) return String(params[name])
        unknown(node, name)
        return text
      })
      return undefined
    }
  })
  return problems
}

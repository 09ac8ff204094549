// The JSON paths of a CustomResourceDefinition: those of printer columns, selectable fields and the scale subresource.
// Owns the subset of Kubernetes' JSONPath that names values: fields, indexes, `[*]`, and filters that compare one field. Refuses
// templates, ranges and recursion, which definitions may not use.
import { isJsonObject, type Json, type JsonObject } from "#kube"

/** Called with one value, answers all that the step leads to. */
type Step = (value: Json) => ReadonlyArray<Json>

const nothing: ReadonlyArray<Json> = []

const field =
  (name: string): Step =>
  (value) => {
    const found = isJsonObject(value) ? value[name] : undefined
    return found === undefined ? nothing : [found]
  }

const index =
  (at: number): Step =>
  (value) => {
    const found = Array.isArray(value) ? value.at(at) : undefined
    return found === undefined ? nothing : [found]
  }

const everything: Step = (value) =>
  Array.isArray(value)
    ? value
    : isJsonObject(value)
      ? Object.values(value).filter((one): one is Json => one !== undefined)
      : nothing

const comparisons: Record<string, (order: number) => boolean> = {
  "==": (order) => order === 0,
  "!=": (order) => order !== 0,
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0
}

const orderOf = (a: Json | undefined, b: Json): number =>
  a === b ? 0 : typeof a === typeof b && a !== null && b !== null && a !== undefined && a < b ? -1 : 1

const filter = (path: string, operator: string, wanted: Json): Step => {
  const read = compile(path)
  const holds = comparisons[operator]
  return (value) =>
    Array.isArray(value)
      ? value.filter((item: Json) => {
          const [found] = read?.(item) ?? nothing
          return found !== undefined && holds(orderOf(found, wanted))
        })
      : nothing
}

const FIELD = /^\.?([A-Za-z_$][\w$-]*)/
const ESCAPED = /^\.((?:[\w$-]|\\.)+)/
const QUOTED = /^\.?\[(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\]/
const INDEX = /^\.?\[(-?\d+)\]/
const WILD = /^\.?\[\*\]|^\.\*/
const FILTER =
  /^\.?\[\?\(\s*@((?:\.[\w$-]+)+)\s*(==|!=|<=|>=|<|>)\s*("[^"]*"|'[^']*'|-?\d+(?:\.\d+)?|true|false)\s*\)\]/

const literal = (text: string): Json =>
  text.startsWith("'") ? text.slice(1, -1) : (JSON.parse(text) as string | number | boolean)

/** The step that a path begins with, and how many characters of it that takes. */
const firstStep = (path: string): readonly [Step, number] | undefined => {
  const filtered = FILTER.exec(path)
  if (filtered !== null) return [filter(filtered[1], filtered[2], literal(filtered[3])), filtered[0].length]
  const wild = WILD.exec(path)
  if (wild !== null) return [everything, wild[0].length]
  const numbered = INDEX.exec(path)
  if (numbered !== null) return [index(Number(numbered[1])), numbered[0].length]
  const named = QUOTED.exec(path) ?? ESCAPED.exec(path) ?? FIELD.exec(path)
  if (named === null) return undefined
  return [field((named[1] ?? named[2]).replaceAll(/\\(.)/g, "$1")), named[0].length]
}

const compile = (path: string): Step | undefined => {
  const steps: Array<Step> = []
  for (let rest = path; rest !== "" && rest !== ".";) {
    const found = firstStep(rest)
    if (found === undefined) return undefined
    steps.push(found[0])
    rest = rest.slice(found[1])
  }
  return (value) => steps.reduce<ReadonlyArray<Json>>((values, step) => values.flatMap(step), [value])
}

/** All values that a path leads to in an object; undefined when the text is no path. */
export type JsonPath = (object: JsonObject) => ReadonlyArray<Json>

/** Compiles a path like `.status.conditions[?(@.type=="Ready")].status`; undefined when it is none. */
export const jsonPath = (path: string): JsonPath | undefined => {
  const inner = path.startsWith("{") && path.endsWith("}") ? path.slice(1, -1) : path
  return compile(inner.startsWith("$") ? inner.slice(1) : inner)
}

// Label selectors: their text, their object form in specs, and the question whether labels match.
// Owns syntax, messages (apimachinery's pkg/labels: protocol text) and matching; refuses to know where labels come from.
import { LabelSelectorParser } from "./LabelSelectorParser.ts"
import { Names } from "./Names.ts"

export type LabelOperator = "=" | "==" | "!=" | "in" | "notin" | "exists" | "!" | ">" | "<"

export interface LabelRequirement {
  readonly key: string
  readonly operator: LabelOperator
  /** Sorted when they come from a text, in the given order when they come from an object. */
  readonly values: ReadonlyArray<string>
}

export type Labels = Readonly<Record<string, string>>

/** A selector that cannot be: the message says where and why. */
export class SelectorInvalid extends Error {
  readonly _tag = "SelectorInvalid"
  override readonly name = "SelectorInvalid"
}

/** meta/v1 LabelSelector as it stands in specs. */
export interface LabelSelectorObject {
  readonly matchLabels?: Labels
  readonly matchExpressions?: ReadonlyArray<{
    readonly key: string
    readonly operator: string
    readonly values?: ReadonlyArray<string>
  }>
}

const int64Pattern = /^[+-]?\d+$/

/** As Go's ParseInt reads it: undefined when it is no int64. */
const int64Of = (text: string): bigint | undefined => {
  if (!int64Pattern.test(text) || text.length > 64) return undefined
  const value = BigInt(text.startsWith("+") ? text.slice(1) : text)
  return value === BigInt.asIntN(64, value) ? value : undefined
}

const isIn = (values: ReadonlyArray<string>, value: string): boolean => values.includes(value)

const requirementMatches = ({ key, operator, values }: LabelRequirement, labels: Labels): boolean => {
  // A key like "constructor" finds what every object inherits; that is never a string.
  const found = labels[key]
  const value = typeof found === "string" ? found : undefined
  switch (operator) {
    case "=":
    case "==":
    case "in":
      return value !== undefined && isIn(values, value)
    case "!=":
    case "notin":
      return value === undefined || !isIn(values, value)
    case "exists":
      return value !== undefined
    case "!":
      return value === undefined
    case ">":
    case "<": {
      const left = value === undefined ? undefined : int64Of(value)
      const right = int64Of(values[0] ?? "")
      if (left === undefined || right === undefined) return false
      return operator === ">" ? left > right : left < right
    }
  }
}

const requirementText = ({ key, operator, values }: LabelRequirement): string => {
  if (operator === "exists") return key
  if (operator === "!") return `!${key}`
  const sorted = values.length < 2 ? (values[0] ?? "") : values.toSorted().join(",")
  return operator === "in" || operator === "notin" ? `${key} ${operator} (${sorted})` : `${key}${operator}${sorted}`
}

const noLabels: Labels = {}

/** All requirements hold: the selector of lists, watches, services and controllers. */
export class LabelSelector {
  readonly requirements: ReadonlyArray<LabelRequirement>
  /** `nothing` is the selector that no labels match, of an absent object. */
  readonly nothing: boolean

  constructor(requirements: ReadonlyArray<LabelRequirement>, nothing = false) {
    this.requirements = requirements
    this.nothing = nothing
  }

  /** Whether everything matches. */
  get empty(): boolean {
    return !this.nothing && this.requirements.length === 0
  }

  matches(labels: Labels | undefined): boolean {
    if (this.nothing) return false
    const given = labels ?? noLabels
    for (const requirement of this.requirements) if (!requirementMatches(requirement, given)) return false
    return true
  }

  /** The one value that a key must have, if there is one: where an index on that label can be asked. */
  exactMatch(key: string): string | undefined {
    const first = this.requirements.find((requirement) => requirement.key === key)
    if (first === undefined || first.values.length !== 1) return undefined
    return first.operator === "=" || first.operator === "==" || first.operator === "in" ? first.values[0] : undefined
  }

  toString(): string {
    return this.requirements.map(requirementText).join(",")
  }
}

export const everyLabel = new LabelSelector([])
export const noLabel = new LabelSelector([], true)

const quoted = JSON.stringify

const countProblem = (operator: LabelOperator, values: ReadonlyArray<string>): ReadonlyArray<string> => {
  const shown = `values: Invalid value: ${quoted(values)}`
  switch (operator) {
    case "in":
    case "notin":
      return values.length > 0 ? [] : [`${shown}: for 'in', 'notin' operators, values set can't be empty`]
    case "=":
    case "==":
    case "!=":
      return values.length === 1 ? [] : [`${shown}: exact-match compatibility requires one single value`]
    case "exists":
    case "!":
      return values.length === 0 ? [] : [`${shown}: values set must be empty for exists and does not exist`]
    case ">":
    case "<":
      return [
        ...(values.length === 1 ? [] : [`${shown}: for 'Gt', 'Lt' operators, exactly one value is required`]),
        ...values.flatMap((value, at) =>
          int64Of(value) === undefined
            ? [`values[${at}]: Invalid value: ${quoted(value)}: for 'Gt', 'Lt' operators, the value must be an integer`]
            : []
        )
      ]
  }
}

/** A requirement that keeps all rules, or the message of the one that does not. */
const checked = (requirement: LabelRequirement): LabelRequirement | SelectorInvalid => {
  const { key, operator, values } = requirement
  const keyProblems = Names.qualifiedName(key)
  const problems = [
    ...(keyProblems.length === 0 ? [] : [`key: Invalid value: ${quoted(key)}: ${keyProblems.join("; ")}`]),
    ...countProblem(operator, values),
    ...values.flatMap((value, at) => {
      const found = Names.labelValue(value)
      return found.length === 0 ? [] : [`values[${at}][${key}]: Invalid value: ${quoted(value)}: ${found.join("; ")}`]
    })
  ]
  const distinct = [...new Set(problems)]
  if (distinct.length === 0) return requirement
  return new SelectorInvalid(distinct.length === 1 ? distinct[0] : `[${distinct.join(", ")}]`)
}

const byKey = (a: LabelRequirement, b: LabelRequirement): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)

const allOf = (
  found: ReadonlyArray<LabelRequirement>,
  failure: (invalid: SelectorInvalid) => SelectorInvalid
): LabelSelector | SelectorInvalid => {
  for (const requirement of found) {
    const judged = checked(requirement)
    if (judged instanceof SelectorInvalid) return failure(judged)
  }
  return new LabelSelector(found.toSorted(byKey))
}

/** Reads the text of `?labelSelector=`: "app=web,tier in (a, b),!old". */
export const parseLabelSelector = (text: string): LabelSelector | SelectorInvalid => {
  if (text === "") return everyLabel
  const parser = new LabelSelectorParser(text, (requirement) => {
    const judged = checked(requirement)
    return judged instanceof SelectorInvalid ? judged.message : undefined
  })
  const found = parser.parse()
  return typeof found === "string" ? new SelectorInvalid(found) : new LabelSelector([...found].sort(byKey))
}

const objectOperators: ReadonlyMap<string, LabelOperator> = new Map([
  ["In", "in"],
  ["NotIn", "notin"],
  ["Exists", "exists"],
  ["DoesNotExist", "!"]
])

const readObject = (selector: LabelSelectorObject): LabelSelector | SelectorInvalid => {
  const requirements: Array<LabelRequirement> = []
  for (const key in selector.matchLabels) {
    requirements.push({ key, operator: "=", values: [selector.matchLabels[key] ?? ""] })
  }
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    const known = objectOperators.get(operator)
    if (known === undefined) return new SelectorInvalid(`${quoted(operator)} is not a valid label selector operator`)
    requirements.push({ key, operator: known, values: values ?? [] })
  }
  return requirements.length === 0 ? everyLabel : allOf(requirements, (invalid) => invalid)
}

/** Objects are never changed in place, so what was read of one is good for as long as it lives. */
const read = new WeakMap<LabelSelectorObject, LabelSelector | SelectorInvalid>()

/** The selector of a spec: an absent one matches nothing, an empty one everything. Read once per object. */
export const labelSelectorOf = (selector: LabelSelectorObject | undefined): LabelSelector | SelectorInvalid => {
  if (selector === undefined) return noLabel
  const known = read.get(selector)
  if (known !== undefined) return known
  const fresh = readObject(selector)
  read.set(selector, fresh)
  return fresh
}

/** The selector of plain labels, as services have it: no labels match everything. Labels are not validated. */
export const labelSelectorOfLabels = (labels: Labels | undefined): LabelSelector =>
  new LabelSelector(
    Object.entries(labels ?? noLabels)
      .map(([key, value]): LabelRequirement => ({ key, operator: "=", values: [value] }))
      .sort(byKey)
  )

/** An object's selector as kubectl shows it: "<none>" for an empty one. */
export const formatLabelSelector = (selector: LabelSelectorObject | undefined): string => {
  const found = labelSelectorOf(selector)
  if (found instanceof SelectorInvalid) return "<error>"
  const text = found.toString()
  return text === "" ? "<none>" : text
}

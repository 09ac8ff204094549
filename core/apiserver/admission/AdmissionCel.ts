// CEL as admission has it: expressions over the object, what it was, the request, parameters and variables.
// Owns the environment and values as CEL sees them; refuses the language, which a maintained library brings, and what an answer means.
// Expressions are not typed by a schema: a field that is not there is an error when it is read, as it is for dynamic values upstream.
import type { ParseResult } from "@marcbachmann/cel-js"
import { isJsonObject, type Json, type JsonArray } from "#kube"
import type { AdmissionRequest } from "../Access.ts"
import { kubernetesCel } from "../crd/CelLibrary.ts"
import type { Definition } from "../Definition.ts"
import { inVersion, requestFields } from "./AdmissionReview.ts"
import { withoutStructs } from "./CelStructs.ts"

/** What expressions may name. */
const NAMES = ["object", "oldObject", "request", "params", "variables", "namespaceObject", "authorizer"] as const

/** What an expression sees; absent is null. */
export type AdmissionScope = Readonly<Partial<Record<(typeof NAMES)[number], unknown>>>

const makeEnvironment = () => NAMES.reduce((env, name) => env.registerVariable(name, "dyn"), kubernetesCel())

let environment: ReturnType<typeof makeEnvironment> | undefined

const env = () => (environment ??= makeEnvironment())

const lineOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? ""

/** Why an expression cannot be compiled; undefined when it can. */
export const admissionFault = (expression: string): string | undefined => {
  try {
    const { error, valid } = env().check(expression)
    return valid ? undefined : lineOf(error)
  } catch (error) {
    return lineOf(error)
  }
}

/** An expression, ready to be evaluated; throws what `admissionFault` tells. */
export const admissionExpression = (expression: string): ((scope: AdmissionScope) => unknown) => {
  const program: ParseResult = env().parse(expression)
  return (scope) => program(scope) as unknown
}

/** What every scope falls back to: a name that was not given is null. */
const NOTHING: AdmissionScope = Object.freeze(Object.fromEntries(NAMES.map((name) => [name, null])))

/** A value that is made when it is first read, and kept. */
export const defineLazily = (target: object, name: string, make: () => unknown): void => {
  Object.defineProperty(target, name, {
    configurable: true,
    enumerable: true,
    get: () => {
      const value = make()
      Object.defineProperty(target, name, { value, enumerable: true })
      return value
    }
  })
}

/** A scope that has these values, made when they are first read, and all of another one. */
export const scopeWithin = (
  outer: AdmissionScope,
  values: Readonly<Partial<Record<keyof AdmissionScope, () => unknown>>>
): AdmissionScope => {
  // SAFETY: a scope's values are read by name only, which its prototype answers as well.
  const scope = Object.create(outer) as AdmissionScope
  for (const [name, make] of Object.entries(values)) defineLazily(scope, name, make)
  return scope
}

/** A JSON value as CEL sees it: whole numbers are int. */
export const celOf = (value: Json | undefined): unknown => {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value
  if (Array.isArray(value)) return (value as JsonArray).map(celOf)
  if (!isJsonObject(value)) return value ?? null
  const made: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(value)) if (field !== undefined) made[name] = celOf(field)
  return made
}

const isTimestamp = (value: unknown): value is { readonly toISOString: () => string } =>
  typeof value === "object" && value !== null && "toISOString" in value

/** A value of CEL as JSON; what JSON has no form for is its text. */
export const jsonOf = (value: unknown): Json => {
  if (typeof value === "bigint") return Number(value)
  if (Array.isArray(value)) return value.map(jsonOf)
  if (value instanceof Map) return Object.fromEntries(Array.from(value, ([key, one]) => [String(key), jsonOf(one)]))
  if (isTimestamp(value)) return value.toISOString()
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, jsonOf(one)]))
  }
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null
}

/** One request meets many expressions, and is made ready for them once. */
const scopes = new WeakMap<AdmissionRequest, Map<Definition, AdmissionScope>>()

/** What expressions see of a request, its objects in the version of a definition. */
export const requestScope = (admission: AdmissionRequest, matched: Definition): AdmissionScope => {
  let ofRequest = scopes.get(admission)
  if (ofRequest === undefined) scopes.set(admission, (ofRequest = new Map()))
  const known = ofRequest.get(matched)
  if (known !== undefined) return known
  const { definition, object, oldObject } = admission
  // SAFETY: objects are JSON; KubeObject leaves the types of their other fields open.
  const seen = (one: typeof object) => (): unknown => celOf(inVersion(one, definition, matched) as unknown as Json)
  const scope = scopeWithin(NOTHING, {
    object: seen(object),
    oldObject: seen(oldObject),
    request: () => celOf(requestFields(admission, matched))
  })
  ofRequest.set(matched, scope)
  return scope
}

/** Expressions by their text: when there are so many, all are forgotten. */
const COMPILED_MAX = 1024
const compiled = new Map<string, ReturnType<typeof admissionExpression>>()

/** An expression that was perhaps compiled before; literals of types in it are maps. */
export const compiledExpression = (expression: string): ReturnType<typeof admissionExpression> => {
  const known = compiled.get(expression)
  if (known !== undefined) return known
  const made = admissionExpression(withoutStructs(expression))
  if (compiled.size >= COMPILED_MAX) compiled.clear()
  compiled.set(expression, made)
  return made
}

/** Whether a condition of a webhook holds for a request, or why that cannot be told. */
export const matchCondition = (expression: string, admission: AdmissionRequest): boolean | string => {
  try {
    const value = compiledExpression(expression)(requestScope(admission, admission.definition))
    return typeof value === "boolean" ? value : "must evaluate to bool"
  } catch (error) {
    return lineOf(error)
  }
}

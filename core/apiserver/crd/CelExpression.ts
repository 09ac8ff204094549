// A CEL expression over plain JSON, for whoever takes expressions from configuration: Kubernetes' functions, JSON in, JSON out.
// Owns compiling, running and the way back from CEL's values; refuses schemas, which the rules of custom resources have.
import type { ParseResult } from "@marcbachmann/cel-js"
import type { Json } from "#kube"
import { kubernetesCel } from "./CelLibrary.ts"
import { celValue } from "./CelRules.ts"

/** Why an expression cannot be compiled or did not come to a value. */
export class CelFailed extends Error {
  readonly _tag = "CelFailed"
}

/** Runs a compiled expression; a variable that is undefined is null there. */
export type CelExpression = (variables: Readonly<Record<string, Json | undefined>>) => Json | CelFailed

const failed = (error: unknown): CelFailed =>
  new CelFailed((error instanceof Error ? error.message : String(error)).split("\n")[0])

/** A value of CEL as JSON has it: whole numbers as numbers, what only CEL knows as its text. */
const jsonOf = (value: unknown): Json => {
  if (value === null || value === undefined) return null
  if (typeof value === "bigint") return Number(value)
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value
  if (Array.isArray(value)) return value.map(jsonOf)
  const entries = value instanceof Map ? [...value] : Object.entries(value)
  return Object.fromEntries(
    entries.filter(([, field]) => field !== undefined).map(([name, field]) => [String(name), jsonOf(field)])
  )
}

/** Compiles an expression that may use these variables; a failure says where the text is wrong. */
export const celExpression = (text: string, variables: ReadonlyArray<string>): CelExpression | CelFailed => {
  let program: ParseResult
  try {
    let environment = kubernetesCel()
    for (const name of variables) environment = environment.registerVariable(name, "dyn")
    program = environment.parse(text)
    const { error, valid } = program.check()
    if (!valid) return failed(error ?? "the expression has no type")
  } catch (error) {
    return failed(error)
  }
  return (values) => {
    const bound: Record<string, unknown> = {}
    for (const name of variables) bound[name] = celValue(values[name] ?? null, undefined)
    try {
      return jsonOf(program(bound) as unknown)
    } catch (error) {
      return failed(error)
    }
  }
}

// A body as its kind's schema wants it: readable, without unknown fields, with defaults.
// Owns the order (read, prune, default) and what fieldValidation makes of unknown fields; refuses rules of values.
// What is the very same as in the version before has been through here already and is not looked at again.
import {
  ApiFailure,
  cannotBeHandled,
  decodeProblem,
  Failures,
  fillDefaults,
  isTidy,
  type Json,
  type JsonObject,
  type KubeObject,
  prune,
  strictDecodingMessage,
  unknownFieldProblem,
  unknownFields
} from "#kube"
import type { Definition } from "../Definition.ts"

export type FieldValidation = "Ignore" | "Warn" | "Strict"

/** The conforming object, or the failure; unknown fields are added to the warnings when that is asked for. */
export const conform = (
  definition: Definition,
  body: KubeObject,
  old: KubeObject | undefined,
  validation: FieldValidation,
  warnings: Array<string>
): KubeObject | ApiFailure => {
  const { custom, kind, schema, version } = definition
  // SAFETY: objects are JSON, and filling in defaults keeps kind and metadata.
  const given = body as unknown as JsonObject
  const stored = old as unknown as JsonObject | undefined
  if (custom !== true && isTidy(schema, given, stored)) {
    return fillDefaults(schema, given, stored) as unknown as KubeObject
  }
  let pruned: Record<string, unknown> | undefined
  const nulls = custom === true ? KEEP_NULLS : DROP_NULLS
  for (const name in body) {
    const value = body[name] as Json | undefined
    const before = old?.[name] as Json | undefined
    if (value === undefined || value === before) continue
    const field = schema.fields?.get(name)
    if (field === undefined) {
      if (schema.fields === undefined || schema.preserveUnknownFields === true || HEAD.has(name)) continue
      pruned ??= { ...body }
      delete pruned[name]
      continue
    }
    if (custom !== true) {
      const problem = decodeProblem(field, value, before)
      // In its place the problem is told with the whole path.
      if (problem !== undefined) {
        return Failures.badRequest(cannotBeHandled(kind, version, decodeProblem(schema, { [name]: value }) ?? problem))
      }
    }
    const kept = prune(field, value, nulls, before)
    if (kept !== value) (pruned ??= { ...body })[name] = kept
  }
  if (pruned !== undefined && validation !== "Ignore") {
    const unknown = unknownFields(schema, body as unknown as Json).map(unknownFieldProblem)
    if (unknown.length > 0 && validation === "Strict") return Failures.badRequest(strictDecodingMessage(unknown))
    warnings.push(...unknown)
  }
  // What the stored object holds has its defaults; custom resources' schemas may have gained some since.
  const filled = custom === true ? undefined : (old as JsonObject | undefined)
  return fillDefaults(schema, (pruned ?? body) as JsonObject, filled) as unknown as KubeObject
}

const KEEP_NULLS = { nulls: "keep" } as const
const DROP_NULLS = { nulls: "drop" } as const
const HEAD: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"])

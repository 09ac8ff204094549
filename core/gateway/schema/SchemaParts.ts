// The few shapes of which the gateway's custom resource schemas are made.
// Owns these words; refuses to know any field. No default stands in a schema: a manifest reads back as it was written.
import type { JsonObject } from "#kube"

interface Bounds {
  readonly min?: number
  readonly max?: number
}

/** A string. */
export const text = (description: string, rest: JsonObject = {}): JsonObject => ({
  type: "string",
  description,
  ...rest
})

/** A string of a closed list. */
export const choice = (description: string, values: ReadonlyArray<string>): JsonObject => ({
  type: "string",
  description,
  enum: values
})

export const flag = (description: string): JsonObject => ({ type: "boolean", description })

/** An int32. */
export const integer = (description: string, { max, min }: Bounds = {}): JsonObject => ({
  type: "integer",
  format: "int32",
  description,
  ...(min === undefined ? {} : { minimum: min }),
  ...(max === undefined ? {} : { maximum: max })
})

export const listOf = (description: string, items: JsonObject, rest: JsonObject = {}): JsonObject => ({
  type: "array",
  description,
  items,
  ...rest
})

export const texts = (description: string): JsonObject => listOf(description, { type: "string" })

/** An object with these fields. */
export const struct = (
  description: string,
  properties: JsonObject,
  required: ReadonlyArray<string> = []
): JsonObject => ({
  type: "object",
  description,
  properties,
  ...(required.length === 0 ? {} : { required })
})

/** A time as RFC 3339 has it. */
export const moment = (description: string): JsonObject => ({ type: "string", format: "date-time", description })

// Field problems in apimachinery's words: what a validator finds wrong, collected in order.
// Owns the wording that is common to all kinds; refuses to know any kind's rules.
import type { FieldProblem, Json } from "#kube"

/** Where validators put what they find. */
export type Problems = Array<FieldProblem>

export const required = (field: string, detail = ""): FieldProblem => ({ type: "FieldValueRequired", field, detail })

export const forbidden = (field: string, detail: string): FieldProblem => ({
  type: "FieldValueForbidden",
  field,
  detail
})

export const invalid = (field: string, value: Json | undefined, detail: string): FieldProblem => ({
  type: "FieldValueInvalid",
  field,
  value: value ?? null,
  detail
})

/** An Invalid whose value is not shown. */
export const invalidUnshown = (field: string, detail: string): FieldProblem => ({
  type: "FieldValueInvalid",
  field,
  detail
})

export const duplicate = (field: string, value: Json): FieldProblem => ({
  type: "FieldValueDuplicate",
  field,
  value,
  detail: ""
})

export const notFound = (field: string, value: Json, detail = ""): FieldProblem => ({
  type: "FieldValueNotFound",
  field,
  value,
  detail
})

export const notSupported = (field: string, value: Json, supported: ReadonlyArray<string>): FieldProblem => ({
  type: "FieldValueNotSupported",
  field,
  value,
  detail: supported.length === 0 ? "" : `supported values: ${supported.map((one) => JSON.stringify(one)).join(", ")}`
})

export const tooLong = (field: string, maxBytes: number): FieldProblem => ({
  type: "FieldValueTooLong",
  field,
  detail: `may not be more than ${maxBytes} ${maxBytes === 1 ? "byte" : "bytes"}`
})

export const tooMany = (field: string, actual: number, most: number): FieldProblem => ({
  type: "FieldValueTooMany",
  field,
  value: actual,
  detail: `must have at most ${most} ${most === 1 ? "item" : "items"}`
})

/** What is wrong with a value that may not change. */
export const IMMUTABLE = "field is immutable"

/** What is wrong with a count below zero. */
export const NOT_NEGATIVE = "must be greater than or equal to 0"

/** One Invalid for each message of a name rule. */
export const invalidEach = (
  field: string,
  value: string,
  messages: ReadonlyArray<string>,
  problems: Problems
): void => {
  for (const message of messages) problems.push(invalid(field, value, message))
}

/** A count that must not be negative; absent passes. */
export const notNegative = (field: string, value: unknown, problems: Problems): void => {
  if (typeof value === "number" && value < 0) problems.push(invalid(field, value, NOT_NEGATIVE))
}

/** A value of a closed list: required when empty, not supported when unknown. */
export const oneOf = (field: string, value: unknown, supported: ReadonlyArray<string>, problems: Problems): void => {
  const text = typeof value === "string" ? value : ""
  if (text === "") problems.push(required(field))
  else if (!supported.includes(text)) problems.push(notSupported(field, text, supported))
}

/** As `oneOf`, where the value may be absent. */
export const optionalOneOf = (
  field: string,
  value: unknown,
  supported: ReadonlyArray<string>,
  problems: Problems
): void => {
  if (typeof value === "string" && !supported.includes(value)) problems.push(notSupported(field, value, supported))
}

/** What is wrong with a number that must be less than another of the status. */
export const notAbove = (
  path: string,
  status: Readonly<Record<string, unknown>>,
  field: string,
  bound: string,
  detail: string,
  problems: Problems
): void => {
  const value = typeof status[field] === "number" ? status[field] : 0
  const most = typeof status[bound] === "number" ? status[bound] : 0
  if (value > most) problems.push(invalid(`${path}.${field}`, value, detail))
}

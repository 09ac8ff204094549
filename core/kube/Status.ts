// Answers that are not objects: meta/v1 Status, and the failures that carry one.
// Owns reasons, codes and the wording of apimachinery's errors; refuses to decide when a request fails.
import type { Json } from "./Json.ts"
import { groupResource } from "./Resource.ts"

export interface StatusCause {
  readonly reason?: string
  readonly message?: string
  readonly field?: string
}

/** meta/v1 Status as it is sent. */
export interface Status {
  readonly kind: "Status"
  readonly apiVersion: "v1"
  readonly metadata: {
    readonly resourceVersion?: string
    readonly continue?: string
    readonly remainingItemCount?: number
  }
  readonly status: "Success" | "Failure"
  readonly message?: string
  readonly reason?: string
  readonly details?: {
    readonly name?: string
    readonly group?: string
    readonly kind?: string
    readonly uid?: string
    readonly causes?: ReadonlyArray<StatusCause>
    readonly retryAfterSeconds?: number
  }
  readonly code?: number
}

/** A request that failed: `status` is what a client is sent. Never holds what must stay secret. */
export class ApiFailure extends Error {
  readonly _tag = "ApiFailure"
  override readonly name = "ApiFailure"
  readonly status: Status

  constructor(status: Status) {
    // An answer, not a fault of ours: where it was made says nothing, and finding that out costs more than most requests.
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(status.message)
    Error.stackTraceLimit = stackTraceLimit
    this.status = status
  }

  /** The HTTP code. */
  get code(): number {
    return this.status.code ?? 500
  }

  /** StatusReason; empty when unknown. */
  get reason(): string {
    return this.status.reason ?? ""
  }
}

/** Which object a failure is about, in the terms of messages. */
export interface FailureTarget {
  readonly group: string
  readonly resource: string
  readonly name: string
}

/** A rule of a field that a value broke; the types are those of apimachinery's field errors. */
export interface FieldProblem {
  readonly type:
    | "FieldValueNotFound"
    | "FieldValueRequired"
    | "FieldValueDuplicate"
    | "FieldValueInvalid"
    | "FieldValueNotSupported"
    | "FieldValueForbidden"
    | "FieldValueTooLong"
    | "FieldValueTooMany"
    | "FieldValueTypeInvalid"
    | "InternalError"
  /** Like `spec.containers[0].name`. */
  readonly field: string
  /** The value as the message shows it; absent for Required, Forbidden, TooLong and TooMany. */
  readonly value?: Json
  readonly detail: string
}

const fail = (code: number, reason: string, message: string, details?: NonNullable<Status["details"]>): ApiFailure =>
  new ApiFailure({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    ...(details === undefined ? {} : { details }),
    code
  })

const about = ({ group, name, resource }: FailureTarget): NonNullable<Status["details"]> => ({
  ...(name === "" ? {} : { name }),
  ...(group === "" ? {} : { group }),
  ...(resource === "" ? {} : { kind: resource })
})

/** One line of an Invalid failure: `field: Invalid value: "x": why`. */
export const describeProblem = ({ detail, type, value }: FieldProblem): string => {
  const titles: Record<FieldProblem["type"], string> = {
    FieldValueNotFound: "Not found",
    FieldValueRequired: "Required value",
    FieldValueDuplicate: "Duplicate value",
    FieldValueInvalid: "Invalid value",
    FieldValueNotSupported: "Unsupported value",
    FieldValueForbidden: "Forbidden",
    FieldValueTooLong: "Too long",
    FieldValueTooMany: "Too many",
    FieldValueTypeInvalid: "Invalid value",
    InternalError: "Internal error"
  }
  const shown = value === undefined ? "" : `: ${typeof value === "object" ? JSON.stringify(value) : shownScalar(value)}`
  return `${titles[type]}${shown}${detail === "" ? "" : `: ${detail}`}`
}

const shownScalar = (value: string | number | boolean): string =>
  typeof value === "string" ? JSON.stringify(value) : String(value)

/** The failures of apimachinery, by its names and in its words. */
export const Failures = {
  notFound: (target: FailureTarget): ApiFailure =>
    fail(404, "NotFound", `${groupResource(target)} "${target.name}" not found`, about(target)),
  alreadyExists: (target: FailureTarget): ApiFailure =>
    fail(409, "AlreadyExists", `${groupResource(target)} "${target.name}" already exists`, about(target)),
  conflict: (target: FailureTarget, why: string, causes?: ReadonlyArray<StatusCause>): ApiFailure =>
    fail(409, "Conflict", `Operation cannot be fulfilled on ${groupResource(target)} "${target.name}": ${why}`, {
      ...about(target),
      ...(causes === undefined ? {} : { causes })
    }),
  /** Server-side apply's conflicts name managers and fields in `causes`. */
  applyConflict: (message: string, causes: ReadonlyArray<StatusCause>): ApiFailure =>
    fail(409, "Conflict", message, { causes }),
  invalid: (
    kind: { readonly group: string; readonly kind: string },
    name: string,
    problems: ReadonlyArray<FieldProblem>
  ): ApiFailure => {
    const causes = problems.map((problem) => ({
      reason: problem.type,
      message: describeProblem(problem),
      field: problem.field
    }))
    const lines = causes.map(({ field, message }) => `${field}: ${message}`)
    const all = lines.length === 1 ? (lines[0] ?? "") : `[${lines.join(", ")}]`
    const qualified = kind.group === "" ? kind.kind : `${kind.kind}.${kind.group}`
    return fail(422, "Invalid", `${qualified} "${name}" is invalid${all === "" ? "" : `: ${all}`}`, {
      ...(name === "" ? {} : { name }),
      ...(kind.group === "" ? {} : { group: kind.group }),
      kind: kind.kind,
      causes
    })
  },
  badRequest: (message: string): ApiFailure => fail(400, "BadRequest", message),
  unauthorized: (message = "Unauthorized"): ApiFailure => fail(401, "Unauthorized", message),
  forbidden: (target: FailureTarget, why: string): ApiFailure => {
    const subject = target.name === "" ? groupResource(target) : `${groupResource(target)} "${target.name}"`
    return fail(
      403,
      "Forbidden",
      `${target.resource === "" ? "forbidden" : `${subject} is forbidden`}: ${why}`,
      about(target)
    )
  },
  methodNotSupported: (target: Omit<FailureTarget, "name">, verb: string): ApiFailure =>
    fail(
      405,
      "MethodNotAllowed",
      `${verb} is not supported on resources of kind "${groupResource(target)}"`,
      about({ ...target, name: "" })
    ),
  notAcceptable: (accepted: ReadonlyArray<string>): ApiFailure =>
    fail(406, "NotAcceptable", `only the following media types are accepted: ${accepted.join(", ")}`),
  unsupportedMediaType: (accepted: ReadonlyArray<string>): ApiFailure =>
    fail(
      415,
      "UnsupportedMediaType",
      `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`
    ),
  tooLarge: (message: string): ApiFailure => fail(413, "RequestEntityTooLarge", message),
  /** Retry-After goes with it. */
  tooManyRequests: (message: string, retryAfterSeconds: number): ApiFailure =>
    fail(429, "TooManyRequests", message, { retryAfterSeconds }),
  /** The continue token or resourceVersion is older than the last compaction. */
  expired: (message: string): ApiFailure => fail(410, "Expired", message),
  gone: (message: string): ApiFailure => fail(410, "Gone", message),
  timeout: (message: string, retryAfterSeconds: number): ApiFailure =>
    fail(504, "Timeout", `Timeout: ${message}`, { retryAfterSeconds }),
  /** A resourceVersion that the server has not reached yet. */
  tooLargeResourceVersion: (wanted: string, current: string): ApiFailure =>
    fail(504, "Timeout", `Too large resource version: ${wanted}, current: ${current}`, {
      causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
      retryAfterSeconds: 1
    }),
  internal: (message: string): ApiFailure =>
    fail(500, "InternalError", `Internal error occurred: ${message}`, { causes: [{ message }] }),
  unavailable: (message: string): ApiFailure => fail(503, "ServiceUnavailable", message),
  /** An HTTP answer that was no Status. */
  generic: (code: number, reason: string, message: string): ApiFailure => fail(code, reason, message)
} as const

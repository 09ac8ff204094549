// Which revision a list, a get or a watch is about: the rules of resourceVersion, resourceVersionMatch, limit and continue.
// Owns these rules and their words, as kube-apiserver has them; refuses to read anything.
import { ApiFailure, Failures, type FieldProblem } from "#kube"
import type { RequestOptions } from "../Request.ts"
import { decodeContinue } from "./ContinueToken.ts"

/** What a list reads. */
export interface ListPlan {
  /** "newest": all that was acknowledged before; "any": what is at hand; else a revision, or at least one. */
  readonly read: "newest" | "any" | "exact" | "at-least"
  readonly revision: number
  /** The key to start at, relative to the resource; empty: the first. */
  readonly start: string
  /** 0: all. */
  readonly limit: number
  readonly isContinued: boolean
}

const LIST_OPTIONS = { group: "meta.k8s.io", kind: "ListOptions" }

const forbidden = (field: string, detail: string): FieldProblem => ({ type: "FieldValueForbidden", field, detail })

/** A resourceVersion as a number; a failure when it is none. */
export const parseRevision = (text: string): number | undefined => {
  if (text === "") return 0
  const revision = /^\d+$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(revision) ? revision : undefined
}

/** The refusal of a resourceVersion that is no number. */
export const invalidRevision = (text: string, prefix = ""): ApiFailure =>
  Failures.badRequest(
    `${prefix}resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`
  )

const NO_MATCH = "resourceVersionMatch is forbidden unless resourceVersion is provided"
const NO_CONTINUE = "resourceVersionMatch is forbidden when continue is provided"

const matchProblems = ({ continue: token = "", resourceVersion = "", resourceVersionMatch: match }: RequestOptions) => {
  if (match === undefined) return []
  const field = "resourceVersionMatch"
  const problems: Array<FieldProblem> = []
  if (resourceVersion === "") problems.push(forbidden(field, NO_MATCH))
  if (token !== "") problems.push(forbidden(field, NO_CONTINUE))
  if (match !== "Exact" && match !== "NotOlderThan") {
    const detail = 'supported values: "Exact", "NotOlderThan", ""'
    problems.push({ type: "FieldValueNotSupported", field, value: match, detail })
  }
  if (match === "Exact" && resourceVersion === "0") {
    problems.push(forbidden(field, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
  }
  return problems
}

/** What a list with these options reads, or why it is refused. */
export const planList = (options: RequestOptions): ListPlan | ApiFailure => {
  const { continue: token = "", limit = 0, resourceVersion = "", resourceVersionMatch: match } = options
  const problems = matchProblems(options)
  if (problems.length > 0) return Failures.invalid(LIST_OPTIONS, "", problems)
  if (token !== "") {
    const decoded = decodeContinue(token)
    if (decoded instanceof ApiFailure) return decoded
    if (resourceVersion !== "" && resourceVersion !== "0") {
      return Failures.badRequest("specifying resource version is not allowed when using continue")
    }
    const read = decoded.revision > 0 ? "exact" : "newest"
    return { read, revision: Math.max(decoded.revision, 0), start: decoded.start, limit, isContinued: true }
  }
  const revision = parseRevision(resourceVersion)
  if (revision === undefined) return invalidRevision(resourceVersion, "invalid resource version: ")
  const plain = { revision, start: "", isContinued: false }
  if (resourceVersion === "") return { ...plain, read: "newest", limit }
  // The limit is not looked at: everything is at hand.
  if (revision === 0) return { ...plain, read: "any", limit: 0 }
  const exact = match === "Exact" || (match === undefined && limit > 0)
  return { ...plain, read: exact ? "exact" : "at-least", limit }
}

/** Why a watch with these options is refused. */
export const refuseWatch = (options: RequestOptions): ApiFailure | undefined => {
  const { continue: token = "", resourceVersionMatch: match, sendInitialEvents } = options
  const field = "resourceVersionMatch"
  const problems: Array<FieldProblem> = []
  if (sendInitialEvents !== undefined && match !== "NotOlderThan") {
    problems.push(forbidden(field, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
  }
  if (match !== undefined) {
    if (sendInitialEvents === undefined) {
      const detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
      problems.push(forbidden(field, detail))
    }
    if (match !== "NotOlderThan") {
      problems.push({ type: "FieldValueNotSupported", field, value: match, detail: 'supported values: "NotOlderThan"' })
    }
    if (token !== "") problems.push(forbidden(field, NO_CONTINUE))
  }
  return problems.length > 0 ? Failures.invalid(LIST_OPTIONS, "", problems) : undefined
}

/** A list's revision was compacted. */
export const listExpired = (): ApiFailure => Failures.expired("The resourceVersion for the provided list is too old.")

/** A page's revision was compacted: the token goes on at the newest state. */
export const continueExpired = (token: string): ApiFailure => {
  const { status } = Failures.expired(INCONSISTENT)
  return new ApiFailure({ ...status, metadata: { continue: token } })
}

const INCONSISTENT =
  "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list."

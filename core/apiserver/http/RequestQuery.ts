// The options of a verb, decoded from the query and checked by the rules of apimachinery's option types.
// Owns which verb reads which parameter and the wording of refusals; refuses selectors' grammar, which the Api parses.
import { ApiFailure, Failures, type FieldProblem, type JsonObject } from "#kube"
import type { RequestOptions, Verb } from "../Request.ts"
import { booleanOption, firstFailure, integerOption } from "./OptionValues.ts"
import type { Query } from "./RequestUrl.ts"

const FIELD_MANAGER_MAX = 128

const invalid = (kind: string, problems: ReadonlyArray<FieldProblem>): ApiFailure =>
  Failures.invalid({ group: "meta.k8s.io", kind }, "", problems)

const forbidden = (field: string, detail: string): FieldProblem => ({ type: "FieldValueForbidden", field, detail })

const unsupported = (field: string, value: FieldProblem["value"], supported: ReadonlyArray<string>): FieldProblem => ({
  type: "FieldValueNotSupported",
  field,
  ...(value === undefined ? {} : { value }),
  detail: `supported values: ${supported.map((each) => JSON.stringify(each)).join(", ")}`
})

/** What only the front asks of a list or watch. */
export interface ListQuery {
  readonly options: RequestOptions
  readonly timeoutSeconds: number
}

const listProblems = (query: Query, watch: boolean): ReadonlyArray<FieldProblem> => {
  const field = "resourceVersionMatch"
  const match = query.get(field)
  const problems: Array<FieldProblem> = []
  const hasInitial = query.has("sendInitialEvents")
  if (watch) {
    if (hasInitial && match !== "NotOlderThan") {
      problems.push(forbidden(field, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
    }
    if (match === "") return problems
    if (!hasInitial) {
      problems.push(
        forbidden(field, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
      )
    }
    if (match !== "NotOlderThan") problems.push(unsupported(field, match, ["NotOlderThan"]))
    if (query.get("continue") !== "") {
      problems.push(forbidden(field, "resourceVersionMatch is forbidden when continue is provided"))
    }
    return problems
  }
  if (match !== "") {
    if (query.get("resourceVersion") === "") {
      problems.push(forbidden(field, "resourceVersionMatch is forbidden unless resourceVersion is provided"))
    }
    if (query.get("continue") !== "") {
      problems.push(forbidden(field, "resourceVersionMatch is forbidden when continue is provided"))
    }
    if (match !== "Exact" && match !== "NotOlderThan") {
      problems.push(unsupported(field, match, ["Exact", "NotOlderThan", ""]))
    }
    if (match === "Exact" && query.get("resourceVersion") === "0") {
      problems.push(forbidden(field, `resourceVersionMatch "exact" is forbidden for resourceVersion "0"`))
    }
  }
  if (hasInitial) problems.push(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
  return problems
}

/** ListOptions of list, watch and deletecollection. A name in the path selects by `metadata.name`. */
export const listQuery = (query: Query, watch: boolean, name: string): ListQuery | ApiFailure => {
  const limit = integerOption(query, "limit")
  const timeoutSeconds = integerOption(query, "timeoutSeconds")
  const bad = firstFailure(limit, timeoutSeconds)
  if (bad !== undefined) return bad
  const problems = listProblems(query, watch)
  if (problems.length > 0) return invalid("ListOptions", problems)
  const options: { -readonly [K in keyof RequestOptions]: RequestOptions[K] } = {}
  const labelSelector = query.get("labelSelector")
  const resourceVersion = query.get("resourceVersion")
  const match = query.get("resourceVersionMatch")
  const continueAt = query.get("continue")
  const fieldSelector = selectName(query.get("fieldSelector"), name)
  if (labelSelector !== "") options.labelSelector = labelSelector
  if (fieldSelector !== "") options.fieldSelector = fieldSelector
  if (resourceVersion !== "") options.resourceVersion = resourceVersion
  if (match === "Exact" || match === "NotOlderThan") options.resourceVersionMatch = match
  if (continueAt !== "" && !watch) options.continue = continueAt
  if (typeof limit === "number" && limit > 0 && !watch) options.limit = limit
  if (watch) {
    options.allowWatchBookmarks = booleanOption(query, "allowWatchBookmarks") === true
    const initial = booleanOption(query, "sendInitialEvents")
    if (initial !== undefined) options.sendInitialEvents = initial
  }
  return { options, timeoutSeconds: typeof timeoutSeconds === "number" ? timeoutSeconds : 0 }
}

const selectName = (fieldSelector: string, name: string): string => {
  if (name === "") return fieldSelector
  return fieldSelector === "" ? `metadata.name=${name}` : `metadata.name=${name},${fieldSelector}`
}

const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u

const managerProblems = (manager: string): ReadonlyArray<FieldProblem> => {
  const problems: Array<FieldProblem> = []
  if (Buffer.byteLength(manager) > FIELD_MANAGER_MAX) {
    problems.push({
      type: "FieldValueTooLong",
      field: "fieldManager",
      detail: `may not be more than ${FIELD_MANAGER_MAX} bytes`
    })
  }
  let at = 0
  for (const character of manager) {
    if (!printable.test(character)) {
      const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")
      problems.push({
        type: "FieldValueInvalid",
        field: "fieldManager",
        value: manager,
        detail: `invalid character U+${code} (at position ${at})`
      })
    }
    at += Buffer.byteLength(character)
  }
  return problems
}

const dryRunProblems = (values: ReadonlyArray<string>): ReadonlyArray<FieldProblem> =>
  values.every((value) => value === "All") ? [] : [unsupported("dryRun", [...values], ["All"])]

const fieldValidations = ["", "Ignore", "Strict", "Warn"]

/** Who writes when a request does not say: the program that sends it, as far as its User-Agent names it. */
const managerOf = (userAgent: string | undefined): string => {
  const [program = ""] = (userAgent ?? "").split("/")
  let manager = ""
  for (const character of program) {
    if (!printable.test(character)) continue
    if (Buffer.byteLength(manager) + Buffer.byteLength(character) > FIELD_MANAGER_MAX) break
    manager += character
  }
  return manager === "" ? "unknown" : manager
}

/** What a write says besides its query. */
export interface Writer {
  readonly verb: "create" | "update" | "patch"
  /** Whether it is a server-side apply. */
  readonly applies: boolean
  readonly userAgent: string | undefined
}

/** CreateOptions, UpdateOptions and PatchOptions. */
export const writeQuery = (query: Query, { applies, userAgent, verb }: Writer): RequestOptions | ApiFailure => {
  const fieldManager = query.get("fieldManager")
  const fieldValidation = query.get("fieldValidation")
  const dryRun = query.all("dryRun")
  const force = booleanOption(query, "force")
  const problems: Array<FieldProblem> = []
  if (applies && fieldManager === "") {
    problems.push({ type: "FieldValueRequired", field: "fieldManager", detail: "is required for apply patch" })
  }
  if (verb === "patch" && !applies && force !== undefined) {
    problems.push(forbidden("force", "may not be specified for non-apply patch"))
  }
  problems.push(...managerProblems(fieldManager), ...dryRunProblems(dryRun))
  if (!fieldValidations.includes(fieldValidation)) {
    problems.push(unsupported("fieldValidation", fieldValidation, fieldValidations))
  }
  const kinds = { create: "CreateOptions", update: "UpdateOptions", patch: "PatchOptions" }
  if (problems.length > 0) return invalid(kinds[verb], problems)
  const manager = fieldManager === "" ? managerOf(userAgent) : fieldManager
  return {
    fieldManager: manager,
    ...(fieldValidation === "" ? {} : { fieldValidation: fieldValidation as "Ignore" | "Warn" | "Strict" }),
    ...(dryRun.length === 0 ? {} : { dryRun: true }),
    ...(force === undefined ? {} : { force })
  }
}

const noOptions: RequestOptions = {}

/** GetOptions. */
export const getQuery = (query: Query): RequestOptions => {
  const resourceVersion = query.get("resourceVersion")
  return resourceVersion === "" ? noOptions : { resourceVersion }
}

/** DeleteOptions: of the body when there is one, else of the query. */
export const deleteQuery = (query: Query, body: JsonObject | undefined): RequestOptions | ApiFailure => {
  const fields = body ?? deleteFields(query)
  if (fields instanceof ApiFailure) return fields
  const { dryRun, gracePeriodSeconds, orphanDependents, preconditions, propagationPolicy } = fields
  const problems: Array<FieldProblem> = []
  if (orphanDependents !== undefined && orphanDependents !== null && typeof propagationPolicy === "string") {
    problems.push({
      type: "FieldValueInvalid",
      field: "propagationPolicy",
      value: propagationPolicy,
      detail: "orphanDependents and deletionPropagation cannot be both set"
    })
  }
  const policies = ["Foreground", "Background", "Orphan"]
  if (typeof propagationPolicy === "string" && !policies.includes(propagationPolicy)) {
    problems.push(unsupported("propagationPolicy", propagationPolicy, [...policies, "nil"]))
  }
  const dry = Array.isArray(dryRun) ? dryRun.filter((each): each is string => typeof each === "string") : []
  problems.push(...dryRunProblems(dry))
  if (problems.length > 0) return invalid("DeleteOptions", problems)
  const policy =
    typeof propagationPolicy === "string"
      ? (propagationPolicy as "Orphan")
      : orphanDependents === true
        ? "Orphan"
        : orphanDependents === false
          ? "Background"
          : undefined
  const conditions = preconditions as { readonly uid?: string; readonly resourceVersion?: string } | null | undefined
  return {
    ...(typeof gracePeriodSeconds === "number" ? { gracePeriodSeconds } : {}),
    ...(policy === undefined ? {} : { propagationPolicy: policy }),
    ...(conditions === undefined || conditions === null ? {} : { preconditions: conditions }),
    ...(dry.length === 0 ? {} : { dryRun: true })
  }
}

const deleteFields = (query: Query): JsonObject | ApiFailure => {
  const grace = integerOption(query, "gracePeriodSeconds")
  const orphan = booleanOption(query, "orphanDependents")
  const policy = query.get("propagationPolicy")
  if (grace instanceof ApiFailure) return grace
  return {
    dryRun: query.all("dryRun"),
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(orphan === undefined ? {} : { orphanDependents: orphan }),
    ...(policy === "" ? {} : { propagationPolicy: policy })
  }
}

/** Whether a verb reads its options from ListOptions. */
export const isListing = (verb: Verb): boolean => verb === "list" || verb === "watch" || verb === "deletecollection"

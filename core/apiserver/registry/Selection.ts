// What a list or watch selects: namespace, name, labels and fields, as one question and as places in the cache's indexes.
// Owns which fields may be asked for and the words of refusals; refuses selectors' syntax, which #kube has.
import {
  type ApiFailure,
  Failures,
  type FieldSelector,
  type KubeObject,
  type LabelSelector,
  parseFieldSelector,
  parseLabelSelector,
  SelectorInvalid
} from "#kube"
import type { WatchScope } from "../cache/WatcherIndex.ts"
import type { Definition } from "../Definition.ts"
import type { ApiRequest } from "../Request.ts"

export interface Selected {
  readonly scope: WatchScope
  /** Undefined when everything in the scope matches. */
  readonly matches: ((object: KubeObject) => boolean) | undefined
  /** Whether a selector was given: then what remains of a list is not counted. */
  readonly isSelective: boolean
}

const METADATA_FIELDS: Readonly<Record<string, (object: KubeObject) => string>> = {
  "metadata.name": ({ metadata }) => metadata.name ?? "",
  "metadata.namespace": ({ metadata }) => metadata.namespace ?? ""
}

const fieldOf = (definition: Definition, field: string): ((object: KubeObject) => string) | undefined =>
  METADATA_FIELDS[field] ?? definition.selectableFields[field]

/** Reads a request's selectors. */
export const select = (definition: Definition, request: ApiRequest): Selected | ApiFailure => {
  const { fieldSelector = "", labelSelector = "" } = request.options
  const labels = parseLabelSelector(labelSelector)
  if (labels instanceof SelectorInvalid) return Failures.badRequest(labels.message)
  const fields = parseFieldSelector(fieldSelector)
  if (fields instanceof SelectorInvalid) return Failures.badRequest(fields.message)
  for (const { field } of fields.requirements) {
    if (fieldOf(definition, field) === undefined) return Failures.badRequest(unsupported(definition, field))
  }
  const named = fields.exactMatch("metadata.name")
  if (request.name !== "" && fields.requirements.length > 0 && named !== request.name) {
    return Failures.badRequest("fieldSelector metadata.name doesn't match requested name")
  }
  const scope = scopeOf(definition, request, fields)
  const matches = matcher(definition, labels, fields)
  return { scope, matches, isSelective: !labels.empty || !fields.empty }
}

/** As generic kinds and kinds with fields of their own say it. */
const unsupported = ({ custom, selectableFields }: Definition, field: string): string =>
  custom === true || Object.keys(selectableFields).length > 0
    ? `field label not supported: ${field}`
    : `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`

/** The narrowest place that holds everything that can match. */
const scopeOf = (definition: Definition, request: ApiRequest, fields: FieldSelector): WatchScope => {
  const namespaced = definition.namespaced
  const namespace = namespaced
    ? request.namespace !== ""
      ? request.namespace
      : (fields.exactMatch("metadata.namespace") ?? "")
    : ""
  const name = request.name !== "" ? request.name : (fields.exactMatch("metadata.name") ?? "")
  // A name alone is a place only where it is the whole key.
  if (name !== "" && (namespace !== "" || !namespaced)) return { namespace, name }
  const exact = fields.requirements.find(
    ({ field, operator }) => operator === "=" && definition.selectableFields[field] !== undefined
  )
  const of = exact && definition.selectableFields[exact.field]
  return exact === undefined || of === undefined
    ? { namespace, name: "" }
    : { namespace, name: "", field: { name: exact.field, value: exact.value, of } }
}

const matcher = (
  definition: Definition,
  labels: LabelSelector,
  fields: FieldSelector
): ((object: KubeObject) => boolean) | undefined => {
  if (fields.empty) return labels.empty ? undefined : ({ metadata }) => labels.matches(metadata.labels)
  const requirements = fields.requirements.map(({ field, operator, value }) => ({
    of: fieldOf(definition, field),
    isEqual: operator === "=",
    value
  }))
  return (object) => {
    for (const { isEqual, of, value } of requirements) if ((of?.(object) === value) !== isEqual) return false
    return labels.empty || labels.matches(object.metadata.labels)
  }
}

// ValidatingAdmissionPolicy and MutatingAdmissionPolicy: rules that users write in CEL and the server itself evaluates.
// Owns the order of conditions, variables, validations and mutations, failure policies and the words of refusals; refuses matching
// (PolicyMatch.ts) and the language (AdmissionCel.ts). Expressions are not metered: policies come from administrators.
import {
  ApiFailure,
  apiVersionOf,
  applyJsonPatch,
  applyPatch,
  type Json,
  type JsonObject,
  isJsonObject,
  type KubeObject
} from "#kube"
import type { AdmissionPlugin, AdmissionRequest } from "../Access.ts"
import type { Api } from "../Api.ts"
import { fieldsOf, itemsOf, textOf, textsOf } from "../resources/Fields.ts"
import {
  type AdmissionScope,
  celOf,
  compiledExpression,
  defineLazily,
  jsonOf,
  requestScope,
  scopeWithin
} from "./AdmissionCel.ts"
import { inVersion } from "./AdmissionReview.ts"
import { type Fields, refusal } from "./Plugin.ts"
import { type Met, PolicyMatch } from "./PolicyMatch.ts"

/** An expression could not be evaluated, or gave what it must not. */
class Unevaluable extends Error {
  override readonly name = "Unevaluable"
}

const evaluate = (expression: string, scope: AdmissionScope): unknown => {
  try {
    return compiledExpression(expression)(scope)
  } catch (error) {
    const [why] = (error instanceof Error ? error.message : String(error)).split("\n")
    throw new Unevaluable(`expression '${expression}' resulted in error: ${why}`)
  }
}

const holds = (expression: string, scope: AdmissionScope): boolean => {
  const value = evaluate(expression, scope)
  if (typeof value !== "boolean")
    throw new Unevaluable(`expression '${expression}' resulted in error: must evaluate to bool`)
  return value
}

/** Variables by name; each is evaluated when it is first read, and may read those before it. */
const withVariables = (variables: ReadonlyArray<Fields>, outer: AdmissionScope): AdmissionScope => {
  if (variables.length === 0) return outer
  const values = {}
  const scope = scopeWithin(outer, { variables: () => values })
  for (const one of variables)
    defineLazily(values, textOf(one["name"]), () => evaluate(textOf(one["expression"]), scope))
  return scope
}

/** What the expressions of a policy see; undefined when a condition says that the request is none of its business. */
const scopeOf = (
  { definition, policy }: Met,
  admission: AdmissionRequest,
  params: KubeObject | undefined,
  namespace: KubeObject | undefined
): AdmissionScope | undefined => {
  const spec = fieldsOf(policy.spec)
  const asJson = (object: KubeObject | undefined) => (): unknown => celOf(object as unknown as Json | undefined)
  const scope = withVariables(
    itemsOf(spec["variables"]),
    scopeWithin(requestScope(admission, definition), { params: asJson(params), namespaceObject: asJson(namespace) })
  )
  const wanted = itemsOf(spec["matchConditions"]).every(({ expression }) => holds(textOf(expression), scope))
  return wanted ? scope : undefined
}

const ignores = ({ policy }: Met): boolean => fieldsOf(policy.spec)["failurePolicy"] === "Ignore"

/** One violation: what is said of it, and as which reason. */
interface Violation {
  readonly message: string
  readonly reason: string
}

const messageOf = (validation: Fields, scope: AdmissionScope): string => {
  const expression = textOf(validation["messageExpression"])
  if (expression !== "") {
    try {
      const text = evaluate(expression, scope)
      if (typeof text === "string" && text.trim() !== "" && !text.includes("\n")) return text.trim()
    } catch {
      // What cannot be said falls back to what can.
    }
  }
  const message = textOf(validation["message"]).trim()
  return message === "" ? `failed expression: ${textOf(validation["expression"]).trim()}` : message
}

const violations = (met: Met, scope: AdmissionScope): ReadonlyArray<Violation> =>
  itemsOf(fieldsOf(met.policy.spec)["validations"]).flatMap((validation) => {
    try {
      if (holds(textOf(validation["expression"]), scope)) return []
      return [{ message: messageOf(validation, scope), reason: textOf(validation["reason"]) || "Invalid" }]
    } catch (error) {
      if (!(error instanceof Unevaluable)) throw error
      return ignores(met) ? [] : [{ message: error.message, reason: "Invalid" }]
    }
  })

const CODES: Readonly<Record<string, number>> = {
  Unauthorized: 401,
  Forbidden: 403,
  RequestEntityTooLarge: 413,
  Invalid: 422
}

const denied = (admission: AdmissionRequest, { binding, policy }: Met, { message, reason }: Violation): ApiFailure => {
  const why = `ValidatingAdmissionPolicy '${policy.metadata.name ?? ""}' with binding '${binding.metadata.name ?? ""}' denied request: ${message}`
  const { status } = refusal(admission, why)
  const details = { ...status.details, causes: [...(status.details?.causes ?? []), { message }] }
  return new ApiFailure({ ...status, reason, code: CODES[reason] ?? 422, details })
}

/** What a policy finds, for each of its parameters. */
const found = (match: PolicyMatch, met: Met, admission: AdmissionRequest): ReadonlyArray<Violation> => {
  const parameters = match.parameters(met, admission)
  if (typeof parameters === "string") {
    return ignores(met) ? [] : [{ message: `failed to configure binding: ${parameters}`, reason: "Invalid" }]
  }
  const namespace = match.namespaceOf(admission)
  try {
    return parameters.flatMap((params) => {
      const scope = scopeOf(met, admission, params, namespace)
      return scope === undefined ? [] : violations(met, scope)
    })
  } catch (error) {
    if (!(error instanceof Unevaluable)) throw error
    return ignores(met) ? [] : [{ message: error.message, reason: "Invalid" }]
  }
}

/** Refuses, or warns of, what validating policies find wrong. */
export const validatingPolicies = (api: Api): AdmissionPlugin => {
  const match = new PolicyMatch(api, "validatingadmissionpolicies")
  return {
    name: "ValidatingAdmissionPolicy",
    handles: () => !match.isEmpty,
    validate: (admission, done) => {
      const warnings: Array<string> = []
      for (const met of match.meeting(admission)) {
        const actions = textsOf(fieldsOf(met.binding.spec)["validationActions"])
        const names = [met.policy, met.binding].map(({ metadata }) => metadata.name ?? "")
        for (const violation of found(match, met, admission)) {
          if (actions.includes("Deny")) return done(denied(admission, met, violation), warnings)
          if (actions.includes("Warn")) {
            warnings.push(
              `Validation failed for ValidatingAdmissionPolicy '${names[0]}' with binding '${names[1]}': ${violation.message}`
            )
          }
          if (actions.includes("Audit")) {
            admission.request.annotate?.("validation.policy.admission.k8s.io/validation_failure", violation.message)
          }
        }
      }
      done(undefined, warnings)
    }
  }
}

/** The object with a configuration applied, as server-side apply merges it, though nobody manages it. */
const applied = (
  object: KubeObject,
  config: JsonObject,
  { definition }: Met,
  nowMs: number
): KubeObject | ApiFailure => {
  const { managedFields, name, namespace } = object.metadata
  const metadata = {
    ...(isJsonObject(config["metadata"]) ? config["metadata"] : {}),
    name: name ?? "",
    ...(namespace === undefined ? {} : { namespace })
  }
  const apiVersion = apiVersionOf(definition)
  const merged = applyPatch({
    schema: definition.schema,
    apiVersion,
    kind: definition.kind,
    manager: "MutatingAdmissionPolicy",
    subresource: "",
    now: nowMs,
    live: { ...object, metadata: { ...object.metadata, managedFields: [] } },
    applied: { ...config, apiVersion, kind: definition.kind, metadata },
    force: true
  })
  if (merged instanceof ApiFailure) return merged
  const { managedFields: _own, ...kept } = merged.object.metadata
  return { ...merged.object, metadata: managedFields === undefined ? kept : { ...kept, managedFields } }
}

const mutated = (object: KubeObject, mutation: Fields, scope: AdmissionScope, met: Met, nowMs: number): KubeObject => {
  const isPatch = mutation["patchType"] === "JSONPatch"
  const expression = textOf(fieldsOf(mutation[isPatch ? "jsonPatch" : "applyConfiguration"])["expression"])
  const value = jsonOf(evaluate(expression, scope))
  const config = isJsonObject(value) ? value : {}
  const next = isPatch
    ? (applyJsonPatch(object as unknown as Json, value) as unknown as KubeObject | ApiFailure)
    : applied(object, config, met, nowMs)
  if (next instanceof ApiFailure) throw new Unevaluable(next.message)
  return next
}

/** The object as a policy makes it of a request's, for each of its parameters. */
const changedBy = (
  match: PolicyMatch,
  met: Met,
  admission: AdmissionRequest,
  nowMs: number
): KubeObject | undefined => {
  const parameters = match.parameters(met, admission)
  if (typeof parameters === "string") throw new Unevaluable(parameters)
  const { definition } = admission
  const namespace = match.namespaceOf(admission)
  let held = admission.object
  for (const params of parameters) {
    for (const mutation of itemsOf(fieldsOf(met.policy.spec)["mutations"])) {
      const scope = scopeOf(met, withObject(admission, held), params, namespace)
      const object = inVersion(held, definition, met.definition)
      if (scope === undefined || object === undefined) break
      held = inVersion(mutated(object, mutation, scope, met, nowMs), met.definition, definition)
    }
  }
  return held
}

const withObject = (admission: AdmissionRequest, object: KubeObject | undefined): AdmissionRequest => ({
  ...admission,
  object
})

/** Changes objects as mutating policies say. */
export const mutatingPolicies = (api: Api): AdmissionPlugin => {
  const match = new PolicyMatch(api, "mutatingadmissionpolicies")
  return {
    name: "MutatingAdmissionPolicy",
    handles: ({ object, operation }) => object !== undefined && operation !== "DELETE" && !match.isEmpty,
    mutate: (admission, done) => {
      let { object } = admission
      for (const met of match.meeting(admission)) {
        try {
          object = changedBy(match, met, withObject(admission, object), api.clockwork.now())
        } catch (error) {
          if (!(error instanceof Unevaluable)) throw error
          if (ignores(met)) continue
          const name = met.policy.metadata.name ?? ""
          return done(
            refusal(
              admission,
              `policy '${name}' with binding '${met.binding.metadata.name ?? ""}' denied request: ${error.message}`
            )
          )
        }
      }
      done({ object })
    }
  }
}

// AdmissionReview (admission.k8s.io/v1): what a webhook is asked, and whether its answer is one.
// Owns the two shapes and the wording of refusals; refuses transport.
import { ApiFailure, type Json, type JsonObject, type KubeObject, type Status } from "#kube"
import type { AdmissionRequest } from "../Access.ts"
import type { Definition } from "../Definition.ts"
import { fieldsIn, mapOf, numberIn, textOf, textsOf } from "../resources/Fields.ts"
import type { Fields } from "./Plugin.ts"

const API_VERSION = "admission.k8s.io/v1"

const OPTIONS = {
  CREATE: "CreateOptions",
  UPDATE: "UpdateOptions",
  DELETE: "DeleteOptions",
  CONNECT: undefined
} as const

const optionsOf = ({ operation, request: { options, verb } }: AdmissionRequest): JsonObject | null => {
  const kind = verb === "patch" ? "PatchOptions" : OPTIONS[operation]
  if (kind === undefined) return null
  const { dryRun, fieldManager, fieldValidation, force, gracePeriodSeconds, preconditions, propagationPolicy } = options
  return {
    kind,
    apiVersion: "meta.k8s.io/v1",
    ...(dryRun === true ? { dryRun: ["All"] } : {}),
    ...(fieldManager === undefined ? {} : { fieldManager }),
    ...(fieldValidation === undefined ? {} : { fieldValidation }),
    ...(force === undefined ? {} : { force }),
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(preconditions === undefined ? {} : { preconditions: { ...preconditions } }),
    ...(propagationPolicy === undefined ? {} : { propagationPolicy })
  }
}

/** The version of an object that a definition serves. */
export const inVersion = (object: KubeObject | undefined, from: Definition, to: Definition): KubeObject | undefined => {
  if (object === undefined || from === to) return object
  const stored = from.storage?.convert?.toStored(object) ?? object
  const converted = to.storage?.convert?.fromStored(stored) ?? stored
  return { ...converted, apiVersion: to.group === "" ? to.version : `${to.group}/${to.version}`, kind: to.kind }
}

/** What a review and an expression are told of a request, but for the objects, in the version of a definition. */
export const requestFields = (admission: AdmissionRequest, matched: Definition): JsonObject => {
  const { definition, object, operation, request } = admission
  const kindOf = (one: Definition): Json => {
    const subresource = one.subresources.get(request.subresource)
    const { group, kind, version } = subresource?.type === "action" ? subresource.kind : one
    return { group, version, kind }
  }
  const resourceOf = ({ group, resource, version }: Definition): Json => ({ group, version, resource })
  const { extra, groups, name: username, uid: userUid } = request.user
  const name = request.name === "" ? (object?.metadata.name ?? "") : request.name
  const sub =
    request.subresource === "" ? {} : { subResource: request.subresource, requestSubResource: request.subresource }
  return {
    kind: kindOf(matched),
    resource: resourceOf(matched),
    requestKind: kindOf(definition),
    requestResource: resourceOf(definition),
    ...sub,
    ...(name === "" ? {} : { name }),
    ...(request.namespace === "" ? {} : { namespace: request.namespace }),
    operation,
    userInfo: {
      username,
      ...(userUid === undefined ? {} : { uid: userUid }),
      groups,
      ...(extra === undefined ? {} : { extra })
    },
    dryRun: request.options.dryRun === true,
    options: optionsOf(admission)
  }
}

/** The review of a request as JSON, in the version of the definition that the webhook's rule names. */
export const reviewOf = (admission: AdmissionRequest, matched: Definition, uid: string): string => {
  const { definition, object, oldObject } = admission
  return JSON.stringify({
    kind: "AdmissionReview",
    apiVersion: API_VERSION,
    request: {
      uid,
      ...requestFields(admission, matched),
      object: inVersion(object, definition, matched) ?? null,
      oldObject: inVersion(oldObject, definition, matched) ?? null
    }
  })
}

/** What a webhook said. */
export interface Review {
  readonly allowed: boolean
  readonly result: Fields
  readonly warnings: ReadonlyArray<string>
  readonly annotations: Readonly<Record<string, string>>
  /** JSON Patch operations; undefined when it changes nothing. */
  readonly patch: Json | undefined
}

const parsed = (text: string): Fields | undefined => {
  try {
    return fieldsIn(JSON.parse(text))
  } catch {
    // Not JSON: the caller says that it is no review.
    return undefined
  }
}

const patchOf = (response: Fields): Json | undefined | string => {
  const patch = textOf(response["patch"])
  if (patch === "") return response["patchType"] === undefined ? undefined : "response.patchType is set without a patch"
  if (response["patchType"] !== "JSONPatch")
    return `unsupported patch type ${JSON.stringify(textOf(response["patchType"]))}`
  try {
    return JSON.parse(Buffer.from(patch, "base64").toString("utf8")) as Json
  } catch {
    return "received undecodable patch in webhook response"
  }
}

/** Reads the answer to the review with a uid; a text says why it is none. */
export const readReview = (body: string, uid: string, mutating: boolean): Review | string => {
  const review = parsed(body)
  if (review === undefined) return "received invalid webhook response: the body is no JSON object"
  if (review["kind"] !== "AdmissionReview" || review["apiVersion"] !== API_VERSION)
    return `received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${textOf(review["apiVersion"])}, Kind=${textOf(review["kind"])}`
  const response = fieldsIn(review["response"])
  if (response === undefined) return "received invalid webhook response: webhook response was absent"
  if (response["uid"] !== uid)
    return `received invalid webhook response: expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(textOf(response["uid"]))}`
  const patch = patchOf(response)
  if (typeof patch === "string") return patch
  if (patch !== undefined && !mutating)
    return "received invalid webhook response: validating webhooks may not return response.patch"
  return {
    allowed: response["allowed"] === true,
    result: fieldsIn(response["status"]) ?? {},
    warnings: textsOf(response["warnings"]),
    annotations: mapOf(response["auditAnnotations"]),
    patch
  }
}

/** The refusal of a webhook, with the code and reason that it chose. */
export const rejection = (name: string, result: Fields): ApiFailure => {
  const by = `admission webhook ${JSON.stringify(name)} denied the request`
  const [message, reason] = [textOf(result["message"]), textOf(result["reason"])]
  const asked = numberIn(result["code"]) ?? 0
  const said = message === "" ? reason : message
  const status: Status = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: said === "" ? `${by} without explanation` : `${by}: ${said}`,
    ...(reason === "" ? {} : { reason }),
    ...(fieldsIn(result["details"]) === undefined
      ? {}
      : { details: result["details"] as NonNullable<Status["details"]> }),
    code: asked < 400 ? 400 : asked
  }
  return new ApiFailure(status)
}

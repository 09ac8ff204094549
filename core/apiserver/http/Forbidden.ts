// Authorization of a call and the words of its refusal.
// Owns turning a request into what an Authorizer is asked; refuses to decide.
import { ApiFailure, Failures, type RequestInfo } from "#kube"
import type { AccessAttributes, Authorizer } from "../Access.ts"
import type { UserInfo } from "../Request.ts"
import type { Call } from "./Call.ts"

const attributesOf = (user: UserInfo, info: RequestInfo, fieldSelector: string): AccessAttributes =>
  info.isResourceRequest
    ? {
        user,
        resourceRequest: true,
        verb: info.verb,
        group: info.apiGroup,
        version: info.apiVersion,
        resource: info.resource,
        subresource: info.subresource,
        namespace: info.namespace,
        name: info.name,
        ...(fieldSelector === "" ? {} : { fieldSelector })
      }
    : { user, resourceRequest: false, verb: info.verb, path: info.path }

/** The failure of a request that was not allowed, in kube-apiserver's words. */
export const forbiddenAccess = (attributes: AccessAttributes, reason: string): ApiFailure => {
  const user = `User ${JSON.stringify(attributes.user.name)}`
  const because = reason === "" ? "" : `: ${reason}`
  if (!attributes.resourceRequest) {
    const { path, verb } = attributes
    const failure = `forbidden: ${user} cannot ${verb} path ${JSON.stringify(path)}${because}`
    return new ApiFailure({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: failure,
      reason: "Forbidden",
      details: {},
      code: 403
    })
  }
  const { group, name, namespace, resource, subresource, verb } = attributes
  const full = subresource === "" ? resource : `${resource}/${subresource}`
  const where = namespace === "" ? " at the cluster scope" : ` in the namespace ${JSON.stringify(namespace)}`
  const what = `cannot ${verb} resource ${JSON.stringify(full)} in API group ${JSON.stringify(group)}`
  return Failures.forbidden({ group, resource, name }, `${user} ${what}${where}${because}`)
}

/** Asks whether a call may go on. */
export const authorize = (call: Call, authorizer: Authorizer): ApiFailure | undefined => {
  const attributes = attributesOf(call.user, call.info, call.url.query.get("fieldSelector"))
  const decision = authorizer.authorize(attributes)
  return decision.allowed ? undefined : forbiddenAccess(attributes, decision.reason)
}

// SubjectAccessReview and its kin (authorization.k8s.io/v1): may somebody do something, and what may I do.
// Owns the four actions and their validation; refuses to decide, which the authorizer does.
import { ApiFailure, Failures, type FieldProblem, type Json, type JsonObject, type KubeObject } from "#kube"
import type { AccessAttributes, Authorizer } from "../Access.ts"
import type { Action } from "../Definition.ts"
import type { ApiRequest, UserInfo } from "../Request.ts"
import { answered } from "../resources/Answers.ts"
import { fieldsIn, fieldsOf, textOf, textsOf } from "../resources/Fields.ts"
import { ruleJson } from "./PolicyRule.ts"
import type { UserRules } from "./RbacAuthorizer.ts"

const GROUP = "authorization.k8s.io"
const ONE_OF = "exactly one of nonResourceAttributes or resourceAttributes must be specified"

const invalid = (field: string, value: Json, detail: string): FieldProblem => ({
  type: "FieldValueInvalid",
  field,
  value,
  detail
})

type Fields = ReturnType<typeof fieldsOf>

const attributesOf = (user: UserInfo, spec: Fields): AccessAttributes => {
  const asked = fieldsIn(spec["resourceAttributes"])
  if (asked === undefined) {
    const path = fieldsOf(spec["nonResourceAttributes"])
    return { resourceRequest: false, user, verb: textOf(path["verb"]), path: textOf(path["path"]) }
  }
  const version = textOf(asked["version"])
  const selector = textOf(fieldsOf(asked["fieldSelector"])["rawSelector"])
  return {
    resourceRequest: true,
    user,
    verb: textOf(asked["verb"]),
    group: textOf(asked["group"]),
    version: version === "" ? "*" : version,
    resource: textOf(asked["resource"]),
    subresource: textOf(asked["subresource"]),
    namespace: textOf(asked["namespace"]),
    name: textOf(asked["name"]),
    ...(selector === "" ? {} : { fieldSelector: selector })
  }
}

const specProblems = (spec: Fields, ofOther: boolean): Array<FieldProblem> => {
  const problems: Array<FieldProblem> = []
  const [resource, path] = [fieldsIn(spec["resourceAttributes"]), fieldsIn(spec["nonResourceAttributes"])]
  if ((resource === undefined) === (path === undefined)) problems.push(invalid("spec", path ?? null, ONE_OF))
  if (ofOther && textOf(spec["user"]) === "" && textsOf(spec["groups"]).length === 0)
    problems.push(invalid("spec.user", textOf(spec["user"]), "at least one of user or group must be specified"))
  return problems
}

const isEmptyMetadata = (metadata: KubeObject["metadata"], besides: ReadonlyArray<string>): boolean =>
  Object.entries(metadata).every(
    ([field, value]) =>
      value === undefined ||
      value === "" ||
      field === "managedFields" ||
      field === "creationTimestamp" ||
      besides.includes(field)
  )

const review = (
  authorizer: Authorizer,
  kind: string,
  request: ApiRequest,
  user: UserInfo,
  problems: ReadonlyArray<FieldProblem>
): ReturnType<typeof answered> | ApiFailure => {
  if (problems.length > 0) return Failures.invalid({ group: GROUP, kind }, "", problems)
  const spec = fieldsOf(request.body?.spec)
  const { allowed, reason } = authorizer.authorize(attributesOf(user, spec))
  const status: JsonObject = { allowed, ...(reason === "" ? {} : { reason }) }
  return answered({ apiVersion: `${GROUP}/v1`, kind, metadata: request.body?.metadata ?? {}, spec, status }, 201)
}

const subjectOf = (spec: Fields): UserInfo => {
  const uid = textOf(spec["uid"])
  const extra = fieldsIn(spec["extra"])
  return {
    name: textOf(spec["user"]),
    groups: textsOf(spec["groups"]),
    ...(uid === "" ? {} : { uid }),
    ...(extra === undefined
      ? {}
      : {
          extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key.toLowerCase(), textsOf(values)]))
        })
  }
}

const metadataProblem = (metadata: KubeObject["metadata"], detail: string): FieldProblem =>
  invalid("metadata", metadata as unknown as Json, detail)

/** May a named user do something. */
export const subjectAccessReview =
  (authorizer: Authorizer): Action =>
  (_context, request, done) => {
    const spec = fieldsOf(request.body?.spec)
    const problems = specProblems(spec, true)
    const metadata = request.body?.metadata ?? {}
    if (!isEmptyMetadata(metadata, [])) problems.push(metadataProblem(metadata, "must be empty"))
    done(review(authorizer, "SubjectAccessReview", request, subjectOf(spec), problems))
  }

/** The same within one namespace. */
export const localSubjectAccessReview =
  (authorizer: Authorizer): Action =>
  (_context, request, done) => {
    const spec = fieldsOf(request.body?.spec)
    const problems = specProblems(spec, true)
    const metadata = request.body?.metadata ?? {}
    if (!isEmptyMetadata(metadata, ["namespace"]))
      problems.push(metadataProblem(metadata, "must be empty except for namespace"))
    const asked = fieldsIn(spec["resourceAttributes"])
    const namespace = textOf(asked?.["namespace"])
    if (asked !== undefined && namespace !== request.namespace)
      problems.push(invalid("spec.resourceAttributes.namespace", namespace, "must match metadata.namespace"))
    const path = fieldsIn(spec["nonResourceAttributes"])
    if (path !== undefined)
      problems.push(invalid("spec.nonResourceAttributes", path, "disallowed on this kind of request"))
    done(review(authorizer, "LocalSubjectAccessReview", request, subjectOf(spec), problems))
  }

/** May the requester do something. */
export const selfSubjectAccessReview =
  (authorizer: Authorizer): Action =>
  (_context, request, done) => {
    const problems = specProblems(fieldsOf(request.body?.spec), false)
    const metadata = request.body?.metadata ?? {}
    if (!isEmptyMetadata(metadata, [])) problems.push(metadataProblem(metadata, "must be empty"))
    done(review(authorizer, "SelfSubjectAccessReview", request, request.user, problems))
  }

/** What the requester may do in a namespace; `rules` answers what the user's roles give. */
export const selfSubjectRulesReview =
  (rules: (user: UserInfo, namespace: string) => UserRules): Action =>
  (_context, request, done) => {
    const namespace = textOf(fieldsOf(request.body?.spec)["namespace"])
    if (namespace === "") return done(Failures.badRequest("no namespace on request"))
    const own = rules(request.user, namespace)
    const resourceRules = own.rules.flatMap((rule) => {
      if (rule.resources.length === 0) return []
      const { nonResourceURLs: _paths, ...ofResources } = ruleJson(rule)
      return [ofResources]
    })
    const nonResourceRules = own.rules.flatMap(({ nonResourceURLs, verbs }) =>
      nonResourceURLs.length === 0 ? [] : [{ verbs, nonResourceURLs }]
    )
    const status: JsonObject = {
      resourceRules,
      nonResourceRules,
      incomplete: false,
      ...(own.problems.length === 0 ? {} : { evaluationError: own.problems.join(", ") })
    }
    done(answered({ apiVersion: `${GROUP}/v1`, kind: "SelfSubjectRulesReview", metadata: {}, spec: {}, status }, 201))
  }

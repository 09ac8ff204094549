// Nobody gives what they do not have: writes of roles and bindings are checked against the writer's own rules.
// Owns the checks and their wording, as an admission plugin that runs after all others.
import { type ApiFailure, Failures, type KubeObject, sameJson } from "#kube"
import type { Json } from "#kube"
import type { AdmissionPlugin, AdmissionRequest, Authorizer } from "../Access.ts"
import type { UserInfo } from "../Request.ts"
import { fieldsOf, itemsOf } from "../resources/Fields.ts"
import { SYSTEM_MASTERS } from "./Authorizers.ts"
import { describeRule, joinedByVerb, notCovered, type PolicyRule, rulesOf } from "./PolicyRule.ts"
import type { RbacAuthorizer } from "./RbacAuthorizer.ts"
import { RBAC_GROUP, roleReferenceOf } from "./RbacIndex.ts"

const EVERYTHING: ReadonlyArray<PolicyRule> = [
  { verbs: ["*"], apiGroups: ["*"], resources: ["*"], resourceNames: [], nonResourceURLs: [] },
  { verbs: ["*"], apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: ["*"] }
]

const quotedList = (list: ReadonlyArray<string>): string => `[${list.map((text) => JSON.stringify(text)).join(" ")}]`

/** Why a user may not give some rules; undefined when they have them all. */
const escalation = (
  rbac: RbacAuthorizer,
  user: UserInfo,
  namespace: string,
  rules: ReadonlyArray<PolicyRule>
): string | undefined => {
  const own = rbac.rulesFor(user, namespace)
  const missing = notCovered(own.rules, rules)
  if (missing.length === 0) return undefined
  const lines = [...new Set(joinedByVerb(missing).map(describeRule))].sort()
  const problems = own.problems.length === 0 ? "" : `; resolution errors: [${own.problems.join(", ")}]`
  return `user ${JSON.stringify(user.name)} (groups=${quotedList(user.groups)}) is attempting to grant RBAC permissions not currently held:\n${lines.join("\n")}${problems}`
}

/** Whether only what garbage collection needs was changed: owner references and finalizers. */
const onlyForCollection = (object: KubeObject, old: KubeObject | undefined): boolean => {
  if (old === undefined) return false
  const bare = ({ metadata, ...rest }: KubeObject): Json => {
    const { finalizers: _f, managedFields: _m, ownerReferences: _o, resourceVersion: _r, ...others } = metadata
    return { ...rest, metadata: others }
  }
  return sameJson(bare(object), bare(old))
}

const aggregates = (role: KubeObject | undefined): boolean =>
  itemsOf(fieldsOf(role?.["aggregationRule"])["clusterRoleSelectors"]).length > 0

/** The plugin; `authorizer` is the whole chain, which answers the verbs `escalate` and `bind`. */
export const rbacEscalation = (rbac: RbacAuthorizer, authorizer: Authorizer): AdmissionPlugin => {
  const may = (user: UserInfo, verb: string, resource: string, namespace: string, name: string): boolean =>
    authorizer.authorize({
      resourceRequest: true,
      user,
      verb,
      group: RBAC_GROUP,
      version: "*",
      resource,
      subresource: "",
      namespace,
      name
    }).allowed

  const role = ({ object, oldObject, request }: AdmissionRequest): string | undefined => {
    const { name, namespace, resource, user } = request
    if (object === undefined || may(user, "escalate", resource.resource, namespace, name)) return undefined
    const problem = escalation(rbac, user, namespace, rulesOf(object["rules"]))
    if (problem !== undefined) return problem
    return (aggregates(object) || aggregates(oldObject)) && escalation(rbac, user, "", EVERYTHING) !== undefined
      ? "must have cluster-admin privileges to use the aggregationRule"
      : undefined
  }

  const binding = ({ object, request }: AdmissionRequest): string | ApiFailure | undefined => {
    if (object === undefined) return undefined
    const { namespace, user } = request
    const reference = roleReferenceOf(object)
    const resource = reference.kind === "Role" ? "roles" : "clusterroles"
    if (may(user, "bind", resource, namespace, reference.name)) return undefined
    const rules = rbac.rulesOfRole(reference, namespace)
    if (typeof rules === "string")
      return Failures.notFound({ group: RBAC_GROUP, resource: reference.kind.toLowerCase(), name: reference.name })
    return escalation(rbac, user, namespace, rules)
  }

  return {
    name: "RBACEscalation",
    handles: ({ operation, request }) =>
      request.resource.group === RBAC_GROUP &&
      request.subresource === "" &&
      (operation === "CREATE" || operation === "UPDATE") &&
      !request.user.groups.includes(SYSTEM_MASTERS),
    validate: (admission, done) => {
      const { object, oldObject, request } = admission
      if (object === undefined || onlyForCollection(object, oldObject)) return done(undefined)
      const { resource } = request.resource
      const problem = resource.endsWith("bindings") ? binding(admission) : role(admission)
      if (typeof problem !== "string") return done(problem)
      done(Failures.forbidden({ group: RBAC_GROUP, resource, name: object.metadata.name ?? "" }, problem))
    }
  }
}

// Random roles, bindings, users and requests, small enough to collide often, and a decision by the rules' plain reading.
import * as fc from "fast-check"
import type { KubeObject } from "#kube"
import type { AccessAttributes } from "#apiserver"
import type { FakeApi } from "../FakeApi.ts"

export const GROUP = "rbac.authorization.k8s.io"
const NAMESPACES = ["a", "b"]
const VERBS = ["get", "list", "create", "*"]
const GROUPS = ["", "apps", "*"]
const RESOURCES = ["pods", "pods/log", "*/log", "deployments", "*"]
const NAMES = ["x", "y"]
const PATHS = ["/healthz", "/healthz/*", "/metrics", "/a*", "*"]
export const USERS = ["alice", "bob", "system:serviceaccount:a:robot"]
const USER_GROUPS = ["dev", "ops"]

export interface Rule {
  readonly verbs: ReadonlyArray<string>
  readonly apiGroups?: ReadonlyArray<string>
  readonly resources?: ReadonlyArray<string>
  readonly resourceNames?: ReadonlyArray<string>
  readonly nonResourceURLs?: ReadonlyArray<string>
}

const some = (values: ReadonlyArray<string>): fc.Arbitrary<Array<string>> =>
  fc.subarray([...values], { minLength: 1, maxLength: 2 })

const resourceRule: fc.Arbitrary<Rule> = fc
  .record({
    verbs: some(VERBS),
    apiGroups: some(GROUPS),
    resources: some(RESOURCES),
    resourceNames: fc.subarray(NAMES)
  })
  .map(({ resourceNames, ...rule }) => (resourceNames.length === 0 ? rule : { ...rule, resourceNames }))
const pathRule: fc.Arbitrary<Rule> = fc.record({ verbs: some(VERBS), nonResourceURLs: some(PATHS) })
export const resourceRules = fc.array(resourceRule, { minLength: 1, maxLength: 3 })
const clusterRules = fc.array(fc.oneof({ arbitrary: resourceRule, weight: 3 }, pathRule), {
  minLength: 1,
  maxLength: 2
})

const subject = fc.oneof(
  fc.constantFrom(...USERS.slice(0, 2)).map((name) => ({ kind: "User", apiGroup: GROUP, name })),
  fc.constantFrom(...USER_GROUPS).map((name) => ({ kind: "Group", apiGroup: GROUP, name })),
  fc.constantFrom(...NAMESPACES).map((namespace) => ({ kind: "ServiceAccount", name: "robot", namespace }))
)
const subjects = fc.array(subject, { minLength: 1, maxLength: 2 })

const object = (kind: string, name: string, namespace: string | undefined, fields: object): KubeObject => ({
  apiVersion: `${GROUP}/v1`,
  kind,
  metadata: namespace === undefined ? { name } : { name, namespace },
  ...fields
})
const roleRef = (kind: string, name: string): object => ({ roleRef: { apiGroup: GROUP, kind, name } })

const clusterRole = fc
  .tuple(fc.constantFrom("c1", "c2"), clusterRules)
  .map(([name, rules]) => object("ClusterRole", name, undefined, { rules }))
const role = fc
  .tuple(fc.constantFrom("r1", "r2"), fc.constantFrom(...NAMESPACES), resourceRules)
  .map(([name, namespace, rules]) => object("Role", name, namespace, { rules }))
const clusterRoleBinding = fc
  .tuple(fc.constantFrom("b1", "b2", "b3", "b4", "b5", "b6"), subjects, fc.constantFrom("c1", "c2", "gone"))
  .map(([name, list, to]) =>
    object("ClusterRoleBinding", name, undefined, { subjects: list, ...roleRef("ClusterRole", to) })
  )
const roleBinding = fc
  .tuple(
    fc.constantFrom("b1", "b2"),
    fc.constantFrom(...NAMESPACES),
    subjects,
    fc.constantFrom("Role/r1", "Role/r2", "ClusterRole/c1", "Role/gone")
  )
  .map(([name, namespace, list, to]) => {
    const [kind = "", target = ""] = to.split("/")
    return object("RoleBinding", name, namespace, { subjects: list, ...roleRef(kind, target) })
  })

export const rbacObject = fc.oneof(clusterRole, role, clusterRoleBinding, roleBinding)

export const attributes: fc.Arbitrary<AccessAttributes> = fc
  .record({
    name: fc.constantFrom(...USERS, "carol"),
    groups: fc.subarray(USER_GROUPS),
    verb: fc.constantFrom("get", "list", "create", "delete"),
    path: fc.constantFrom(undefined, "/healthz", "/healthz/ping", "/metrics", "/api", "/b"),
    group: fc.constantFrom("", "apps", "batch"),
    resource: fc.constantFrom("pods", "deployments", "jobs"),
    subresource: fc.constantFrom("", "", "log", "status"),
    namespace: fc.constantFrom("", ...NAMESPACES),
    object: fc.constantFrom("", ...NAMES, "z")
  })
  .map(({ groups, name, object: named, path, ...rest }) => {
    const user = { name, groups }
    return path === undefined
      ? { resourceRequest: true, user, version: "*", ...rest, name: named }
      : { resourceRequest: false, user, verb: rest.verb, path }
  })

const RESOURCE_OF: Readonly<Record<string, string>> = {
  ClusterRole: "clusterroles",
  Role: "roles",
  ClusterRoleBinding: "clusterrolebindings",
  RoleBinding: "rolebindings"
}

export const resourceOf = ({ kind }: KubeObject): string => RESOURCE_OF[kind] ?? ""

const matches = (rule: Rule, asked: AccessAttributes): boolean => {
  if (!rule.verbs.some((verb) => verb === "*" || verb === asked.verb)) return false
  if (!asked.resourceRequest)
    return (rule.nonResourceURLs ?? []).some(
      (url) => url === asked.path || (url.endsWith("*") && asked.path.startsWith(url.slice(0, -1)))
    )
  const full = asked.subresource === "" ? asked.resource : `${asked.resource}/${asked.subresource}`
  return (
    (rule.apiGroups ?? []).some((group) => group === "*" || group === asked.group) &&
    (rule.resources ?? []).some(
      (resource) =>
        resource === "*" || resource === full || (asked.subresource !== "" && resource === `*/${asked.subresource}`)
    ) &&
    (rule.resourceNames === undefined || rule.resourceNames.includes(asked.name))
  )
}

/** Walks over every binding of the world: slow, and plainly what the documentation says. */
export const bruteForce = (api: FakeApi, asked: AccessAttributes): boolean => {
  const list = (resource: string): ReadonlyArray<KubeObject> => api.view(GROUP, resource).list("")
  return [...list("clusterrolebindings"), ...list("rolebindings")].some((binding) => {
    const home = binding.metadata.namespace
    if (home !== undefined && (!asked.resourceRequest || asked.namespace !== home)) return false
    const named = (binding["subjects"] as ReadonlyArray<Record<string, string>>).some(({ kind, name, namespace }) =>
      kind === "User"
        ? name === asked.user.name
        : kind === "Group"
          ? asked.user.groups.includes(name ?? "")
          : asked.user.name === `system:serviceaccount:${namespace}:${name}`
    )
    const { kind, name } = binding["roleRef"] as { readonly kind: string; readonly name: string }
    const role = api
      .view(GROUP, kind === "Role" ? "roles" : "clusterroles")
      .get(kind === "Role" ? (home ?? "") : "", name)
    return named && ((role?.["rules"] ?? []) as ReadonlyArray<Rule>).some((rule) => matches(rule, asked))
  })
}

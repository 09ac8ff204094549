// Roles and their bindings.
// Owns their rules and columns; refuses to authorize, and to judge whether somebody grants more than they have.
// Source: kubernetes pkg/apis/rbac/validation.
import { type KubeObject, Names } from "#kube"
import type { Column, Definition, Draft } from "../../Definition.ts"
import { ageColumn, column, nameColumn, wide } from "../Columns.ts"
import { define } from "../Define.ts"
import { type Fields, fieldsIn, fieldsOf, itemsOf, rewriteItems, textOf, textsOf, zeroDefaulted } from "../Fields.ts"
import { checkImmutable, pathSegmentName } from "../Meta.ts"
import { invalid, invalidEach, notSupported, type Problems, required } from "../Problems.ts"
import { checkSelector, selects } from "../Selectors.ts"

const GROUP = "rbac.authorization.k8s.io"

const checkRule = (rule: Fields, namespaced: boolean, path: string, problems: Problems): void => {
  const urls = textsOf(rule["nonResourceURLs"])
  const resources = ["apiGroups", "resources", "resourceNames"].some((field) => textsOf(rule[field]).length > 0)
  if (urls.length > 0) {
    const place = `${path}.nonResourceURLs`
    if (namespaced) problems.push(invalid(place, urls, "namespaced rules cannot apply to non-resource URLs"))
    if (resources) {
      problems.push(invalid(place, urls, "rules cannot apply to both regular resources and non-resource URLs"))
    }
    return
  }
  if (textsOf(rule["apiGroups"]).length === 0) {
    problems.push(required(`${path}.apiGroups`, "resource rules must supply at least one api group"))
  }
  if (textsOf(rule["resources"]).length === 0) {
    problems.push(required(`${path}.resources`, "resource rules must supply at least one resource"))
  }
}

const checkRules = (role: KubeObject, namespaced: boolean, problems: Problems): void => {
  const rules = itemsOf(role["rules"])
  rules.forEach((rule, at) => checkRule(rule, namespaced, `rules[${at}]`, problems))
  rules.forEach((rule, at) => {
    if (textsOf(rule["verbs"]).length === 0) problems.push(required(`rules[${at}].verbs`))
  })
}

const checkAggregation = (role: KubeObject, problems: Problems): void => {
  const rule = fieldsIn(role["aggregationRule"])
  if (rule === undefined) return
  const path = "aggregationRule.clusterRoleSelectors"
  const selectors = itemsOf(rule["clusterRoleSelectors"])
  if (selectors.length === 0) {
    problems.push(required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"))
  }
  selectors.forEach((selector, at) => {
    checkSelector(selector, `${path}[${at}]`, problems)
    if (selects(selector, {}) === undefined) problems.push(invalid(`${path}[${at}]`, null, "invalid label selector."))
  })
}

const created: ReadonlyArray<Column> = [
  nameColumn,
  column("Created At", ({ metadata }) => metadata.creationTimestamp ?? "", "date")
]

/** The definition of roles. */
export const roles = (): Definition =>
  define(GROUP, "v1", "Role", {
    name: pathSegmentName,
    check: (role, problems) => checkRules(role, true, problems),
    strategy: { createOnUpdate: true },
    columns: created
  })

/** The definition of cluster roles. */
export const clusterRoles = (): Definition =>
  define(GROUP, "v1", "ClusterRole", {
    name: pathSegmentName,
    check: (role, problems) => {
      checkRules(role, false, problems)
      checkAggregation(role, problems)
    },
    strategy: { createOnUpdate: true },
    columns: created
  })

const subjectDefaults = (subject: Fields): Fields =>
  subject["kind"] === "User" || subject["kind"] === "Group" ? zeroDefaulted(subject, { apiGroup: GROUP }) : subject

const bindingDefaults = (draft: Draft): void => {
  draft["roleRef"] = zeroDefaulted(fieldsOf(draft["roleRef"]), { apiGroup: GROUP })
  if (Array.isArray(draft["subjects"])) {
    draft["subjects"] = rewriteItems(itemsOf(draft["subjects"]), subjectDefaults)
  }
}

const checkSubject = (subject: Fields, namespaced: boolean, path: string, problems: Problems): void => {
  const kind = textOf(subject["kind"])
  const name = textOf(subject["name"])
  const group = textOf(subject["apiGroup"])
  if (name === "") problems.push(required(`${path}.name`))
  if (kind === "ServiceAccount") {
    if (name !== "") invalidEach(`${path}.name`, name, Names.dnsSubdomain(name), problems)
    if (group !== "") problems.push(notSupported(`${path}.apiGroup`, group, [""]))
    if (!namespaced && textOf(subject["namespace"]) === "") problems.push(required(`${path}.namespace`))
  } else if (kind === "User" || kind === "Group") {
    if (group !== GROUP) problems.push(notSupported(`${path}.apiGroup`, group, [GROUP]))
  } else problems.push(notSupported(`${path}.kind`, kind, ["ServiceAccount", "User", "Group"]))
}

const checkBinding = (binding: KubeObject, kinds: ReadonlyArray<string>, problems: Problems): void => {
  const reference = fieldsOf(binding["roleRef"])
  const group = textOf(reference["apiGroup"])
  const kind = textOf(reference["kind"])
  const name = textOf(reference["name"])
  if (group !== GROUP) problems.push(notSupported("roleRef.apiGroup", group, [GROUP]))
  if (!kinds.includes(kind)) problems.push(notSupported("roleRef.kind", kind, kinds))
  if (name === "") problems.push(required("roleRef.name"))
  else invalidEach("roleRef.name", name, Names.pathSegment(name), problems)
  const namespaced = kinds.length > 1
  itemsOf(binding["subjects"]).forEach((one, at) => checkSubject(one, namespaced, `subjects[${at}]`, problems))
}

const checkReference = (binding: KubeObject, old: KubeObject, problems: Problems): void =>
  checkImmutable("roleRef", binding["roleRef"], old["roleRef"], problems)

const subjects = (kind: string, show: (subject: Fields) => string) => (binding: KubeObject) =>
  itemsOf(binding["subjects"])
    .filter((one) => one["kind"] === kind)
    .map(show)
    .join(", ")

const nameOf = (subject: Fields): string => textOf(subject["name"])

const columns: ReadonlyArray<Column> = [
  nameColumn,
  column("Role", (binding) => {
    const { kind, name } = fieldsOf(binding["roleRef"])
    return `${textOf(kind)}/${textOf(name)}`
  }),
  ageColumn,
  wide("Users", subjects("User", nameOf)),
  wide("Groups", subjects("Group", nameOf)),
  wide(
    "ServiceAccounts",
    subjects("ServiceAccount", (one) => `${textOf(one["namespace"])}/${nameOf(one)}`)
  )
]

const binding = (kind: string, kinds: ReadonlyArray<string>): Definition =>
  define(GROUP, "v1", kind, {
    name: pathSegmentName,
    defaults: bindingDefaults,
    check: (object, problems) => checkBinding(object, kinds, problems),
    checkUpdate: checkReference,
    strategy: { createOnUpdate: true },
    columns
  })

/** The definition of role bindings. */
export const roleBindings = (): Definition => binding("RoleBinding", ["Role", "ClusterRole"])

/** The definition of cluster role bindings. */
export const clusterRoleBindings = (): Definition => binding("ClusterRoleBinding", ["ClusterRole"])

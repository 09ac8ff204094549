// Which bindings name a user, found by the subject's name instead of by a walk over all bindings.
// Owns the index, kept by the watch caches' changes one binding at a time; refuses to decide, which RbacAuthorizer.ts does.
import type { KubeObject } from "#kube"
import type { Api, ResourceView } from "../Api.ts"
import type { UserInfo } from "../Request.ts"
import { fieldsOf, itemsOf, textOf } from "../resources/Fields.ts"
import { type PolicyRule, rulesOf } from "./PolicyRule.ts"

export const RBAC_GROUP = "rbac.authorization.k8s.io"

/** A reference to a role as bindings carry it. */
export interface RoleReference {
  readonly kind: string
  readonly name: string
}

/** One binding's word for one of its subjects. */
export interface Grant {
  /** Unique while the grant lives. */
  readonly id: number
  /** Of the binding: "" for cluster role bindings. */
  readonly namespace: string
  readonly binding: string
  /** Which of the binding's subjects this is for: the first that fits a user counts. */
  readonly subject: number
  readonly role: RoleReference
  /** For reasons: `ClusterRoleBinding "b" of ClusterRole "r" to User "u"`. */
  readonly source: string
}

type Subjects = Map<string, ReadonlyArray<Grant>>

const subjectKey = (subject: ReturnType<typeof fieldsOf>, namespace: string): string | undefined => {
  const name = textOf(subject["name"])
  switch (subject["kind"]) {
    case "User":
      return `u:${name}`
    case "Group":
      return `g:${name}`
    case "ServiceAccount": {
      const own = textOf(subject["namespace"])
      const home = own === "" ? namespace : own
      return home === "" ? undefined : `u:system:serviceaccount:${home}:${name}`
    }
    default:
      return undefined
  }
}

const describeSubject = (subject: ReturnType<typeof fieldsOf>, namespace: string): string => {
  const [kind, name, own] = ["kind", "name", "namespace"].map((field) => textOf(subject[field]))
  return `${kind} ${JSON.stringify(kind === "ServiceAccount" ? `${name}/${own === "" ? namespace : own}` : name)}`
}

/** The role that a binding gives. */
export const roleReferenceOf = (binding: KubeObject): RoleReference => {
  const reference = fieldsOf(binding["roleRef"])
  return { kind: textOf(reference["kind"]), name: textOf(reference["name"]) }
}

export class RbacIndex {
  private readonly roles: ResourceView
  private readonly clusterRoles: ResourceView
  /** By namespace of the binding, "" for cluster role bindings. */
  private readonly byNamespace = new Map<string, Subjects>()
  private nextId = 0

  /** `changed` is called after anything that may change a decision. */
  constructor(api: Api, changed: () => void) {
    this.roles = api.view(RBAC_GROUP, "roles")
    this.clusterRoles = api.view(RBAC_GROUP, "clusterroles")
    this.roles.onChange(changed)
    this.clusterRoles.onChange(changed)
    for (const resource of ["clusterrolebindings", "rolebindings"]) {
      const view = api.view(RBAC_GROUP, resource)
      for (const binding of view.list("")) this.add(binding)
      view.onChange((before, after) => {
        if (before !== undefined) this.remove(before)
        if (after !== undefined) this.add(after)
        changed()
      })
    }
  }

  /** The grants that name a user in a namespace's bindings ("": in cluster role bindings), by binding, one of each. */
  grantsOf({ groups, name }: UserInfo, namespace: string): ReadonlyArray<Grant> {
    const subjects = this.byNamespace.get(namespace)
    if (subjects === undefined) return []
    const first = new Map<string, Grant>()
    const take = (key: string): void => {
      for (const grant of subjects.get(key) ?? []) {
        const held = first.get(grant.binding)
        if (held === undefined || grant.subject < held.subject) first.set(grant.binding, grant)
      }
    }
    take(`u:${name}`)
    for (const group of groups) take(`g:${group}`)
    return [...first.values()].sort((a, b) => (a.binding < b.binding ? -1 : 1))
  }

  /** The rules of a role, or why there are none. */
  rulesOfRole({ kind, name }: RoleReference, namespace: string): ReadonlyArray<PolicyRule> | string {
    if (kind !== "Role" && kind !== "ClusterRole") return `unsupported role reference kind: ${JSON.stringify(kind)}`
    const role = kind === "Role" ? this.roles.get(namespace, name) : this.clusterRoles.get("", name)
    return role === undefined
      ? `${kind.toLowerCase()}.${RBAC_GROUP} ${JSON.stringify(name)} not found`
      : rulesOf(role["rules"])
  }

  private add(binding: KubeObject): void {
    const { name = "", namespace = "" } = binding.metadata
    const role = roleReferenceOf(binding)
    const subjects = this.byNamespace.get(namespace) ?? new Map<string, ReadonlyArray<Grant>>()
    this.byNamespace.set(namespace, subjects)
    const title =
      namespace === ""
        ? `ClusterRoleBinding ${JSON.stringify(name)}`
        : `RoleBinding ${JSON.stringify(`${name}/${namespace}`)}`
    for (const [at, subject] of itemsOf(binding["subjects"]).entries()) {
      const key = subjectKey(subject, namespace)
      if (key === undefined) continue
      const source = `${title} of ${role.kind} ${JSON.stringify(role.name)} to ${describeSubject(subject, namespace)}`
      const grant: Grant = { id: this.nextId++, namespace, binding: name, subject: at, role, source }
      subjects.set(key, [...(subjects.get(key) ?? []), grant])
    }
  }

  private remove(binding: KubeObject): void {
    const { name = "", namespace = "" } = binding.metadata
    const subjects = this.byNamespace.get(namespace)
    if (subjects === undefined) return
    for (const subject of itemsOf(binding["subjects"])) {
      const key = subjectKey(subject, namespace)
      if (key === undefined) continue
      const left = subjects.get(key)?.filter((grant) => grant.binding !== name) ?? []
      if (left.length === 0) subjects.delete(key)
      else subjects.set(key, left)
    }
    if (subjects.size === 0) this.byNamespace.delete(namespace)
  }
}

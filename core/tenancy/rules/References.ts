// References whose meaning the object itself decides: an owner's kind says whether its name is prefixed, a subject's what it names.
// Owns these choices; refuses to know where they stand, which the rule table says.
import { builtInResources, parseApiVersion } from "#kube"
import { UNRESOLVED } from "../names/ClusterNames.ts"
import type { Translation } from "../names/Translation.ts"
import { type Chosen, type Direction, RuleNode, type Siblings } from "../rewrite/RuleNode.ts"
import { namesNode } from "./ResourceNames.ts"
import { sortNode } from "./Sorts.ts"

/** A kind or plural that a reference names: "roles.rbac.authorization.k8s.io", and whether its objects stand in namespaces. */
export interface Resolved {
  readonly resource: string
  readonly namespaced: boolean
}

const full = (resource: string, group: string): string => (group === "" ? resource : `${resource}.${group}`)

let builtIns: Map<string, Resolved> | undefined

const builtIn = (group: string, word: string): Resolved | undefined => {
  if (builtIns === undefined) {
    builtIns = new Map()
    for (const { group, kind, namespaced, resource } of builtInResources()) {
      const resolved = { resource: full(resource, group), namespaced }
      builtIns.set(`${group}/${kind}`, resolved).set(`${group}/${resource}`, resolved)
    }
  }
  return builtIns.get(`${group}/${word}`)
}

/** What a group, in the tenant's spelling, and a kind or plural are; undefined when nobody knows. */
export const resolve = (names: Translation, group: string, word: string): Resolved | undefined => {
  const own = builtIn(group, word)
  if (own !== undefined) return own
  const custom = names.view.custom(group, word)
  return custom === undefined ? undefined : { resource: full(custom.resource, group), namespaced: custom.namespaced }
}

/** A group in the tenant's spelling, from either side; undefined when it is another's. */
export const tenantGroup = (names: Translation, direction: Direction, group: string): string | undefined =>
  direction === "up" ? group : names.groupDown(group)

/** A node that chooses. */
export const choiceNode = (
  by: ReadonlyArray<string>,
  choose: (names: Translation, siblings: Siblings, direction: Direction) => Chosen,
  needs: ReadonlyArray<string> = by
): RuleNode => {
  const node = new RuleNode()
  node.choice = { by, needs, choose }
  return node
}

const cache = new Map<string, RuleNode>()

/** The node with these fields' rules, made once for each set of rules. */
const fieldsNode = (key: string, make: () => RuleNode): RuleNode => {
  const found = cache.get(key)
  if (found !== undefined) return found
  const made = make()
  cache.set(key, made)
  return made
}

const withVersion = (node: RuleNode, field: string): RuleNode =>
  node.field(field, sortNode(field === "apiVersion" ? "apiVersion" : "group", "object"))

/** A reference of some kind of object: its version or group, and the namespace or the name, as the kind wants it. */
const referenced = (field: "apiVersion" | "apiGroup" | "group", resource: string | undefined): RuleNode =>
  fieldsNode(`${field} ${resource ?? ""}`, () => {
    const node = withVersion(new RuleNode(), field).field("namespace", sortNode("namespace", "object"))
    return resource === undefined ? node : node.field("name", sortNode(`name:${resource}`, "object"))
  })

const groupOf = (field: string, value: string | undefined): string =>
  field === "apiVersion" ? parseApiVersion(value ?? "").group : (value ?? "")

const byKind = (field: "apiVersion" | "apiGroup", by: ReadonlyArray<string>): RuleNode =>
  choiceNode(by, (names, [version, kind, namespace], direction) => {
    const group = tenantGroup(names, direction, groupOf(field, version))
    if (group === undefined) return { hidden: "object" }
    const known = resolve(names, group, kind ?? "")
    const inside = known === undefined || known.namespaced
    const named = inside || (namespace !== undefined && namespace !== "" && known.resource !== "namespaces")
    return referenced(field, named ? undefined : known.resource)
  })

/** References by kind: {apiVersion or apiGroup, kind, name, namespace}. One that has a namespace is in it, whatever its kind. */
export const referenceNode = (field: "apiVersion" | "apiGroup"): RuleNode => byKind(field, [field, "kind", "namespace"])

/** An owner: in the owned object's own namespace, or in none, as its kind says. */
export const ownerNode: RuleNode = byKind("apiVersion", ["apiVersion", "kind"])

/** References that stand for objects of the same namespace, or for such outside any: only the group or version is the tenant's. */
export const localReferenceNode = (field: "apiVersion" | "apiGroup"): RuleNode =>
  fieldsNode(`local ${field}`, () => withVersion(new RuleNode(), field))

/** RBAC's roleRef: a ClusterRole's name is the tenant's, a Role's its namespace's. */
export const roleRefNode: RuleNode = choiceNode(["kind"], (_names, [kind]) =>
  kind === "ClusterRole"
    ? fieldsNode("roleRef", () => new RuleNode().field("name", sortNode("name:clusterroles.rbac.authorization.k8s.io")))
    : undefined
)

/** RBAC's subjects. A kind that is none of the three means nothing to RBAC, and is refused. */
export const subjectNode: RuleNode = choiceNode(["kind"], (_names, [kind], direction) => {
  switch (kind) {
    case "User":
      return fieldsNode("user", () => new RuleNode().field("name", sortNode("user", "object")))
    case "Group":
      return fieldsNode("userGroup", () => new RuleNode().field("name", sortNode("userGroup", "object")))
    case "ServiceAccount":
      return fieldsNode("account", () => new RuleNode().field("namespace", sortNode("namespace", "object")))
    default:
      return direction === "up"
        ? { refused: `kind ${kind ?? "(none)"} is neither User, Group nor ServiceAccount` }
        : { hidden: "object" }
  }
})

/** What a SubjectAccessReview asks about. */
export const resourceAttributesNode: RuleNode = choiceNode(
  ["group", "resource"],
  (names, [group, resource], direction) => {
    const own = tenantGroup(names, direction, group ?? "")
    if (own === undefined) return { hidden: "object" }
    const known = resolve(names, own, resource ?? "")
    return referenced("group", known === undefined || known.namespaced ? undefined : known.resource)
  },
  ["resource"]
)

/** IngressClass parameters: their scope says where they stand. */
export const ingressParametersNode: RuleNode = choiceNode(
  ["scope", "apiGroup", "kind"],
  (names, [scope, apiGroup, kind], direction) => {
    const group = tenantGroup(names, direction, apiGroup ?? "")
    if (group === undefined) return { hidden: "object" }
    const known = resolve(names, group, kind ?? "")
    return referenced(
      "apiGroup",
      scope === "Namespace" ? undefined : known === undefined || known.namespaced ? UNRESOLVED : known.resource
    )
  },
  ["kind"]
)

/** A quota's scope: classes of priority and of volume attributes are named by their values. */
export const scopeNode: RuleNode = choiceNode(["scopeName"], (_names, [scope]) => {
  const resource =
    scope === "PriorityClass"
      ? "priorityclasses.scheduling.k8s.io"
      : scope === "VolumeAttributesClass"
        ? "volumeattributesclasses.storage.k8s.io"
        : undefined
  return resource === undefined
    ? undefined
    : fieldsNode(`scope ${resource}`, () => {
        const values = new RuleNode()
        values.items = sortNode(`name:${resource}`)
        return new RuleNode().field("values", values)
      })
})

/** Rules of RBAC and of admission: groups, and names as the resources' scope wants them. */
export const policyRuleNode: RuleNode = choiceNode(
  ["apiGroups", "resources"],
  (names, [groups, resources], direction) => {
    const resourceNames = namesNode(names, direction, listOf(groups), listOf(resources), resolve)
    return fieldsNode(`rule ${resourceNames.key}`, () => {
      const apiGroups = new RuleNode()
      apiGroups.items = sortNode("group")
      const node = new RuleNode().field("apiGroups", apiGroups)
      return resourceNames.node === undefined ? node : node.field("resourceNames", resourceNames.node)
    })
  },
  ["apiGroups", "resources"]
)

const listOf = (json: string | undefined): ReadonlyArray<string> => {
  try {
    const list: unknown = json === undefined ? [] : JSON.parse(json)
    return Array.isArray(list) ? list.filter((item) => typeof item === "string") : []
  } catch {
    return []
  }
}

/** A TokenReview's answer about another's token is the answer about no token. */
export const tokenReviewStatusNode: RuleNode = choiceNode(
  ["authenticated", "user"],
  (names, [, user], direction) => {
    if (user === undefined || direction === "up") return reviewedUser()
    try {
      const { username } = JSON.parse(user) as { readonly username?: unknown }
      return typeof username === "string" && names.userDown(username) !== undefined
        ? reviewedUser()
        : { literal: `{"authenticated":false}` }
    } catch {
      return { literal: `{"authenticated":false}` }
    }
  },
  []
)

const reviewedUser = (): RuleNode =>
  fieldsNode("tokenReview", () => new RuleNode().field("user", userInfoNode).field("error", sortNode("text")))

const userGroups = new RuleNode()
userGroups.items = sortNode("userGroup")

/** A user with its groups. What stands in `extra` is what the tenant's own credentials say. */
export const userInfoNode: RuleNode = new RuleNode().field("username", sortNode("user")).field("groups", userGroups)

/** A Status's details: the name is one of the kind that is given beside it. */
export const statusDetailsNode: RuleNode = choiceNode(
  ["group", "kind"],
  (names, [group, kind], direction) => {
    const own = tenantGroup(names, direction, group ?? "")
    const known = own === undefined ? undefined : resolve(names, own, kind ?? "")
    const resource = known === undefined || known.namespaced ? undefined : known.resource
    return fieldsNode(`details ${resource ?? ""}`, () => {
      const causes = new RuleNode()
      causes.items = new RuleNode().field("message", sortNode("text"))
      const node = new RuleNode().field("group", sortNode("group")).field("causes", causes)
      return resource === undefined ? node : node.field("name", sortNode(`name:${resource}`))
    })
  },
  []
)

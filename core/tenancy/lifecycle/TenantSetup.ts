// What a tenant needs upstream to be a cluster: four namespaces, its rights, the roles that every cluster has.
// Owns bringing all of it about, again and again; refuses an id whose names somebody else uses.
import { Effect } from "effect"
import { type EffectClient, gvr, type KubeObject } from "#kube"
import type { Catalog } from "../discovery/Catalog.ts"
import { parseTenantId, TenantIdInvalid, underPrefix } from "../names/TenantId.ts"
import { namespaceBinding, tenantRole, tenantRoleBinding } from "../walls/Roles.ts"
import { isServed, IMMORTAL } from "../walls/Routes.ts"
import { TENANT_LABEL } from "../rules/Sorts.ts"
import { copyKubernetesService } from "./KubernetesService.ts"
import { inListOrder } from "./TenantNamespaces.ts"
import { ensure, find } from "./Upkeep.ts"

const RBAC = "rbac.authorization.k8s.io"
export const NAMESPACES = gvr("", "v1", "namespaces")
export const CLUSTER_ROLES = gvr(RBAC, "v1", "clusterroles")
export const CLUSTER_ROLE_BINDINGS = gvr(RBAC, "v1", "clusterrolebindings")
export const ROLE_BINDINGS = gvr(RBAC, "v1", "rolebindings")
export const DEFINITIONS = gvr("apiextensions.k8s.io", "v1", "customresourcedefinitions")

/** Names that components of Kubernetes and its usual add-ons begin with: no tenant's, whatever stands in the cluster today. */
const RESERVED: ReadonlySet<string> = new Set(["system", "kubead", "default"])

/** A cluster's own roles, of which each tenant has copies; the first is made here. */
const COPIED_ROLES = ["admin", "edit", "view"]

/** Why an id cannot be a tenant's; undefined when it can. Only asked before the tenant exists upstream. */
export const idProblem = Effect.fnUntraced(function* (client: EffectClient, catalog: Catalog, id: string) {
  const parsed = parseTenantId(id)
  if (parsed instanceof TenantIdInvalid) return parsed.message
  if (RESERVED.has(id)) return `metadata.name: ${JSON.stringify(id)} is kept for Kubernetes itself`
  for (const { names, resource } of yield* namesUnder(client, catalog, id)) {
    const [name] = names
    if (name !== undefined) {
      return `metadata.name: ${resource} ${JSON.stringify(name)} of the cluster stands under the prefix ${JSON.stringify(`${id}-`)} already`
    }
  }
  return undefined
})

/** Objects outside namespaces that stand under a prefix, and CRDs whose group does. */
export const namesUnder = Effect.fnUntraced(function* (client: EffectClient, catalog: Catalog, id: string) {
  const found: Array<{
    readonly group: string
    readonly version: string
    readonly resource: string
    readonly names: ReadonlyArray<string>
    readonly objects: ReadonlyArray<KubeObject>
  }> = []
  for (const group of catalog.groups) {
    const [version] = group.versions
    for (const served of version?.resources ?? []) {
      if (served.namespaced || !served.verbs.has("list") || !served.verbs.has("delete") || !isServed(served)) continue
      const isDefinition = served.resource === "customresourcedefinitions"
      const resource = gvr(served.group, served.version, served.resource)
      const list = yield* client
        .list({ resource, namespace: "" }, { metadataOnly: true })
        .pipe(Effect.catch((failure) => (failure.code === 404 ? Effect.succeed({ items: [] }) : Effect.fail(failure))))
      const objects = list.items.filter(({ metadata: { name = "" } }) =>
        underPrefix(id, isDefinition ? name.slice(name.indexOf(".") + 1) : name)
      )
      found.push({
        group: served.group,
        version: served.version,
        resource: served.resource,
        names: objects.map(({ metadata }) => metadata.name ?? ""),
        objects
      })
    }
  }
  return found
})

const namespaceOf = (id: string, name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: `${id}-${name}`, labels: { [TENANT_LABEL]: id } }
})

const roleOf = (id: string, name: string, rules: unknown): KubeObject => ({
  apiVersion: `${RBAC}/v1`,
  kind: "ClusterRole",
  metadata: { name: `${id}-${name}`, labels: { [TENANT_LABEL]: id, "kubernetes.io/bootstrapping": "rbac-defaults" } },
  rules
})

const everything = [
  { apiGroups: ["*"], resources: ["*"], verbs: ["*"] },
  { nonResourceURLs: ["*"], verbs: ["*"] }
]

/**
 * Brings about what a tenant needs; `namespaces` are those that it has now, `groups` those of its CRDs. Answers its namespaces
 * with those that were made.
 */
export const setUp = Effect.fnUntraced(function* (
  client: EffectClient,
  id: string,
  known: { readonly namespaces: ReadonlyArray<string>; readonly groups: ReadonlyArray<string> }
) {
  yield* ensure(client, CLUSTER_ROLES, tenantRole(id, known.groups))
  yield* ensure(client, CLUSTER_ROLE_BINDINGS, tenantRoleBinding(id))
  const namespaces = new Set(known.namespaces)
  for (const name of IMMORTAL) {
    const namespace = namespaceOf(id, name)
    if (!namespaces.has(`${id}-${name}`)) yield* ensure(client, NAMESPACES, namespace)
    namespaces.add(`${id}-${name}`)
  }
  for (const namespace of namespaces) yield* bind(client, id, namespace)
  yield* copyKubernetesService(client, id).pipe(
    // A quota may leave no room for it, and a namespace that ends needs none.
    Effect.catch((failure) => (failure.code === 403 || failure.code === 404 ? Effect.void : Effect.fail(failure)))
  )
  yield* ensureRole(client, roleOf(id, "cluster-admin", everything))
  for (const name of COPIED_ROLES) {
    const original = yield* find(client, { resource: CLUSTER_ROLES, namespace: "", name })
    if (original !== undefined) yield* ensureRole(client, roleOf(id, name, original["rules"] ?? []))
  }
  return [...namespaces].sort(inListOrder)
})

const isEmpty = ({ rules }: KubeObject): boolean => !Array.isArray(rules) || rules.length === 0

/** A role that a tenant has changed stays as it is, as in a cluster of its own. */
const ensureRole = Effect.fnUntraced(function* (client: EffectClient, role: KubeObject) {
  const known = yield* find(client, { resource: CLUSTER_ROLES, namespace: "", name: role.metadata.name ?? "" })
  if (known === undefined) return void (yield* client.create({ resource: CLUSTER_ROLES, namespace: "" }, role))
  // Upstream's controller may not have gathered the original's rules when the copy was made.
  if (!isEmpty(known) || isEmpty(role)) return undefined
  const target = { resource: CLUSTER_ROLES, namespace: "", name: role.metadata.name ?? "" }
  yield* client.update(target, { ...known, rules: role["rules"] })
  return undefined
})

/** Binds the tenant's administrators in a namespace; one that goes away needs no binding. */
const bind = (client: EffectClient, id: string, namespace: string) =>
  ensure(client, ROLE_BINDINGS, namespaceBinding(id, namespace)).pipe(
    Effect.asVoid,
    Effect.catch((failure) =>
      failure.code === 404 || / because it is being terminated/.test(failure.message)
        ? Effect.void
        : Effect.fail(failure)
    )
  )

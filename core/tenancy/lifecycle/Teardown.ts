// The end of a tenant: everything that is its own goes, in an order in which each step may be repeated, and nothing else does.
// Owns what is left and what goes next; the tenant's finalizer stays until a look at the whole cluster finds nothing.
import { Effect } from "effect"
import { type EffectClient, gvr } from "#kube"
import type { Catalog } from "../discovery/Catalog.ts"
import { underPrefix } from "../names/TenantId.ts"
import { tenantRoleName } from "../walls/Roles.ts"
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, NAMESPACES, namesUnder } from "./TenantSetup.ts"
import { TENANT_LABEL } from "../rules/Sorts.ts"
import { remove } from "./Upkeep.ts"

/** What a look at the cluster found. */
export interface Left {
  /** Objects that are still there, of each kind. */
  readonly objects: number
  readonly message: string
}

/** Deletes what is left; nothing is left when it answers zero objects, which it looked for after the last deletion of an earlier call. */
export const tearDown = Effect.fnUntraced(function* (client: EffectClient, catalog: Catalog, id: string) {
  const namespaces = yield* client.list(
    { resource: NAMESPACES, namespace: "" },
    { labelSelector: `${TENANT_LABEL}=${id}`, metadataOnly: true }
  )
  // The label alone could be anybody's slip: the name must be the tenant's as well.
  const own = namespaces.items.filter(({ metadata }) => underPrefix(id, metadata.name ?? ""))
  for (const { metadata } of own) {
    if (metadata.deletionTimestamp !== undefined) continue
    yield* remove(client, { resource: NAMESPACES, namespace: "", name: metadata.name ?? "" })
  }
  let others = 0
  const kinds: Array<string> = []
  for (const { group, objects, resource, version } of yield* namesUnder(client, catalog, id)) {
    // What somebody else made under the same prefix since has no label of the tenant's.
    const labelled = objects.filter(({ metadata }) => metadata.labels?.[TENANT_LABEL] === id)
    if (resource === "namespaces" || labelled.length === 0) continue
    others += labelled.length
    kinds.push(`${labelled.length} ${resource}`)
    // Objects of the tenant's own kinds go with their definitions.
    if (group.startsWith(`${id}-`)) continue
    for (const { metadata } of labelled) {
      if (metadata.deletionTimestamp !== undefined) continue
      yield* remove(client, { resource: gvr(group, version, resource), namespace: "", name: metadata.name ?? "" })
    }
  }
  const all = own.length + others
  if (all === 0) {
    // The rights last: until now they let the garbage of the tenant be seen.
    const name = tenantRoleName(id)
    yield* remove(client, { resource: CLUSTER_ROLE_BINDINGS, namespace: "", name })
    yield* remove(client, { resource: CLUSTER_ROLES, namespace: "", name })
  }
  const parts = own.length === 0 ? kinds : [`${own.length} namespaces`, ...kinds]
  const left: Left = { objects: all, message: all === 0 ? "nothing is left" : `waiting for ${parts.join(", ")} to go` }
  return left
})

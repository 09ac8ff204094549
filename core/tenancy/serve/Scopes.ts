// Each tenant's own view of the cluster, as long as it is the same tenant: its names, its rewriting, the kinds it may ask for.
// Owns when these are made anew; refuses to decide who belongs to a tenant.
import type { Catalog, ServedResource } from "../discovery/Catalog.ts"
import type { Tenant, Tenants } from "../lifecycle/Tenants.ts"
import type { KindShape, TenantView } from "../names/TenantView.ts"
import { Translation } from "../names/Translation.ts"
import type { Rewriting } from "../rewrite/Contract.ts"
import { isServed } from "../walls/Routes.ts"
import { TenantLoad, type TenantLimits } from "../quota/TenantLoad.ts"
import type { Clockwork } from "#kube"

/** A kind that a tenant may ask for. */
export interface TenantKind {
  readonly served: ServedResource
  readonly shape: KindShape
}

/** Kinds that are remembered for one tenant; upstream serves fewer. */
const KINDS_MAX = 4096

export class TenantScope {
  readonly tenant: Tenant
  readonly names: Translation
  readonly rewriting: Rewriting
  readonly load: TenantLoad
  private readonly catalog: Catalog
  private kinds = new Map<string, TenantKind>()
  private generation = -1

  constructor(tenant: Tenant, parts: { names: Translation; rewriting: Rewriting; catalog: Catalog; load: TenantLoad }) {
    this.tenant = tenant
    this.names = parts.names
    this.rewriting = parts.rewriting
    this.catalog = parts.catalog
    this.load = parts.load
  }

  /** A kind by the tenant's name of its group; undefined for what it is not served. */
  kind(group: string, version: string, resource: string): TenantKind | undefined {
    if (this.generation !== this.catalog.generation || this.kinds.size > KINDS_MAX) {
      this.kinds.clear()
      this.generation = this.catalog.generation
    }
    const key = `${group}/${version}/${resource}`
    const known = this.kinds.get(key)
    if (known !== undefined) return known
    const served = this.catalog.find(this.names.groupUp(group), version, resource)
    if (served === undefined || !isServed(served)) return undefined
    const { kind, namespaced } = served
    const found: TenantKind = { served, shape: { group, version, kind, resource, namespaced } }
    this.kinds.set(key, found)
    return found
  }
}

export interface ScopesOptions {
  readonly tenants: Tenants
  readonly catalog: Catalog
  readonly clockwork: Clockwork
  readonly limits: TenantLimits
  readonly rewriting: (view: TenantView) => Rewriting
}

export class Scopes {
  private readonly options: ScopesOptions
  /** As many as there are tenants that asked for something. */
  private readonly scopes = new Map<string, TenantScope>()

  constructor(options: ScopesOptions) {
    this.options = options
  }

  of(tenant: Tenant): TenantScope {
    const known = this.scopes.get(tenant.id)
    if (known?.tenant === tenant) return known
    const { catalog, clockwork, limits, rewriting, tenants } = this.options
    const view: TenantView = {
      tenant: tenant.id,
      published: (resource, name) => tenants.isPublished(resource, name),
      sharedGroup: (group) => tenants.isSharedGroup(group),
      isTenant: (id) => tenants.has(id),
      custom: (group, kindOrPlural) => {
        const shared = tenants.isSharedGroup(group)
        const served = catalog.custom(shared ? group : `${tenant.id}-${group}`, kindOrPlural)
        return served === undefined ? undefined : { resource: served.resource, namespaced: served.namespaced }
      }
    }
    const scope = new TenantScope(tenant, {
      names: new Translation(view),
      rewriting: rewriting(view),
      catalog,
      load: known?.tenant.uid === tenant.uid ? known.load : new TenantLoad(limits, clockwork)
    })
    this.scopes.set(tenant.id, scope)
    return scope
  }

  forget(id: string): void {
    this.scopes.delete(id)
  }
}

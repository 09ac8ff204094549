// Each tenant's own view of the cluster, as long as it is the same tenant: its names, its rewriting, the kinds it may ask for.
// Owns when these are made anew; refuses to decide who belongs to a tenant.
import type { Catalog, ServedResource } from "../discovery/Catalog.ts"
import type { Definitions } from "../lifecycle/Definitions.ts"
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
  private readonly definitions: Definitions | undefined
  private kinds = new Map<string, TenantKind>()
  private generation = -1

  constructor(
    tenant: Tenant,
    parts: {
      readonly names: Translation
      readonly rewriting: Rewriting
      readonly catalog: Catalog
      readonly definitions: Definitions | undefined
      readonly load: TenantLoad
    }
  ) {
    this.tenant = tenant
    this.names = parts.names
    this.rewriting = parts.rewriting
    this.catalog = parts.catalog
    this.definitions = parts.definitions
    this.load = parts.load
  }

  /** A kind by the tenant's name of its group; undefined for what it is not served. */
  kind(group: string, version: string, resource: string): TenantKind | undefined {
    const generation = this.catalog.generation + (this.definitions?.generation ?? 0)
    if (this.generation !== generation || this.kinds.size > KINDS_MAX) {
      this.kinds.clear()
      this.generation = generation
    }
    const key = `${group}/${version}/${resource}`
    const known = this.kinds.get(key)
    if (known !== undefined) return known
    const served = this.catalog.find(this.names.groupUp(group), version, resource)
    if (served === undefined || !isServed(served)) return undefined
    const { kind, namespaced } = served
    const references = this.definitions?.references(resource, served.group)
    // What a tenant's definition declares must be known before anything of its kind passes.
    if (references === undefined && this.definitions !== undefined && served.group.startsWith(this.names.prefix)) {
      return undefined
    }
    const declared = references === undefined || references.length === 0 ? {} : { references }
    const found: TenantKind = { served, shape: { group, version, kind, resource, namespaced, ...declared } }
    this.kinds.set(key, found)
    return found
  }
}

export interface ScopesOptions {
  readonly tenants: Tenants
  readonly catalog: Catalog
  /** Absent: no kind declares references. */
  readonly definitions: Definitions | undefined
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
    const { catalog, clockwork, definitions, limits, rewriting, tenants } = this.options
    const view: TenantView = {
      tenant: tenant.id,
      published: (resource, name) => tenants.isPublished(resource, name),
      sharedGroup: (group) => tenants.isSharedGroup(group),
      isTenant: (id) => tenants.has(id),
      custom: (group, kindOrPlural) => {
        const shared = tenants.isSharedGroup(group)
        const served = catalog.custom(shared ? group : `${tenant.id}-${group}`, kindOrPlural)
        if (served === undefined) return undefined
        const references = definitions?.references(served.resource, served.group)
        const { namespaced, resource } = served
        return references === undefined ? { resource, namespaced } : { resource, namespaced, references }
      }
    }
    const scope = new TenantScope(tenant, {
      names: new Translation(view),
      rewriting: rewriting(view),
      catalog,
      definitions,
      load: known?.tenant.uid === tenant.uid ? known.load : new TenantLoad(limits, clockwork)
    })
    this.scopes.set(tenant.id, scope)
    return scope
  }

  /** Those of tenants that asked for something. */
  all(): IterableIterator<TenantScope> {
    return this.scopes.values()
  }

  forget(id: string): void {
    this.scopes.delete(id)
  }
}

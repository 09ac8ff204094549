// The tenants that exist, and what the platform shares with them: asked by every request, kept by informers.
// Owns these lookups; refuses to change anything, which the controller does.
import { type Client, type Clockwork, gvr, Informer, isJsonObject, type KubeObject } from "#kube"

export const TENANTS = gvr("tenant.kubezoo.io", "v1alpha1", "tenants")
/** The label by which the platform shares a class or a CRD with all tenants, under its real name. */
export const PUBLISHED_LABEL = "kubezoo.io/published"
/** What a tenant may do now. */
export type Access = "ReadWrite" | "ReadOnly" | "Frozen"

/** A tenant as requests see it. The same object as long as nothing of it changes. */
export interface Tenant {
  readonly id: string
  readonly uid: string
  readonly access: Access
  readonly deleting: boolean
  readonly object: KubeObject
}

const accessOf = ({ spec }: KubeObject): Access => {
  const asked = isJsonObject(spec) ? spec["access"] : undefined
  return asked === "ReadOnly" || asked === "Frozen" ? asked : "ReadWrite"
}

const tenantOf = (object: KubeObject): Tenant => ({
  id: object.metadata.name ?? "",
  uid: object.metadata.uid ?? "",
  access: accessOf(object),
  deleting: object.metadata.deletionTimestamp !== undefined,
  object
})

/** Resources whose objects the platform may share, as "resource.group". */
export const SHAREABLE: ReadonlyArray<readonly [resource: string, group: string, version: string]> = [
  ["storageclasses", "storage.k8s.io", "v1"],
  ["volumeattributesclasses", "storage.k8s.io", "v1"],
  ["csidrivers", "storage.k8s.io", "v1"],
  ["ingressclasses", "networking.k8s.io", "v1"],
  ["runtimeclasses", "node.k8s.io", "v1"],
  ["priorityclasses", "scheduling.k8s.io", "v1"],
  ["deviceclasses", "resource.k8s.io", "v1"],
  ["customresourcedefinitions", "apiextensions.k8s.io", "v1"]
]

export interface TenantsOptions {
  readonly client: Client
  readonly clockwork: Clockwork
}

export class Tenants {
  readonly informer: Informer
  private readonly known = new Map<string, Tenant>()
  private readonly shared: ReadonlyMap<string, Informer>
  /** Groups of CRDs that the platform shares, each with how many share it. */
  private readonly sharedGroups = new Map<string, number>()
  /** Told when a tenant changed or went away. */
  onChange: ((id: string) => void) | undefined

  constructor({ client, clockwork }: TenantsOptions) {
    this.informer = new Informer({ client, clockwork, collection: { resource: TENANTS, namespace: "" } })
    this.informer.addHandler({
      added: (object) => this.put(object),
      updated: (_before, after) => this.put(after),
      deleted: ({ metadata }) => this.drop(metadata.name ?? "")
    })
    this.shared = new Map(
      SHAREABLE.map(([resource, group, version]) => [
        `${resource}.${group}`,
        new Informer({
          client,
          clockwork,
          collection: { resource: gvr(group, version, resource), namespace: "" },
          labelSelector: `${PUBLISHED_LABEL}=true`
        })
      ])
    )
    this.shared.get("customresourcedefinitions.apiextensions.k8s.io")?.addHandler({
      added: (object) => this.count(object, 1),
      deleted: (object) => this.count(object, -1)
    })
  }

  get(id: string): Tenant | undefined {
    return this.known.get(id)
  }

  has(id: string): boolean {
    return this.known.has(id)
  }

  all(): IterableIterator<Tenant> {
    return this.known.values()
  }

  get size(): number {
    return this.known.size
  }

  /** Whether the platform shares an object of no namespace: ("storageclasses.storage.k8s.io", "fast"). */
  isPublished(resource: string, name: string): boolean {
    return this.shared.get(resource)?.store.get(name) !== undefined
  }

  isSharedGroup(group: string): boolean {
    return this.sharedGroups.has(group)
  }

  start(): void {
    this.informer.start()
    for (const informer of this.shared.values()) informer.start()
  }

  stop(): void {
    this.informer.stop()
    for (const informer of this.shared.values()) informer.stop()
  }

  /** Calls back once, when everything is known. */
  onSynced(run: () => void): void {
    const informers = [this.informer, ...this.shared.values()]
    let open = informers.length
    for (const informer of informers) informer.onSynced(() => (--open === 0 ? run() : undefined))
  }

  private put(object: KubeObject): void {
    const tenant = tenantOf(object)
    this.known.set(tenant.id, tenant)
    this.onChange?.(tenant.id)
  }

  private drop(id: string): void {
    this.known.delete(id)
    this.onChange?.(id)
  }

  private count({ spec }: KubeObject, by: number): void {
    const group = isJsonObject(spec) ? spec["group"] : undefined
    if (typeof group !== "string") return
    const next = (this.sharedGroups.get(group) ?? 0) + by
    if (next > 0) this.sharedGroups.set(group, next)
    else this.sharedGroups.delete(group)
  }
}

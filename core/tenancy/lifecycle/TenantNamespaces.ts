// The namespaces of all tenants, by tenant: a local copy of their metadata, and the truth when it is asked for.
// Owns both; refuses to create or delete any.
import { ApiFailure, type Client, type Clockwork, gvr, Informer, type KubeObject } from "#kube"
import { prefixIn, underPrefix } from "../names/TenantId.ts"
import { TENANT_LABEL } from "../rules/Sorts.ts"

const NAMESPACES = { resource: gvr("", "v1", "namespaces"), namespace: "" }

const OF_TENANT = "tenant"

/** Whose a namespace is: the label says that this server made it so, the prefix says for whom. */
const tenantsOf = ({ metadata }: KubeObject): ReadonlyArray<string> => {
  const id = prefixIn(metadata.name ?? "")
  return id !== undefined && metadata.labels?.[TENANT_LABEL] === id ? [id] : []
}

/** The order in which upstream lists what stands in namespaces, whose keys go on with a slash. */
export const inListOrder = (a: string, b: string): number => {
  const [first, second] = [`${a}/`, `${b}/`]
  return first < second ? -1 : first > second ? 1 : 0
}

export class TenantNamespaces {
  readonly informer: Informer
  private readonly client: Client

  constructor(client: Client, clockwork: Clockwork) {
    this.client = client
    this.informer = new Informer({
      client,
      clockwork,
      collection: NAMESPACES,
      labelSelector: TENANT_LABEL,
      indexers: { [OF_TENANT]: tenantsOf }
    })
  }

  /** In upstream's spelling and the order of its lists, as the local copy has them. */
  of(tenant: string): ReadonlyArray<string> {
    return this.informer.store
      .byIndex(OF_TENANT, tenant)
      .map(({ metadata }) => metadata.name ?? "")
      .sort(inListOrder)
  }

  objectsOf(tenant: string): ReadonlyArray<KubeObject> {
    return this.informer.store.byIndex(OF_TENANT, tenant)
  }

  get(name: string): KubeObject | undefined {
    return this.informer.store.get(name)
  }

  /** As upstream has them now, with the version that shows them. */
  current(
    tenant: string,
    done: (found: { readonly names: ReadonlyArray<string>; readonly resourceVersion: string } | ApiFailure) => void
  ): void {
    const labelSelector = `${TENANT_LABEL}=${tenant}`
    this.client.list(NAMESPACES, { labelSelector, metadataOnly: true }, (answer) => {
      if (answer instanceof ApiFailure) return done(answer)
      const names = answer.items.map(({ metadata }) => metadata.name ?? "").filter((name) => underPrefix(tenant, name))
      done({ names: names.sort(inListOrder), resourceVersion: answer.metadata.resourceVersion })
    })
  }
}

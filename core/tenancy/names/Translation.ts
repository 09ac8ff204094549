// The prefix algebra of one tenant: each sort of identifier, up to the shared cluster and down to the tenant's view.
// Owns what a name becomes; refuses to know where in an object names stand, which the rule table says.
// Up is total and injective; down answers undefined for what is not the tenant's to see.
import { builtInResources } from "#kube"
import { clusterNaming } from "./ClusterNames.ts"
import { prefixOf, TENANT_ID_LENGTH, underPrefix } from "./TenantId.ts"
import type { TenantView } from "./TenantView.ts"

const SERVICE_ACCOUNT = "system:serviceaccount:"
const SERVICE_ACCOUNTS = "system:serviceaccounts:"

/** Volumes that a provisioner made are named after the claim's uid, never after a tenant; they keep their names on both sides. */
const provisionedVolume = /^pvc-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

let ownGroups: ReadonlySet<string> | undefined

/** Groups that are Kubernetes' own, whatever the platform shares besides; "*" stands for all. */
const kubernetesGroup = (group: string): boolean => {
  ownGroups ??= new Set(["*", "meta.k8s.io", ...builtInResources().map(({ group }) => group)])
  return ownGroups.has(group)
}

/** One tenant's names. */
export class Translation {
  readonly view: TenantView
  readonly prefix: string

  constructor(view: TenantView) {
    this.view = view
    this.prefix = prefixOf(view.tenant)
  }

  /** Pods see their namespace in upstream's spelling, so that spelling is taken as well: the tenant cannot make a namespace of that form. */
  namespaceUp(name: string): string {
    return name === "" || underPrefix(this.view.tenant, name) ? name : this.prefix + name
  }

  namespaceDown(name: string): string | undefined {
    if (name === "") return name
    if (!underPrefix(this.view.tenant, name)) return undefined
    const own = name.slice(TENANT_ID_LENGTH + 1)
    return underPrefix(this.view.tenant, own) ? undefined : own
  }

  /** Whether a name is kept back from the tenant's creations, because it already means something that is not a new object of its own. */
  reserved(resource: string, name: string): boolean {
    switch (clusterNaming(resource)) {
      case "namespace":
        return name.startsWith(this.prefix)
      case "shared":
      case "withheld":
        return true
      case "volume":
        return provisionedVolume.test(name) || this.#published(resource, name)
      case "classes":
        return this.#published(resource, name)
      case "definition":
        return this.sharedGroup(name.slice(name.indexOf(".") + 1))
      default:
        return false
    }
  }

  /** The name of an object in no namespace; `resource` like "clusterroles.rbac.authorization.k8s.io". */
  nameUp(resource: string, name: string): string {
    if (name === "") return name
    switch (clusterNaming(resource)) {
      case "namespace":
        return this.namespaceUp(name)
      case "shared":
        return name
      case "definition":
        return this.#definition(name, (group) => this.groupUp(group)) ?? name
      case "volume":
        if (provisionedVolume.test(name)) return name
        return this.#published(resource, name) ? name : this.prefix + name
      case "classes":
        return this.#published(resource, name) ? name : this.prefix + name
      default:
        return this.prefix + name
    }
  }

  nameDown(resource: string, name: string): string | undefined {
    if (name === "") return name
    const naming = clusterNaming(resource)
    if (naming === "shared") return name
    if (naming === "namespace") return this.namespaceDown(name)
    if (naming === "definition") return this.#definition(name, (group) => this.groupDown(group))
    if (underPrefix(this.view.tenant, name)) {
      const own = name.slice(TENANT_ID_LENGTH + 1)
      const shares = naming === "volume" || naming === "classes"
      const taken = naming === "volume" && provisionedVolume.test(own)
      return taken || (shares && this.#published(resource, own)) ? undefined : own
    }
    if (naming === "volume" && provisionedVolume.test(name)) return name
    return (naming === "volume" || naming === "classes") && this.#published(resource, name) ? name : undefined
  }

  /** A published object never stands under the tenant's own prefix, so that own names stay its own. */
  #published(resource: string, name: string): boolean {
    return this.view.published(resource, name) && !underPrefix(this.view.tenant, name)
  }

  /** "widgets.acme.io" is a plural and a group. */
  #definition(name: string, group: (group: string) => string | undefined): string | undefined {
    const dot = name.indexOf(".")
    if (dot < 0) return this.prefix + name
    const other = group(name.slice(dot + 1))
    return other === undefined ? undefined : `${name.slice(0, dot)}.${other}`
  }

  /** Whether a group is the same on both sides. */
  sharedGroup(group: string): boolean {
    return kubernetesGroup(group) || this.view.sharedGroup(group)
  }

  groupUp(group: string): string {
    return this.sharedGroup(group) ? group : this.prefix + group
  }

  groupDown(group: string): string | undefined {
    if (this.sharedGroup(group)) return group
    if (!underPrefix(this.view.tenant, group)) return undefined
    const own = group.slice(TENANT_ID_LENGTH + 1)
    return this.sharedGroup(own) ? undefined : own
  }

  apiVersionUp(apiVersion: string): string {
    const slash = apiVersion.indexOf("/")
    return slash < 0 ? apiVersion : this.groupUp(apiVersion.slice(0, slash)) + apiVersion.slice(slash)
  }

  apiVersionDown(apiVersion: string): string | undefined {
    const slash = apiVersion.indexOf("/")
    if (slash < 0) return apiVersion
    const group = this.groupDown(apiVersion.slice(0, slash))
    return group === undefined ? undefined : group + apiVersion.slice(slash)
  }

  userUp(user: string): string {
    const parts = accountParts(user)
    if (parts === undefined) return user === "" ? user : this.prefix + user
    return `${SERVICE_ACCOUNT}${this.namespaceUp(parts.namespace)}:${parts.name}`
  }

  userDown(user: string): string | undefined {
    if (user === "") return user
    const parts = accountParts(user)
    if (parts !== undefined) {
      const namespace = this.namespaceDown(parts.namespace)
      return namespace === undefined ? undefined : `${SERVICE_ACCOUNT}${namespace}:${parts.name}`
    }
    if (!underPrefix(this.view.tenant, user)) return undefined
    const own = user.slice(TENANT_ID_LENGTH + 1)
    return accountParts(own) === undefined ? own : undefined
  }

  /** Groups of users: everyone's groups of Kubernetes become the tenant's own, so that a grant never reaches outside. */
  userGroupUp(group: string): string {
    if (group === "") return group
    const namespace = accountsNamespace(group)
    return namespace === undefined ? this.prefix + group : SERVICE_ACCOUNTS + this.namespaceUp(namespace)
  }

  userGroupDown(group: string): string | undefined {
    if (group === "") return group
    const namespace = accountsNamespace(group)
    if (namespace !== undefined) {
      const own = this.namespaceDown(namespace)
      return own === undefined ? undefined : SERVICE_ACCOUNTS + own
    }
    if (!underPrefix(this.view.tenant, group)) return undefined
    const own = group.slice(TENANT_ID_LENGTH + 1)
    return accountsNamespace(own) === undefined ? own : undefined
  }
}

const accountParts = (user: string): { readonly namespace: string; readonly name: string } | undefined => {
  if (!user.startsWith(SERVICE_ACCOUNT)) return undefined
  const rest = user.slice(SERVICE_ACCOUNT.length)
  const colon = rest.indexOf(":")
  return colon <= 0 || colon === rest.length - 1 || rest.includes(":", colon + 1)
    ? undefined
    : { namespace: rest.slice(0, colon), name: rest.slice(colon + 1) }
}

const accountsNamespace = (group: string): string | undefined =>
  group.startsWith(SERVICE_ACCOUNTS) && group.length > SERVICE_ACCOUNTS.length
    ? group.slice(SERVICE_ACCOUNTS.length)
    : undefined

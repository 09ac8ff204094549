// Which way a tenant's request for a resource is served, after everything that may not be asked has been refused.
// Owns the order of refusals and the choice of the way; refuses to send anything itself. What no branch names is refused.
import { ApiFailure, Failures } from "#kube"
import { NamespaceLists, type NamespaceListsOptions, listName } from "../watch/NamespaceLists.ts"
import { TenantWatch, type TenantWatchOptions } from "../watch/TenantWatch.ts"
import type { AccessChecks } from "../walls/AccessChecks.ts"
import { IMMORTAL, isChange, isReadOnly, isReview, resourceName, subresourceForm } from "../walls/Routes.ts"
import { reviewAccess } from "./AccessReviews.ts"
import { ClusterCollections } from "./ClusterCollections.ts"
import { ClusterCreations } from "./ClusterCreations.ts"
import type { Cursors } from "./Cursor.ts"
import { forward, type Forwarding } from "./Forward.ts"
import { createNamespace } from "./NamespaceWrites.ts"
import { forwardPatch } from "./Patching.ts"
import { forwardList, forwardProxy, forwardText, forwardWatch, type ListPage } from "./Streamed.ts"
import type { TenantCall } from "./TenantCall.ts"
import { hasKept } from "./UpstreamHead.ts"
import { forwardUpgrade } from "./Upgrades.ts"

export interface ResourceRoutesOptions extends Forwarding, NamespaceListsOptions, TenantWatchOptions {
  readonly checks: AccessChecks
  readonly cursors: Cursors
}

/** Names that this server keeps for itself begin so. */
const KEPT = "tenant.kubezoo.io"

export class ResourceRoutes {
  private readonly options: ResourceRoutesOptions
  private readonly collections: ClusterCollections
  private readonly creations: ClusterCreations

  constructor(options: ResourceRoutesOptions) {
    this.options = options
    this.collections = new ClusterCollections(options)
    this.creations = new ClusterCreations(options.upstream)
  }

  answer(call: TenantCall): void {
    const refused = this.refusal(call)
    if (refused !== undefined) return call.fail(refused)
    const { name, subresource, verb } = call.path.info
    if (subresource !== "") return this.subresource(call)
    switch (verb) {
      case "list":
        return this.list(call)
      case "watch":
        return this.watch(call)
      case "deletecollection":
        return this.deleteCollection(call)
      case "patch":
        return this.creations.within(call, () => forwardPatch(this.options, call))
      case "create":
        if (name !== "") return call.fail(this.unsupported(call))
        return this.create(call)
      case "get":
      case "update":
      case "delete":
        return forward(this.options, call)
      default:
        return call.fail(this.unsupported(call))
    }
  }

  private unsupported(call: TenantCall): ApiFailure {
    const { group, resource } = call.kind.shape
    return Failures.methodNotSupported({ group, resource }, call.path.info.verb)
  }

  /** Why a request is not served at all. */
  private refusal(call: TenantCall): ApiFailure | undefined {
    const { info, proxied } = call.path
    const { served, shape } = call.kind
    const about = { group: shape.group, resource: shape.resource, name: info.name }
    const { names, tenant } = call.scope
    const isForNamespace = served.resource === "namespaces" && served.group === ""
    if (!served.namespaced && info.namespace !== "" && !isForNamespace) return notServed
    if (info.parts.length > 3 && proxied === "") return notServed
    const spansAll = served.namespaced && info.namespace === ""
    if (spansAll && info.verb !== "list" && info.verb !== "watch") return this.unsupported(call)
    if (info.subresource === "" && !served.verbs.has(info.verb)) return this.unsupported(call)
    if (tenant.access === "Frozen") return Failures.forbidden(about, "this cluster is suspended")
    if (!isChange(info.verb) || isReview(served)) return hasKept(served.group, served.resource) ? kept(call) : undefined
    if (tenant.access === "ReadOnly" || tenant.deleting) {
      return Failures.forbidden(about, "this cluster is suspended: it can only be read")
    }
    if (isReadOnly(served))
      return Failures.forbidden(about, `${shape.resource} are the platform's: they can only be read`)
    if (
      isForNamespace &&
      info.verb === "delete" &&
      IMMORTAL.has(names.namespaceDown(names.namespaceUp(info.name)) ?? "")
    ) {
      return Failures.forbidden(about, "this namespace may not be deleted")
    }
    if (!served.namespaced && info.name !== "" && !isOwn(call)) {
      return Failures.forbidden(about, "it is the platform's: it can only be read")
    }
    return hasKept(served.group, served.resource) ? kept(call) : undefined
  }

  private subresource(call: TenantCall): void {
    const { subresource, verb } = call.path.info
    const { served } = call.kind
    const form = subresourceForm(served, subresource)
    const { group, resource } = call.kind.shape
    if (form === undefined) return call.fail(notServed)
    // What is done to a container is told apart by its path; the verbs of discovery are those of HTTP's methods.
    if (form === "proxy") return forwardProxy(this.options, call)
    const asked = verb === "list" ? "get" : verb
    // A text is only read, whatever upstream says of it.
    if (!served.subresources.get(subresource)?.has(asked) || (form === "text" && asked !== "get")) {
      return call.fail(Failures.methodNotSupported({ group, resource: `${resource}/${subresource}` }, verb))
    }
    if (form === "upgrade") return forwardUpgrade(this.options, call)
    if (form === "text") return forwardText(this.options, call)
    if (verb === "patch") return forwardPatch(this.options, call)
    forward(this.options, call)
  }

  private list(call: TenantCall): void {
    const { namespaced } = call.kind.served
    if (!namespaced)
      return this.options.checks.check(call, "list", () => this.collections.list(call, () => this.page(call)))
    if (call.path.info.namespace === "") {
      return this.options.checks.check(call, "list", () => new NamespaceLists(this.options, call).begin())
    }
    const page = this.page(call)
    if (page instanceof ApiFailure) return call.fail(page)
    forwardList(this.options, call, page)
  }

  /** The place among upstream's pages that a request names, and how the next is told. */
  private page(call: TenantCall): ListPage | ApiFailure {
    const upstreamToken = this.unwrapped(call)
    if (upstreamToken instanceof ApiFailure) return upstreamToken
    const { cursors } = this.options
    const list = listName(call)
    const of = call.scope.tenant.uid
    return {
      upstreamToken,
      continueToken: (upstream) => cursors.seal({ of, list, upstream, version: "", namespace: "" })
    }
  }

  /** Upstream's own token out of ours. */
  private unwrapped(call: TenantCall): string | ApiFailure {
    const token = call.query.get("continue")
    if (token === "") return ""
    const cursor = this.options.cursors.open(token)
    return cursor?.of === call.scope.tenant.uid && cursor.list === listName(call)
      ? cursor.upstream
      : Failures.badRequest("continue key is not valid: it is not a token of this list")
  }

  private watch(call: TenantCall): void {
    const { checks } = this.options
    const within = call.kind.served.namespaced && call.path.info.namespace !== ""
    const begin = TenantWatch.prepare(this.options, call)
    if (!(begin instanceof ApiFailure)) {
      return within ? checks.checkWithin(call, "watch", begin) : checks.check(call, "watch", begin)
    }
    // Where the caller's own rights are enough to ask, upstream itself says what is wrong.
    if (within) forwardWatch(this.options, call)
    else call.fail(begin)
  }

  private deleteCollection(call: TenantCall): void {
    if (call.kind.served.namespaced) return forward(this.options, call)
    this.options.checks.check(call, "deletecollection", () => this.collections.delete(call))
  }

  private create(call: TenantCall): void {
    const { served } = call.kind
    if (isReview(served)) return reviewAccess(this.options, call)
    const isNamespace = served.group === "" && served.resource === "namespaces"
    this.creations.within(call, () => (isNamespace ? createNamespace : forward)(this.options, call))
  }
}

const notServed = Failures.generic(404, "NotFound", "the server could not find the requested resource")

/** Whether an object outside namespaces stands under the tenant's own prefix. */
const isOwn = (call: TenantCall): boolean => {
  const { names } = call.scope
  const { served } = call.kind
  const up = names.nameUp(resourceName(served.resource, served.group), call.path.info.name)
  const named = served.resource === "customresourcedefinitions" ? up.slice(up.indexOf(".") + 1) : up
  return named.startsWith(names.prefix)
}

/** What this server keeps in a tenant's namespaces is not there for the tenant. */
const kept = (call: TenantCall): ApiFailure | undefined => {
  const { name } = call.path.info
  if (!name.startsWith(KEPT)) return undefined
  const { group, resource } = call.kind.shape
  return isChange(call.path.info.verb)
    ? Failures.forbidden({ group, resource, name }, `names that begin with ${KEPT} are the platform's`)
    : Failures.notFound({ group, resource, name })
}

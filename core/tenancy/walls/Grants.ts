// A tenant's rights upstream where a request needs them before the controller or upstream's own caches have got there.
// Owns the waiting and the writing of one missing grant; refuses to grant anything outside the caller's own names.
import { ApiFailure, type Client, type Clockwork, gvr, type KubeObject } from "#kube"
import { markPatch, namespaceMarks } from "../lifecycle/NamespaceMarks.ts"
import type { Tenant } from "../lifecycle/Tenants.ts"
import type { WholeAnswer } from "../upstream/Upstream.ts"
import type { TenantCall } from "../serve/TenantCall.ts"
import { namespaceBinding, tenantRole, tenantRoleName } from "./Roles.ts"

/** What a refused request does next: once more, in this server's own name, or nothing. */
export type Repair = "again" | "own" | "refused"

/** Milliseconds until the first new try, doubled each time: upstream's authorizer follows its store within a second. */
const FIRST_WAIT_MS = 10
const TRIES_MAX = 8

const namespaces = gvr("", "v1", "namespaces")
const roleBindings = gvr("rbac.authorization.k8s.io", "v1", "rolebindings")
const clusterRoles = gvr("rbac.authorization.k8s.io", "v1", "clusterroles")

const decoder = new TextDecoder()

/** A refusal of the authorizer, not of admission, which another try would not change. */
const isAuthorizers = ({ body }: WholeAnswer): boolean =>
  / cannot [a-z]+ (resource|path) /.test(decoder.decode(body.subarray(0, 4096)))

export class Grants {
  private readonly client: Client
  private readonly clockwork: Clockwork

  constructor(client: Client, clockwork: Clockwork) {
    this.client = client
    this.clockwork = clockwork
  }

  /** Finds out why an administrator was refused, and mends it. */
  repair(
    call: TenantCall,
    { refusal, tries }: { readonly refusal: WholeAnswer; readonly tries: number },
    next: (way: Repair) => void
  ): void {
    if (!call.caller.admin || tries >= TRIES_MAX || !isAuthorizers(refusal)) return next("refused")
    const again = (): void => void this.clockwork.after(FIRST_WAIT_MS * 2 ** tries, () => next("again"))
    const { served } = call.kind
    const tenant = call.scope.tenant.id
    if (served.namespaced) {
      const namespace = call.scope.names.namespaceUp(call.path.info.namespace)
      if (namespace === "") return next("refused")
      if (tries > 0) return again()
      return this.repairNamespace(call.scope.tenant, namespace, (way) => (way === "again" ? again() : next(way)))
    }
    if (!served.group.startsWith(call.scope.names.prefix)) return tries < 3 ? again() : next("refused")
    if (tries > 0) return again()
    this.grantGroups(tenant, [served.group], again)
  }

  private repairNamespace(tenant: Tenant, namespace: string, next: (way: Repair) => void): void {
    this.client.get({ resource: namespaces, namespace: "", name: namespace }, {}, (answer) => {
      if (!(answer instanceof ApiFailure)) return this.open(tenant, namespace, () => next("again"))
      // Where there is no namespace there is nothing to protect, and upstream's own answer is the right one.
      next(answer.code === 404 ? "own" : "refused")
    })
  }

  /** Lets a tenant's administrators into a namespace, once it says what the walls must know; again does nothing more. */
  open(tenant: Tenant, namespace: string, done: (failure: ApiFailure | undefined) => void): void {
    const marks = namespaceMarks(tenant.object.spec)
    if (Object.values(marks).every((mark) => mark === null)) return this.bind(tenant.id, namespace, done)
    const target = { resource: namespaces, namespace: "", name: namespace }
    this.client.patch(target, { type: "merge", body: markPatch(marks) }, {}, (answer) => {
      if (answer instanceof ApiFailure) done(answer)
      else this.bind(tenant.id, namespace, done)
    })
  }

  private bind(tenant: string, namespace: string, done: (failure: ApiFailure | undefined) => void): void {
    this.client.create({ resource: roleBindings, namespace }, namespaceBinding(tenant, namespace), {}, (answer) =>
      done(answer instanceof ApiFailure && answer.code !== 409 ? answer : undefined)
    )
  }

  /** Adds groups of custom resources to what a tenant's administrators may do outside namespaces. */
  grantGroups(tenant: string, groups: ReadonlyArray<string>, done: () => void): void {
    const target = { resource: clusterRoles, namespace: "", name: tenantRoleName(tenant) }
    this.client.get(target, {}, (answer) => {
      if (answer instanceof ApiFailure) return done()
      const known = groupsOf(answer)
      if (groups.every((group) => known.includes(group))) return done()
      const role = tenantRole(tenant, [...new Set([...known, ...groups])].sort())
      const { resourceVersion = "" } = answer.metadata
      // Lost races are the controller's to mend, and the next try's.
      this.client.update(target, { ...role, metadata: { ...role.metadata, resourceVersion } }, {}, () => done())
    })
  }
}

/** The groups that a tenant's role names. */
export const groupsOf = ({ rules }: KubeObject): ReadonlyArray<string> =>
  Array.isArray(rules)
    ? (rules as ReadonlyArray<{ apiGroups?: ReadonlyArray<string> }>).flatMap((rule) => rule.apiGroups ?? [])
    : []

// Who sends a request, once that is known: somebody of a tenant, or somebody of the platform.
// Owns these shapes and the names under which the cluster behind us meets tenants; refuses to find anything out.
import { impersonateExtraField } from "#kube"
import type { HttpFields } from "#net"
import type { UserInfo } from "#apiserver"
import type { Tenant } from "../lifecycle/Tenants.ts"

/** Somebody of a tenant, under the names that the cluster behind us knows. */
export interface TenantCaller {
  readonly kind: "tenant"
  readonly tenant: Tenant
  readonly user: UserInfo
  /** Holds everything in the tenant's cluster, as system:masters in a cluster of its own. */
  readonly admin: boolean
}

/** Somebody who is in no tenant: an operator of the platform. */
export interface PlatformCaller {
  readonly kind: "platform"
  readonly user: UserInfo
}

export type Caller = TenantCaller | PlatformCaller

/** Everything that this server asserts about identities begins so; nobody else may assert it. */
export const ASSERTED = "tenant.kubezoo.io:"
/** The group of everyone whose requests come through this server. */
export const PROXIED = `${ASSERTED}proxied`
/** The group of every tenant's administrators: what they may do outside namespaces. */
export const ADMINS = `${ASSERTED}admins`

/** The group of everyone of one tenant, by which the walls upstream know whose name an object must carry. */
export const membersOf = (tenant: string): string => `${ASSERTED}tenant:${tenant}`

/** The group of a tenant's administrators, which the bindings in the tenant's namespaces name. */
export const adminsOf = (tenant: string): string => `${ASSERTED}admins:${tenant}`

/** A user, as a subject of cluster-wide bindings of tenants: a group that only this server asserts, so that nobody who goes past it has those rights. */
export const assertedUser = (user: string): string => `${ASSERTED}user:${user}`

/** The same of a group. */
export const assertedGroup = (group: string): string => `${ASSERTED}group:${group}`

/** The user of a tenant as upstream is told of it, with what this server vouches for. */
export const assertedIdentity = (tenant: string, user: UserInfo, admin: boolean): UserInfo => ({
  ...user,
  groups: [
    ...user.groups,
    PROXIED,
    membersOf(tenant),
    assertedUser(user.name),
    ...user.groups.map(assertedGroup),
    ...(admin ? [ADMINS, adminsOf(tenant)] : [])
  ]
})

/** A user's extras that are worth telling upstream: which pod and which credential a token belongs to. */
const toldExtra = /^authentication\.kubernetes\.io\//

/** The fields of a request that is sent upstream in a user's name. */
export const impersonationOf = ({ extra = {}, groups, name }: UserInfo): HttpFields => [
  ["impersonate-user", name],
  ...groups.map((group) => ["impersonate-group", group] as const),
  ...Object.entries(extra).flatMap(([key, values]) =>
    toldExtra.test(key) ? values.map((value) => [impersonateExtraField(key), value] as const) : []
  )
]

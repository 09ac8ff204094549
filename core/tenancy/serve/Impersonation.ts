// A tenant's administrator that acts as somebody else of the tenant (kubectl --as): upstream is told that name, with the tenant's prefix.
// Owns reading the fields and who may send them; no name of the client passes untranslated.
import { ApiFailure, Failures } from "#kube"
import type { HttpExchange } from "#net"
import { assertedIdentity, type TenantCaller } from "../identity/Caller.ts"
import type { TenantScope } from "./Scopes.ts"

const MASTERS = "system:masters"

/** Who the request is for; a failure when the caller may not act as others. */
export const impersonated = (
  exchange: HttpExchange,
  caller: TenantCaller,
  scope: TenantScope
): TenantCaller | ApiFailure => {
  const user = exchange.header("impersonate-user")
  if (user === undefined) {
    // Without a user the others say nothing, and nobody may think that they do.
    const stray = exchange.header("impersonate-group") ?? exchange.header("impersonate-uid")
    return stray === undefined ? caller : Failures.badRequest("requested impersonation without impersonating a user")
  }
  const { names, tenant } = scope
  if (!caller.admin) {
    const who = names.userDown(caller.user.name) ?? ""
    const why = `User ${JSON.stringify(who)} cannot impersonate resource "users" in API group "" at the cluster scope`
    return Failures.forbidden({ group: "", resource: "users", name: user }, why)
  }
  const asked = exchange.fields().flatMap(([name, value]) => (name === "impersonate-group" ? [value] : []))
  const up = names.userUp(user)
  const accounts = /^system:serviceaccount:([^:]+):[^:]+$/.exec(up)?.[1]
  const groups = asked.map((group) => names.userGroupUp(group))
  if (accounts !== undefined && asked.length === 0) {
    groups.push(names.userGroupUp("system:serviceaccounts"), `system:serviceaccounts:${accounts}`)
  }
  if (!asked.includes("system:authenticated")) groups.push(names.userGroupUp("system:authenticated"))
  const admin = asked.includes(MASTERS)
  return { kind: "tenant", tenant, admin, user: assertedIdentity(tenant.id, { name: up, groups }, admin) }
}

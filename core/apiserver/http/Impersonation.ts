// Acting as somebody else: the Impersonate-* fields, each of which the requester must be allowed to use.
// Owns reading the fields, the checks and the groups that follow; the Authorizer decides.
import { ApiFailure, Failures } from "#kube"
import type { AccessAttributes, Authorizer } from "../Access.ts"
import type { UserInfo } from "../Request.ts"
import type { Call } from "./Call.ts"
import { forbiddenAccess } from "./Forbidden.ts"

interface Asked {
  readonly name: string
  readonly groups: ReadonlyArray<string>
  readonly uid: string
  readonly extra: ReadonlyArray<readonly [string, string]>
}

const EXTRA_PREFIX = "impersonate-extra-"

/** Keys of extra are percent-encoded where a field name could not carry them. */
const extraKey = (name: string): string => {
  const key = name.slice(EXTRA_PREFIX.length).toLowerCase()
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}

const readFields = (call: Call): Asked | undefined => {
  const { exchange } = call
  const groups: Array<string> = []
  const extra: Array<readonly [string, string]> = []
  let name = ""
  let uid = ""
  for (const [field, value] of exchange.fields()) {
    if (!field.startsWith("impersonate-")) continue
    if (field === "impersonate-user" && name === "") name = value
    else if (field === "impersonate-group") groups.push(value)
    else if (field === "impersonate-uid" && uid === "") uid = value
    else if (field.startsWith(EXTRA_PREFIX)) extra.push([extraKey(field), value])
  }
  if (name === "" && groups.length === 0 && uid === "" && extra.length === 0) return undefined
  return { name, groups, uid, extra }
}

const serviceAccount = /^system:serviceaccount:([^:]+):([^:]+)$/

const attributes = (
  user: UserInfo,
  group: string,
  resource: string,
  rest: { readonly name: string; readonly namespace?: string; readonly subresource?: string }
): AccessAttributes => ({
  user,
  resourceRequest: true,
  verb: "impersonate",
  group,
  version: "v1",
  resource,
  subresource: rest.subresource ?? "",
  namespace: rest.namespace ?? "",
  name: rest.name
})

const checksOf = (user: UserInfo, asked: Asked): ReadonlyArray<AccessAttributes> => {
  const account = serviceAccount.exec(asked.name)
  const who =
    account === null
      ? attributes(user, "", "users", { name: asked.name })
      : attributes(user, "", "serviceaccounts", { namespace: account[1] ?? "", name: account[2] ?? "" })
  const authentication = "authentication.k8s.io"
  return [
    who,
    ...asked.groups.map((name) => attributes(user, "", "groups", { name })),
    ...asked.extra.map(([key, name]) => attributes(user, authentication, "userextras", { name, subresource: key })),
    ...(asked.uid === "" ? [] : [attributes(user, authentication, "uids", { name: asked.uid })])
  ]
}

const groupsOf = (asked: Asked): ReadonlyArray<string> => {
  const account = serviceAccount.exec(asked.name)
  const groups =
    account !== null && asked.groups.length === 0
      ? ["system:serviceaccounts", `system:serviceaccounts:${account[1] ?? ""}`]
      : [...asked.groups]
  const added = asked.name === "system:anonymous" ? "system:unauthenticated" : "system:authenticated"
  const has = groups.includes("system:unauthenticated") || groups.includes(added)
  return has ? groups : [...groups, added]
}

/** Replaces the call's user by the one that its fields name; a failure when that may not be. */
export const impersonate = (call: Call, authorizer: Authorizer): ApiFailure | undefined => {
  const asked = readFields(call)
  if (asked === undefined) return undefined
  if (asked.name === "") {
    return Failures.badRequest("requested groups, uid or extra without impersonating a user name")
  }
  for (const check of checksOf(call.user, asked)) {
    const decision = authorizer.authorize(check)
    if (!decision.allowed) return forbiddenAccess(check, decision.reason)
  }
  const extra: Record<string, Array<string>> = {}
  for (const [key, value] of asked.extra) (extra[key] ??= []).push(value)
  call.impersonator = call.user
  call.user = {
    name: asked.name,
    groups: groupsOf(asked),
    ...(asked.uid === "" ? {} : { uid: asked.uid }),
    ...(asked.extra.length === 0 ? {} : { extra })
  }
  return undefined
}

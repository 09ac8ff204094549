// What a client asks for when it wants to act as somebody else, and what it must be allowed for that.
// Owns reading the Impersonate-* fields strictly (what is malformed is refused, never guessed) and the list of questions;
// refuses to answer them, which the cluster does (AccessReviews.ts).
import type { UserInfo } from "#apiserver"
import type { HttpFields } from "#net"
import { userProblem } from "./UserFields.ts"

const EXTRA_PREFIX = "impersonate-extra-"

/** Octets of a field value as the UTF-8 text that they are; undefined when they are none. */
const textOf = (octets: string): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(octets, "latin1"))
  } catch {
    // No UTF-8.
    return undefined
  }
}

const keyOf = (name: string): string | undefined => {
  try {
    return decodeURIComponent(name.slice(EXTRA_PREFIX.length).toLowerCase())
  } catch {
    // Not well escaped.
    return undefined
  }
}

/** Whether a name is a field of impersonation to anybody on the way, who may take `_` for `-`. */
export const isImpersonation = (name: string): boolean =>
  name.startsWith("impersonate") && (name.length === 11 || name[11] === "-" || name[11] === "_")

class Reading {
  name: string | undefined
  uid: string | undefined
  readonly groups: Array<string> = []
  readonly extra: Record<string, Array<string>> = {}

  /** Why the field is refused, or undefined. */
  take(field: string, octets: string): string | undefined {
    const value = textOf(octets)
    if (value === undefined) return `${field} is no UTF-8 text`
    if (field === "impersonate-user") {
      if (this.name !== undefined) return `${field} is given twice`
      if (value === "") return `${field} is empty`
      this.name = value
    } else if (field === "impersonate-uid") {
      if (this.uid !== undefined) return `${field} is given twice`
      if (value === "") return `${field} is empty`
      this.uid = value
    } else if (field === "impersonate-group") {
      if (value === "") return `${field} is empty`
      this.groups.push(value)
    } else if (field.startsWith(EXTRA_PREFIX)) {
      const key = keyOf(field)
      if (key === undefined || key === "")
        return "an impersonate-extra- field has a key that is empty or not well escaped"
      ;(this.extra[key] ??= []).push(value)
    } else return "there are fields of impersonation that nobody knows"
    return undefined
  }
}

const serviceAccount = /^system:serviceaccount:([^:]+):([^:]+)$/

/** The groups that follow from a name, as kube-apiserver adds them. */
const withImplied = (name: string, groups: ReadonlyArray<string>): ReadonlyArray<string> => {
  const account = serviceAccount.exec(name)
  const all =
    account !== null && groups.length === 0
      ? ["system:serviceaccounts", `system:serviceaccounts:${account[1] ?? ""}`]
      : [...groups]
  const added = name === "system:anonymous" ? "system:unauthenticated" : "system:authenticated"
  return all.includes("system:unauthenticated") || all.includes(added) ? all : [...all, added]
}

export interface Asked {
  readonly kind: "asked"
  /** With the groups that follow. */
  readonly user: UserInfo
  /** As asked for. */
  readonly groups: ReadonlyArray<string>
}

export interface Malformed {
  readonly kind: "malformed"
  readonly message: string
}

const malformed = (message: string): Malformed => ({
  kind: "malformed",
  message: `malformed impersonation: ${message}`
})

/** Reads the fields of a request that has some. */
export const readImpersonation = (fields: HttpFields): Asked | Malformed => {
  const reading = new Reading()
  for (const [field, value] of fields) {
    if (!isImpersonation(field)) continue
    const problem = reading.take(field, value)
    if (problem !== undefined) return malformed(problem)
  }
  const { extra, groups, name, uid } = reading
  if (name === undefined) return malformed("groups, uid or extra without impersonate-user")
  const user = {
    name,
    groups: withImplied(name, groups),
    ...(uid === undefined ? {} : { uid }),
    ...(Object.keys(extra).length === 0 ? {} : { extra })
  }
  const problem = userProblem(user)
  return problem === undefined ? { kind: "asked", user, groups } : malformed(`the user cannot be passed on: ${problem}`)
}

/** One thing that must be allowed: resourceAttributes of a SubjectAccessReview. */
export interface Question {
  readonly verb: "impersonate"
  readonly group: string
  readonly version: "v1"
  readonly resource: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name: string
}

/** All that must be allowed for acting as the user. */
export const questionsOf = ({ groups, user }: Asked): ReadonlyArray<Question> => {
  const about = (group: string, resource: string, rest: Pick<Question, "name" | "namespace" | "subresource">) =>
    ({ verb: "impersonate", group, version: "v1", resource, ...rest }) as const
  const account = serviceAccount.exec(user.name)
  const authentication = "authentication.k8s.io"
  const extra = Object.entries(user.extra ?? {}).flatMap(([subresource, values]) =>
    values.map((name) => about(authentication, "userextras", { subresource, name }))
  )
  return [
    account === null
      ? about("", "users", { name: user.name })
      : about("", "serviceaccounts", { namespace: account[1] ?? "", name: account[2] ?? "" }),
    ...groups.map((name) => about("", "groups", { name })),
    ...extra,
    ...(user.uid === undefined ? [] : [about(authentication, "uids", { name: user.uid })])
  ]
}

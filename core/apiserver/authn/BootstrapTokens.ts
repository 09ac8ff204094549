// Bootstrap tokens: `id.secret`, kept in secrets of kube-system named bootstrap-token-<id>, for nodes that join.
// Owns the rules of those secrets; refuses to clean expired ones up, which a controller does.
import { timingSafeEqual } from "node:crypto"
import { type KubeObject, parseRfc3339 } from "#kube"
import type { ResourceView } from "../Api.ts"
import type { UserInfo } from "../Request.ts"
import type { TokenAuthenticator } from "./Authenticator.ts"

const form = /^([a-z0-9]{6})\.([a-z0-9]{16})$/
const groupForm = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/

const dataOf = (secret: KubeObject, field: string): string => {
  // SAFETY: secrets' data is a map of base64 texts by its schema.
  const data = secret["data"] as Readonly<Record<string, string>> | undefined
  return Buffer.from(data?.[field] ?? "", "base64").toString("utf8")
}

/** Whether two secrets are the same, in a time that does not tell how much of them is. */
export const sameSecret = (a: string, b: string): boolean => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

const groupsOf = (secret: KubeObject): ReadonlyArray<string> | undefined => {
  const extra = dataOf(secret, "auth-extra-groups")
  const groups = extra === "" ? [] : extra.split(",")
  return groups.every((group) => groupForm.test(group))
    ? [...new Set(["system:bootstrappers", ...groups])].sort()
    : undefined
}

/** Tokens of the secrets in a view of core/v1 secrets. */
export const bootstrapTokens = (secrets: ResourceView, now: () => number): TokenAuthenticator => {
  const users = new WeakMap<KubeObject, UserInfo>()
  const userOf = (secret: KubeObject, id: string): UserInfo | undefined => {
    const held = users.get(secret)
    if (held !== undefined) return held
    const groups = groupsOf(secret)
    if (groups === undefined) return undefined
    const user = { name: `system:bootstrap:${id}`, groups }
    users.set(secret, user)
    return user
  }
  return {
    authenticateToken: (token, audiences) => {
      const [, id, proof] = form.exec(token) ?? []
      if (id === undefined || proof === undefined) return undefined
      const secret = secrets.get("kube-system", `bootstrap-token-${id}`)
      if (secret === undefined || secret.metadata.deletionTimestamp !== undefined) return undefined
      if (secret["type"] !== "bootstrap.kubernetes.io/token") return undefined
      if (!sameSecret(dataOf(secret, "token-secret"), proof) || dataOf(secret, "token-id") !== id) return undefined
      const expiration = dataOf(secret, "expiration")
      // A time that cannot be read counts as past.
      if (expiration !== "" && !((parseRfc3339(expiration) ?? 0) > now())) return undefined
      if (dataOf(secret, "usage-bootstrap-authentication") !== "true") return undefined
      const user = userOf(secret, id)
      return user === undefined ? undefined : { user, audiences }
    }
  }
}

// Authorizers that ask others or nobody: the superusers' group, the chain, and the message of a refusal.
// Owns their order and wording; refuses roles, which RbacAuthorizer.ts reads.
import { type ApiFailure, Failures } from "#kube"
import type { AccessAttributes, AccessDecision, Authorizer } from "../Access.ts"

/** Its members may do everything. */
export const SYSTEM_MASTERS = "system:masters"

const ALLOWED: AccessDecision = { allowed: true, reason: "" }
const NO_OPINION: AccessDecision = { allowed: false, reason: "" }

/** Allows members of system:masters everything; has no opinion of others. */
export const superusers: Authorizer = {
  authorize: ({ user }) => (user.groups.includes(SYSTEM_MASTERS) ? ALLOWED : NO_OPINION)
}

/** An authorizer of a chain and what the chain's refusals call it. */
export interface NamedAuthorizer {
  readonly name: string
  readonly authorizer: Authorizer
}

/** The first that allows decides; a refusal joins all reasons, each behind its authorizer's name. */
export const chainOf = (chain: ReadonlyArray<NamedAuthorizer>): Authorizer => ({
  authorize: (attributes) => {
    let reasons: Array<string> | undefined
    for (const { authorizer, name } of chain) {
      const decision = authorizer.authorize(attributes)
      if (decision.allowed) return decision
      if (decision.reason === "") continue
      reasons ??= []
      reasons.push(`${name}: ${decision.reason}`)
    }
    return reasons === undefined ? NO_OPINION : { allowed: false, reason: reasons.join("\n") }
  }
})

/** kube-apiserver's chain for `--authorization-mode=Node,RBAC`; without a node authorizer that of RBAC alone. */
export const usualChain = (rbac: Authorizer, node?: Authorizer): Authorizer =>
  chainOf([
    { name: "superuser", authorizer: superusers },
    ...(node === undefined ? [] : [{ name: "node", authorizer: node }]),
    { name: "rbac", authorizer: rbac }
  ])

const messageOf = (attributes: AccessAttributes): string => {
  const user = `User ${JSON.stringify(attributes.user.name)} cannot ${attributes.verb}`
  if (!attributes.resourceRequest) return `${user} path ${JSON.stringify(attributes.path)}`
  const { group, namespace, resource, subresource } = attributes
  const what = JSON.stringify(subresource === "" ? resource : `${resource}/${subresource}`)
  const where = namespace === "" ? "at the cluster scope" : `in the namespace ${JSON.stringify(namespace)}`
  return `${user} resource ${what} in API group ${JSON.stringify(group)} ${where}`
}

/** 403 for a request that was not allowed, in kube-apiserver's words. */
export const forbidden = (attributes: AccessAttributes, { reason }: AccessDecision): ApiFailure => {
  const message = messageOf(attributes)
  const { group, name, resource } = attributes.resourceRequest ? attributes : { group: "", name: "", resource: "" }
  return Failures.forbidden({ group, resource, name }, reason === "" ? message : `${message}: ${reason}`)
}

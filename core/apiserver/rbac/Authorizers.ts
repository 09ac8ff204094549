// Authorizers that ask others or nobody: the superusers' group and the chain.
// Owns their order; refuses roles, which RbacAuthorizer.ts reads, and the words of a refusal, which the front has.
import type { AccessDecision, Authorizer } from "../Access.ts"

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

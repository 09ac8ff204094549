// Label keys that mean something to the platform: its own domain, and the keys by which ClusterRoles gather others.
// Owns how such keys are spelled upstream; values are the rule table's.
import { TENANT_ID_LENGTH } from "../names/TenantId.ts"
import type { Translation } from "../names/Translation.ts"
import { type KeyRule, RuleNode } from "../rewrite/RuleNode.ts"
import { TENANT_LABEL } from "./Sorts.ts"

/** The label with a namespace's own name. */
const METADATA_NAME = "kubernetes.io/metadata.name"

const PLATFORM = "kubezoo.io/"
const AGGREGATION = "rbac.authorization.k8s.io/"
/** Behind the tenant's id, which may end with "-", where a part of a domain may not. */
const OWN = "t."

const bare = (key: string): string => (key.startsWith("f:") ? key.slice(2) : key)

const platformKeys: KeyRule = {
  up: (_names, key) => (bare(key).startsWith(PLATFORM) && bare(key) !== TENANT_LABEL ? undefined : key),
  down: (_names, key) => (bare(key).startsWith(PLATFORM) ? undefined : key)
}

/** "111111t.rbac.authorization.k8s.io/aggregate-to-admin" upstream: the platform's own roles do not gather it. */
const roleKey = {
  up: ({ view }: Translation, key: string): string => {
    const plain = bare(key)
    const head = key.slice(0, key.length - plain.length)
    const aggregates = plain.startsWith(AGGREGATION) || ownKey(plain, view.tenant)
    return aggregates ? `${head}${view.tenant}${OWN}${plain}` : key
  },
  down: ({ view }: Translation, key: string): string => {
    const plain = bare(key)
    const head = key.slice(0, key.length - plain.length)
    return ownKey(plain, view.tenant) ? head + plain.slice(TENANT_ID_LENGTH + OWN.length) : key
  }
}

const ownKey = (key: string, tenant: string): boolean => {
  let from = 0
  while (key.startsWith(tenant + OWN, from)) from += TENANT_ID_LENGTH + OWN.length
  return from > 0 && key.startsWith(AGGREGATION, from)
}

const roleKeys: KeyRule = {
  up: (names, key) => (platformKeys.up(names, key) === undefined ? undefined : roleKey.up(names, key)),
  down: (names, key) => (platformKeys.down(names, key) === undefined ? undefined : roleKey.down(names, key))
}

const requirementKey = new RuleNode()
requirementKey.sort = { name: "labelKey", hiding: "object", up: roleKeys.up, down: roleKeys.down }

/** A selector's requirement on ClusterRoles' labels. */
const roleRequirement: RuleNode = new RuleNode().field("key", requirementKey)

/** The platform's labels, and what becomes of keys. */
export const Labels = { METADATA_NAME, PLATFORM, platformKeys, roleKeys, roleRequirement, roleKey } as const

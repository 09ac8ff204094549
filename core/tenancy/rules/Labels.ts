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

/** The annotation that makes an IngressClass the default of all namespaces of a cluster. */
export const DEFAULT_INGRESS_CLASS = "ingressclass.kubernetes.io/is-default-class"
const INGRESS_CLASS = "ingressclass.kubernetes.io/"

/** "111111t.rbac.authorization.k8s.io/aggregate-to-admin" upstream: keys of a domain that the platform does not look at. */
const respelled = (domain: string) => {
  const ownKey = (key: string, tenant: string): boolean => {
    let from = 0
    while (key.startsWith(tenant + OWN, from)) from += TENANT_ID_LENGTH + OWN.length
    return from > 0 && key.startsWith(domain, from)
  }
  return {
    up: ({ view }: Translation, key: string): string => {
      const plain = bare(key)
      const head = key.slice(0, key.length - plain.length)
      const isOf = plain.startsWith(domain) || ownKey(plain, view.tenant)
      return isOf ? `${head}${view.tenant}${OWN}${plain}` : key
    },
    down: ({ view }: Translation, key: string): string => {
      const plain = bare(key)
      const head = key.slice(0, key.length - plain.length)
      return ownKey(plain, view.tenant) ? head + plain.slice(TENANT_ID_LENGTH + OWN.length) : key
    }
  }
}

/** The platform's own roles do not gather what a tenant's role calls itself. */
const roleKey = respelled(AGGREGATION)
/** A tenant's class is no default of other namespaces. */
const classKey = respelled(INGRESS_CLASS)

const unlessPlatform = (inner: ReturnType<typeof respelled>): KeyRule => ({
  up: (names, key) => (platformKeys.up(names, key) === undefined ? undefined : inner.up(names, key)),
  down: (names, key) => (platformKeys.down(names, key) === undefined ? undefined : inner.down(names, key))
})

const roleKeys = unlessPlatform(roleKey)
const classKeys = unlessPlatform(classKey)

const requirementKey = new RuleNode()
requirementKey.sort = { name: "labelKey", hiding: "object", up: roleKeys.up, down: roleKeys.down }

/** A selector's requirement on ClusterRoles' labels. */
const roleRequirement: RuleNode = new RuleNode().field("key", requirementKey)

/** The platform's labels, and what becomes of keys. */
export const Labels = { METADATA_NAME, PLATFORM, platformKeys, roleKeys, classKeys, roleRequirement, roleKey } as const

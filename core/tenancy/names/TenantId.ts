// Tenant ids and the prefix they put before names: `t-x` upstream is `x` of tenant `t`.
// Owns the id's rule and whose a prefixed name is; refuses to know which tenants exist, which the server asks its registry.

/** How many characters every tenant id has. Because all have the same length, no id can be the start of another's names. */
export const TENANT_ID_LENGTH = 6

/** A text that is no tenant id. */
export class TenantIdInvalid extends Error {
  readonly _tag = "TenantIdInvalid"
  override readonly name = "TenantIdInvalid"
}

const idPattern = /^[a-z0-9][a-z0-9-]{5}$/

/** The tenant id that a text is: six of a–z, 0–9 and "-", the first no "-". */
export const parseTenantId = (text: string): string | TenantIdInvalid =>
  idPattern.test(text)
    ? text
    : new TenantIdInvalid(
        `metadata.name: a tenant id has exactly ${TENANT_ID_LENGTH} characters of a-z, 0-9 and "-" and does not start with "-"`
      )

/** The prefix of everything that a tenant owns upstream. */
export const prefixOf = (tenant: string): string => `${tenant}-`

/** Whether an upstream name stands under a tenant's prefix, with something after it. */
export const underPrefix = (tenant: string, name: string): boolean =>
  name.length > TENANT_ID_LENGTH + 1 && name.charCodeAt(TENANT_ID_LENGTH) === 45 && name.startsWith(tenant)

/** The id under whose prefix a name would stand, whether or not there is such a tenant; undefined when it has no such form. */
export const prefixIn = (name: string): string | undefined => {
  if (name.length <= TENANT_ID_LENGTH + 1 || name.charCodeAt(TENANT_ID_LENGTH) !== 45) return undefined
  const id = name.slice(0, TENANT_ID_LENGTH)
  return idPattern.test(id) ? id : undefined
}

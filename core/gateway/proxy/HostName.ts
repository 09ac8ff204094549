// The host that a request is for: what `:authority` or Host say, as a name that clusters are found by.
// Owns lower case, the cut of port and trailing dot, and strictness; refuses to find anything.

/** A name, IPv4 or IPv6 address without brackets; undefined for what is none of them. */
export const hostOf = (authority: string): string | undefined => {
  if (authority.length === 0 || authority.length > 300) return undefined
  if (authority.startsWith("[")) {
    const literal = /^\[([0-9a-f:.]{2,45})\](?::\d{1,5})?$/i.exec(authority)
    return literal?.[1]?.toLowerCase()
  }
  const named = /^([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?)\.?(?::\d{0,5})?$/i.exec(authority)
  const host = named?.[1]?.toLowerCase()
  return host === undefined || host.includes("..") ? undefined : host
}

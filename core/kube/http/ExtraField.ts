// The request field in which one of a user's extras is told to an API server: Impersonate-Extra-KEY.
// Owns the escaping of the key, which kube-apiserver reads back to exactly the same one; refuses its values.
// Source: k8s.io/client-go, transport/round_trippers.go; HTTP/2 refuses upper case in names of fields (RFC 9113, 8.2.1).

/** What stands in a field name as it is; upper case is escaped because field names have no case. */
const plain = /^[!#$&'*+\-.^_`|~0-9a-z]$/

const escaped = (byte: number): string => {
  const character = String.fromCharCode(byte)
  return plain.test(character) ? character : `%${byte.toString(16).padStart(2, "0")}`
}

/** The name of the field that tells a value of an extra. */
export const impersonateExtraField = (key: string): string =>
  `impersonate-extra-${Array.from(new TextEncoder().encode(key), escaped).join("")}`

// What a certificate signing request (PKCS#10, RFC 2986) says: whether it is one, and the organizations of its subject.
// Owns a walk through so much of its DER and no more; a library that reads all of it costs the server 50 ms at each start.

interface Element {
  readonly tag: number
  readonly start: number
  readonly end: number
}

const SEQUENCE = 0x30
const SET = 0x31
const OID = 0x06
/** id-at-organizationName, 2.5.4.10. */
const ORGANIZATION = [0x55, 0x04, 0x0a]
const BMP_STRING = 0x1e

/** The element at a place; undefined when it does not lie whole before `limit`. */
const elementAt = (der: Uint8Array, at: number, limit: number): Element | undefined => {
  const [tag, first] = [der[at], der[at + 1]]
  if (tag === undefined || first === undefined || at + 2 > limit) return undefined
  let start = at + 2
  let length = first
  if (first >= 0x80) {
    const bytes = first & 0x7f
    if (bytes === 0 || bytes > 4) return undefined
    length = 0
    for (let index = 0; index < bytes; index++) length = length * 256 + (der[start + index] ?? 0)
    start += bytes
  }
  return start + length > limit ? undefined : { tag, start, end: start + length }
}

const childrenOf = (der: Uint8Array, parent: Element): ReadonlyArray<Element> | undefined => {
  const children: Array<Element> = []
  for (let at = parent.start; at < parent.end;) {
    const child = elementAt(der, at, parent.end)
    if (child === undefined) return undefined
    children.push(child)
    at = child.end
  }
  return children
}

const textIn = (der: Uint8Array, { end, start, tag }: Element): string =>
  tag === BMP_STRING
    ? new TextDecoder("utf-16be").decode(der.subarray(start, end))
    : new TextDecoder().decode(der.subarray(start, end))

const isOrganization = (der: Uint8Array, { end, start, tag }: Element): boolean =>
  tag === OID && end - start === ORGANIZATION.length && ORGANIZATION.every((byte, index) => der[start + index] === byte)

/** Every organization of the subject of a request in PEM; undefined when the text is no request. */
export const csrOrganizations = (pem: string): ReadonlyArray<string> | undefined => {
  const body = /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([^-]+)-----END/.exec(pem)?.[1]
  if (body === undefined) return undefined
  const der = Buffer.from(body, "base64")
  const request = elementAt(der, 0, der.length)
  const info = request?.tag === SEQUENCE ? elementAt(der, request.start, request.end) : undefined
  const subject = info?.tag === SEQUENCE ? childrenOf(der, info)?.[1] : undefined
  const names = subject?.tag === SEQUENCE ? childrenOf(der, subject) : undefined
  if (names === undefined) return undefined
  const found: Array<string> = []
  for (const set of names) {
    const attributes = set.tag === SET ? childrenOf(der, set) : undefined
    if (attributes === undefined) return undefined
    for (const attribute of attributes) {
      const [type, value] = childrenOf(der, attribute) ?? []
      if (type === undefined || value === undefined) return undefined
      if (isOrganization(der, type)) found.push(textIn(der, value))
    }
  }
  return found
}

/** Why a text is no request in PEM; undefined when it is one. Its signature is for the signer to check. */
export const csrProblem = (pem: string): string | undefined => {
  const type = /-----BEGIN ([^-]+)-----/.exec(pem)?.[1]
  if (type !== "CERTIFICATE REQUEST") return "PEM block type must be CERTIFICATE REQUEST"
  return csrOrganizations(pem) === undefined ? "x509: malformed certificate request" : undefined
}

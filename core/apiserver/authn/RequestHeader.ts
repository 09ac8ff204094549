// A proxy that has authenticated its clients itself says who they are in request fields (X-Remote-User and its like).
// Owns the reading of those fields, believed only of a proxy whose certificate the front-proxy authority signed.
import type { HttpFields, PeerCertificate } from "#net"
import { type Authentication, Rejected, type RequestAuthenticator } from "./Authenticator.ts"
import type { CertificateAuthorities, KnownCertificate } from "./ClientCertificate.ts"

export interface RequestHeaderOptions {
  readonly authorities: CertificateAuthorities
  /** Common names of proxies that are believed; empty: all that the authority signed. */
  readonly allowedNames: ReadonlyArray<string>
  /** Lower case; the first that is there counts. */
  readonly usernameHeaders: ReadonlyArray<string>
  readonly uidHeaders: ReadonlyArray<string>
  readonly groupHeaders: ReadonlyArray<string>
  readonly extraHeaderPrefixes: ReadonlyArray<string>
}

/** The field names that kube-apiserver is usually started with. */
export const USUAL_REQUEST_HEADERS = {
  usernameHeaders: ["x-remote-user"],
  uidHeaders: ["x-remote-uid"],
  groupHeaders: ["x-remote-group"],
  extraHeaderPrefixes: ["x-remote-extra-"]
} as const

const unescaped = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    // A name that is not well escaped is taken as it stands, as kube-apiserver does.
    return text
  }
}

const valuesOf = (fields: HttpFields, names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.flatMap((name) => fields.flatMap(([field, value]) => (field === name && value !== "" ? [value] : [])))

const extraOf = (fields: HttpFields, prefixes: ReadonlyArray<string>): Record<string, Array<string>> => {
  const extra: Record<string, Array<string>> = {}
  for (const prefix of prefixes) {
    for (const [field, value] of fields) {
      if (field.startsWith(prefix)) (extra[unescaped(field.slice(prefix.length))] ??= []).push(value)
    }
  }
  return extra
}

/** Users by the word of a trusted proxy. */
export const requestHeaders = (options: RequestHeaderOptions, now: () => number): RequestAuthenticator => {
  const proxies = new WeakMap<PeerCertificate, KnownCertificate | Rejected>()
  const learn = (certificate: PeerCertificate): KnownCertificate | Rejected => {
    const validity = options.authorities.verify(certificate.raw)
    const named = options.allowedNames.length === 0 || options.allowedNames.includes(certificate.commonName)
    const entry =
      validity === undefined
        ? new Rejected("the client certificate is not signed by the front-proxy authority")
        : named
          ? validity
          : new Rejected(`x509: subject with cn=${certificate.commonName} is not in the allowed list`)
    proxies.set(certificate, entry)
    return entry
  }
  return {
    authenticate: (credentials): Authentication => {
      const { peerCertificate } = credentials
      if (peerCertificate === undefined) return undefined
      const proxy = proxies.get(peerCertificate) ?? learn(peerCertificate)
      if (proxy instanceof Rejected) return proxy
      if (now() < proxy.notBefore || now() > proxy.notAfter) return new Rejected("the proxy's certificate has expired")
      const all = credentials.fields()
      const [name] = valuesOf(all, options.usernameHeaders)
      if (name === undefined) return undefined
      const [uid] = valuesOf(all, options.uidHeaders)
      const groups = valuesOf(all, options.groupHeaders)
      const extra = extraOf(all, options.extraHeaderPrefixes)
      return { user: { name, ...(uid === undefined ? {} : { uid }), groups, extra } }
    }
  }
}

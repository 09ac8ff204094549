// TLS on both sides. Owns where certificates come from and that changed files are used from the next handshake on; refuses to
// own their making. Files are looked at when a connection arrives, at most once a second.
import { readFileSync, statSync } from "node:fs"
import {
  checkServerIdentity,
  type ConnectionOptions,
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type Server,
  type TlsOptions
} from "node:tls"

/**
 * What a server shows and trusts for one name: its certificate, the authorities of its clients, and session tickets of its own, so
 * that a ticket which one identity gave out means nothing to another. Compared by reference: equal texts are two identities.
 */
export interface TlsIdentity {
  /** PEM; the chain as it is sent. */
  readonly cert: string
  readonly key: string
  /** PEM of who may vouch for clients; without it no certificate is asked for, unless `clientAuth` says so. */
  readonly ca?: string
  /** As in `ServerTls`. Default: "optional" with a `ca`, false without. */
  readonly clientAuth?: boolean | "optional"
}

/** Checks an identity: why its texts are no certificate, key or authorities, or undefined. Never holds any of them. */
export const tlsIdentityProblem = ({ cert, key, ca }: TlsIdentity): string | undefined => {
  try {
    createSecureContext({ cert, key, ...(ca === undefined ? {} : { ca }) })
    return undefined
  } catch (error) {
    const { code } = error as { readonly code?: string }
    return code === undefined
      ? "the certificate, its key or the authorities cannot be read"
      : `OpenSSL refuses it: ${code}`
  }
}

/** Chooses what a client is shown by the name that it asks for (undefined: none); undefined refuses the name. */
export type TlsSelect = (serverName: string | undefined) => TlsIdentity | undefined

/** The handshake's options for one identity. */
export const identityOptions = ({ cert, key, ca, clientAuth }: TlsIdentity): TlsOptions => {
  const asks = clientAuth ?? (ca === undefined ? false : "optional")
  return {
    ALPNProtocols: ["h2", "http/1.1"],
    minVersion: "TLSv1.2",
    requestCert: asks !== false,
    rejectUnauthorized: asks === true,
    // Without authorities of its own nobody vouches for a client: Node would else trust those of the web.
    ca: ca ?? [],
    cert,
    key
  }
}

/** How a listener does TLS: with one certificate, or by name. */
export type ListenTls = ServerTls | { readonly select: TlsSelect }

/** Certificates of a server: PEM files that are read again when they change, PEM texts, or a function that is asked once a second. */
export type ServerTls = (
  | { readonly certFile: string; readonly keyFile: string; readonly caFile?: string }
  | { readonly cert: string; readonly key: string; readonly ca?: string }
  | { readonly context: () => SecureContextOptions }
) & {
  /**
   * Whether clients must show a certificate that the authorities vouch for; "optional" asks for one and accepts any client,
   * whose requests then tell what it showed. Default false.
   */
  readonly clientAuth?: boolean | "optional"
}

/** Certificates of a client, PEM files or PEM texts; a text goes before a file. */
export interface ClientTls {
  /** Made before from all of the below that is PEM, and shared by many connections, which spares each of them the reading. */
  readonly context?: SecureContext
  /** Who may vouch for the server; by default the system's authorities. */
  readonly caFile?: string
  readonly ca?: string
  readonly certFile?: string
  readonly cert?: string
  readonly keyFile?: string
  readonly key?: string
  /** The name that the server's certificate must carry; by default the host. */
  readonly serverName?: string
  /** Accepts any certificate. For tests and `--insecure-skip-tls-verify` only. */
  readonly insecure?: boolean
}

const checkEveryMs = 1000

/** The changing certificates of one listener. */
export interface WatchedTls {
  /** Options to create the server with; raises the file system's error for a file that cannot be read. */
  readonly options: () => TlsOptions
  /** Puts changed certificates into the server. A half-written pair of files keeps the old ones until it is whole. */
  readonly refresh: (server: Server) => void
}

const filesOf = (tls: ServerTls): ReadonlyArray<string> =>
  "certFile" in tls ? [tls.certFile, tls.keyFile, ...(tls.caFile === undefined ? [] : [tls.caFile])] : []

const contextOf = (tls: ServerTls): SecureContextOptions => {
  if ("context" in tls) return tls.context()
  if ("cert" in tls) return { cert: tls.cert, key: tls.key, ...(tls.ca === undefined ? {} : { ca: tls.ca }) }
  const ca = tls.caFile === undefined ? {} : { ca: readFileSync(tls.caFile) }
  return { cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile), ...ca }
}

const stampOf = (files: ReadonlyArray<string>): string =>
  files
    .map((file) => {
      const stat = statSync(file, { throwIfNoEntry: false })
      return stat === undefined ? "-" : `${stat.mtimeMs}/${stat.size}/${stat.ino}`
    })
    .join(" ")

/** Watches the certificates of a server. */
export const watchServerTls = (tls: ServerTls): WatchedTls => {
  const files = filesOf(tls)
  let stamp = stampOf(files)
  let checkedMs = performance.now()
  const refresh = (server: Server): void => {
    const nowMs = performance.now()
    if (nowMs - checkedMs < checkEveryMs) return
    checkedMs = nowMs
    const current = stampOf(files)
    if ("cert" in tls || (files.length > 0 && current === stamp)) return
    try {
      server.setSecureContext({ minVersion: "TLSv1.2", ...contextOf(tls) })
      stamp = current
    } catch {
      // A certificate and a key that do not match are looked at again with the next connection.
    }
  }
  const { clientAuth = false } = tls
  const options = (): TlsOptions => ({
    ALPNProtocols: ["h2", "http/1.1"],
    minVersion: "TLSv1.2",
    requestCert: clientAuth !== false,
    rejectUnauthorized: clientAuth === true,
    ...contextOf(tls)
  })
  return { options, refresh }
}

/** The options of a client's handshake; raises the file system's error for a file that cannot be read. */
export const clientTlsOptions = (
  tls: ClientTls,
  host: string,
  protocols: ReadonlyArray<string>
): SecureContextOptions & Record<string, unknown> => ({
  ALPNProtocols: [...protocols],
  minVersion: "TLSv1.2",
  rejectUnauthorized: tls.insecure !== true,
  ...serverNameOptions(tls.serverName, host),
  ...(tls.context === undefined ? {} : { secureContext: tls.context }),
  ...pem("ca", tls.ca, tls.caFile),
  ...pem("cert", tls.cert, tls.certFile),
  ...pem("key", tls.key, tls.keyFile)
})

const isAddress = (name: string): boolean => /^[\d.]+$|:/.test(name)

/** An address is no SNI, but certificates may be for one. */
const serverNameOptions = (name: string | undefined, host: string): ConnectionOptions => {
  if (name === undefined) return { servername: isAddress(host) ? "" : host }
  if (!isAddress(name)) return { servername: name }
  return { servername: "", checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate) }
}

const pem = (
  name: "ca" | "cert" | "key",
  text: string | undefined,
  file: string | undefined
): Readonly<Record<string, string | Buffer>> => {
  if (text !== undefined) return { [name]: text }
  return file === undefined ? {} : { [name]: readFileSync(file) }
}

// The certificates of a server that nobody gave any: an authority of its own, the server's certificate, and the administrator's.
// Owns their files, which a restart reuses while they are valid; refuses to be anybody else's authority and to know how certificates are
// made, which is net's.
import { X509Certificate } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { isIP } from "node:net"
import { join } from "node:path"
import { Effect, Schema } from "effect"
import { type CertificateAuthority, type KeyPair, loadAuthority, makeAuthority } from "#net"

export type { KeyPair } from "#net"

/** The certificates cannot be made or kept; `detail` is the system's own word. */
export class CertificatesFailed extends Schema.TaggedError<CertificatesFailed>()("CertificatesFailed", {
  directory: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `no certificates can be kept in ${this.directory} (${this.detail})`
  }
}

export interface ClusterCertificates {
  /** PEM of the authority that signed all others. */
  readonly ca: string
  /** PKCS#8 PEM of the authority's key: whoever has it makes members of the cluster. */
  readonly caKey: string
  readonly server: KeyPair
  /** CN kubernetes-admin, O system:masters. */
  readonly admin: KeyPair
}

export interface CertificateOptions {
  /** Where they are kept; undefined makes new ones for this process alone. */
  readonly directory: string | undefined
  /** Host names and addresses of the server. */
  readonly hosts: ReadonlyArray<string>
}

/** A certificate that ends sooner is made anew at a start. */
const RENEW_BEFORE_MS = 7 * 86_400_000

const readPair = (directory: string, name: string): KeyPair | undefined => {
  const [certFile, keyFile] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)]
  if (!existsSync(certFile) || !existsSync(keyFile)) return undefined
  return { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") }
}

const isGood = (pair: KeyPair, ca: string, hosts: ReadonlyArray<string>): boolean => {
  const certificate = new X509Certificate(pair.cert)
  if (certificate.validToDate.getTime() - Date.now() < RENEW_BEFORE_MS) return false
  if (!certificate.verify(new X509Certificate(ca).publicKey)) return false
  return hosts.every(
    (host) => (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined
  )
}

const keep = (directory: string, name: string, pair: KeyPair): void => {
  for (const [path, text] of [
    [join(directory, `${name}.key`), pair.key],
    [join(directory, `${name}.crt`), pair.cert]
  ] as const) {
    writeFileSync(`${path}.new`, text, { mode: 0o600 })
    renameSync(`${path}.new`, path)
  }
}

/** The pair of the last start while it is good, else a new one. */
const kept = async (
  directory: string | undefined,
  name: string,
  good: (pair: KeyPair) => boolean,
  make: () => Promise<KeyPair>
): Promise<KeyPair> => {
  const known = directory === undefined ? undefined : readPair(directory, name)
  if (known !== undefined && good(known)) return known
  const made = await make()
  if (directory !== undefined) keep(directory, name, made)
  return made
}

const makeAll = async ({ directory, hosts }: CertificateOptions): Promise<ClusterCertificates> => {
  if (directory !== undefined) mkdirSync(directory, { recursive: true, mode: 0o700 })
  let made: CertificateAuthority | undefined
  const caPair = await kept(
    directory,
    "ca",
    (pair) => isGood(pair, pair.cert, []),
    async () => {
      made = await makeAuthority("CN=kubernetes")
      return { cert: made.cert, key: made.key }
    }
  )
  const authority = made ?? (await loadAuthority(caPair))
  const server = await kept(
    directory,
    "apiserver",
    (pair) => isGood(pair, caPair.cert, hosts),
    () => authority.sign({ subject: "CN=kube-apiserver", usage: "server", hosts })
  )
  const admin = await kept(
    directory,
    "admin",
    (pair) => isGood(pair, caPair.cert, []),
    () => authority.sign({ subject: "O=system:masters, CN=kubernetes-admin", usage: "client" })
  )
  return { ca: caPair.cert, caKey: caPair.key, server, admin }
}

/** The certificates of a server under these names. */
export const clusterCertificates = (
  options: CertificateOptions
): Effect.Effect<ClusterCertificates, CertificatesFailed> =>
  Effect.tryPromise({
    try: () => makeAll(options),
    catch: (error) =>
      new CertificatesFailed({
        directory: options.directory ?? "memory",
        detail: error instanceof Error ? error.message : String(error)
      })
  })

/** Signs a client's certificate by an authority that `clusterCertificates` made, with a new key. */
export const clientCertificate = (
  authority: KeyPair,
  client: { readonly subject: string; readonly lifetimeMs: number }
): Effect.Effect<KeyPair, CertificatesFailed> =>
  Effect.tryPromise({
    try: async () => (await loadAuthority(authority)).sign({ ...client, usage: "client" }),
    // The reason might quote the key.
    catch: () => new CertificatesFailed({ directory: "memory", detail: "a client certificate cannot be signed" })
  })

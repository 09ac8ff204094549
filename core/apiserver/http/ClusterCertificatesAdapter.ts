// The certificates of a server that nobody gave any: an authority of its own, the server's certificate, and the administrator's.
// Owns their making and their files, which a restart reuses while they are valid; refuses to be anybody else's authority.
// @peculiar/x509 is loaded only when something is made.
import { randomBytes, webcrypto, X509Certificate } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { isIP } from "node:net"
import { join } from "node:path"
import { Effect, Schema } from "effect"

/** The certificates cannot be made or kept; `detail` is the system's own word. */
export class CertificatesFailed extends Schema.TaggedError<CertificatesFailed>()("CertificatesFailed", {
  directory: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `no certificates can be kept in ${this.directory} (${this.detail})`
  }
}

/** PEM texts. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
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

const curve = { name: "ECDSA", namedCurve: "P-256" } as const
const signing = { name: "ECDSA", hash: "SHA-256" } as const
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
const YEARS = { authority: 10, leaf: 1 } as const
/** A certificate that ends sooner is made anew at a start. */
const RENEW_BEFORE_MS = 7 * 86_400_000

const pem = (label: string, der: ArrayBuffer): string => {
  const lines = Buffer.from(der)
    .toString("base64")
    .match(/.{1,64}/g)
  return `-----BEGIN ${label}-----\n${(lines ?? []).join("\n")}\n-----END ${label}-----\n`
}

/** A client's clock may be a little behind. */
const EARLIER_MS = 300_000

const validity = (years: number): { readonly notBefore: Date; readonly notAfter: Date } => {
  const notBefore = new Date(Date.now() - EARLIER_MS)
  const notAfter = new Date(notBefore)
  notAfter.setFullYear(notAfter.getFullYear() + years)
  return { notBefore, notAfter }
}

interface Authority {
  readonly ca: string
  readonly subject: string
  readonly key: webcrypto.CryptoKey
  readonly keyPem: string
}

const library = async () => {
  // The library registers its parts by decorators and asks for this at load.
  await import("reflect-metadata")
  return import("@peculiar/x509")
}

const newKeys = (): Promise<webcrypto.CryptoKeyPair> => webcrypto.subtle.generateKey(curve, true, ["sign", "verify"])

const keyText = async (key: webcrypto.CryptoKey): Promise<string> =>
  pem("PRIVATE KEY", await webcrypto.subtle.exportKey("pkcs8", key))

const serial = (): string => randomBytes(16).toString("hex")

const makeAuthority = async (): Promise<Authority> => {
  const x509 = await library()
  const keys = await newKeys()
  const subject = "CN=kubernetes"
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: subject,
    ...validity(YEARS.authority),
    signingAlgorithm: signing,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
        true
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey)
    ]
  })
  return {
    ca: `${certificate.toString("pem")}\n`,
    subject,
    key: keys.privateKey,
    keyPem: await keyText(keys.privateKey)
  }
}

const loadAuthority = async (pair: KeyPair): Promise<Authority> => {
  const der = Buffer.from(pair.key.replaceAll(/-----[^-]+-----|\s/g, ""), "base64")
  const key = await webcrypto.subtle.importKey("pkcs8", der, curve, true, ["sign"])
  return { ca: pair.cert, subject: "CN=kubernetes", key, keyPem: pair.key }
}

interface Leaf {
  readonly subject: string
  readonly usage: string
  readonly hosts: ReadonlyArray<string>
  /** Default: a year. */
  readonly lifetimeMs?: number
}

const leafValidity = ({ lifetimeMs }: Leaf): { readonly notBefore: Date; readonly notAfter: Date } =>
  lifetimeMs === undefined
    ? validity(YEARS.leaf)
    : { notBefore: new Date(Date.now() - EARLIER_MS), notAfter: new Date(Date.now() + lifetimeMs) }

const makeLeaf = async (authority: Authority, leaf: Leaf): Promise<KeyPair> => {
  const x509 = await library()
  const keys = await newKeys()
  const names = leaf.hosts.map((value) => ({ type: isIP(value) === 0 ? ("dns" as const) : ("ip" as const), value }))
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: leaf.subject,
    issuer: authority.subject,
    ...leafValidity(leaf),
    signingAlgorithm: signing,
    publicKey: keys.publicKey,
    signingKey: authority.key,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([leaf.usage]),
      await x509.AuthorityKeyIdentifierExtension.create(new x509.X509Certificate(authority.ca).publicKey),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)])
    ]
  })
  return { cert: `${certificate.toString("pem")}\n`, key: await keyText(keys.privateKey) }
}

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
  let made: Authority | undefined
  const caPair = await kept(
    directory,
    "ca",
    (pair) => isGood(pair, pair.cert, []),
    async () => {
      made = await makeAuthority()
      return { cert: made.ca, key: made.keyPem }
    }
  )
  const authority = made ?? (await loadAuthority(caPair))
  const server = await kept(
    directory,
    "apiserver",
    (pair) => isGood(pair, caPair.cert, hosts),
    () => makeLeaf(authority, { subject: "CN=kube-apiserver", usage: SERVER_AUTH, hosts })
  )
  const admin = await kept(
    directory,
    "admin",
    (pair) => isGood(pair, caPair.cert, []),
    () => makeLeaf(authority, { subject: "O=system:masters, CN=kubernetes-admin", usage: CLIENT_AUTH, hosts: [] })
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
    try: async () => makeLeaf(await loadAuthority(authority), { ...client, usage: CLIENT_AUTH, hosts: [] }),
    // The reason might quote the key.
    catch: () => new CertificatesFailed({ directory: "memory", detail: "a client certificate cannot be signed" })
  })

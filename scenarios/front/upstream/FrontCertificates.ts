// The certificates of one run against a front: an authority that everybody trusts, one certificate for every server of the run, one
// for the front as the upstream's client, and one per user. Owns their making; they live as long as the run, in memory and in the
// files that child processes need. All users share one key, since making keys is what takes time.
import { randomBytes, webcrypto } from "node:crypto"
import { Effect, Schema } from "effect"
import type { Front } from "../Front.ts"
import { adminUser, clusterHost, type PemPair, userName } from "../load/FrontEndpoint.ts"

/** The certificates cannot be made. */
export class FrontCertificatesFailed extends Schema.TaggedError<FrontCertificatesFailed>()("FrontCertificatesFailed", {
  reason: Schema.String
}) {
  override get message(): string {
    return `certificates for the run cannot be made: ${this.reason}`
  }
}

/** PEM texts. */
export interface FrontCertificates {
  readonly ca: string
  readonly caKey: string
  /** For the cluster's host, localhost and 127.0.0.1. */
  readonly server: PemPair
  /** What the front shows the upstream: a member of system:masters. */
  readonly front: PemPair
  /** The same two, issued once more: what a renewal gives. */
  readonly renewed: { readonly server: PemPair; readonly front: PemPair }
  /** By user, the administrator among them. */
  readonly users: Readonly<Record<string, PemPair>>
}

/** The group of every user of a load; upstreams that authorise let it do everything. */
export const loadGroup = "wharf:load"

const curve = { name: "ECDSA", namedCurve: "P-256" } as const
const signing = { name: "ECDSA", hash: "SHA-256" } as const
const serverAuth = "1.3.6.1.5.5.7.3.1"
const clientAuth = "1.3.6.1.5.5.7.3.2"
const validMs = 7 * 86_400_000
const authorityName = "CN=wharf run"

const validity = () => ({ notBefore: new Date(Date.now() - 300_000), notAfter: new Date(Date.now() + validMs) })
const serialNumber = () => randomBytes(16).toString("hex")
const newKeys = () => webcrypto.subtle.generateKey(curve, true, ["sign", "verify"])

const keyText = async (key: webcrypto.CryptoKey): Promise<string> => {
  const base64 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key)).toString("base64")
  return `-----BEGIN PRIVATE KEY-----\n${(base64.match(/.{1,64}/g) ?? []).join("\n")}\n-----END PRIVATE KEY-----\n`
}

const library = async () => {
  // The library registers its parts by decorators and asks for this at load.
  await import("reflect-metadata")
  return import("@peculiar/x509")
}

interface Leaf {
  readonly subject: string
  readonly usage: string
  readonly hosts: boolean
}

/** Everything that signs and is signed with the run's two keys. */
const maker = async () => {
  const x509 = await library()
  const [authority, leaves] = [await newKeys(), await newKeys()]
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: authorityName,
    ...validity(),
    signingAlgorithm: signing,
    keys: authority,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature, true),
      await x509.SubjectKeyIdentifierExtension.create(authority.publicKey)
    ]
  })
  const key = await keyText(leaves.privateKey)
  const identifier = await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey)
  const hosts = new x509.SubjectAlternativeNameExtension([
    { type: "dns", value: clusterHost },
    { type: "dns", value: "localhost" },
    { type: "ip", value: "127.0.0.1" }
  ])
  const leaf = async ({ hosts: named, subject, usage }: Leaf): Promise<PemPair> => {
    const made = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject,
      issuer: authorityName,
      ...validity(),
      signingAlgorithm: signing,
      publicKey: leaves.publicKey,
      signingKey: authority.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([usage]),
        identifier,
        ...(named ? [hosts] : [])
      ]
    })
    return { cert: `${made.toString("pem")}\n`, key }
  }
  return { ca: `${certificate.toString("pem")}\n`, caKey: await keyText(authority.privateKey), leaf }
}

/** The users that the loads and watches of a front need, without the administrator. */
export const usersOf = ({ phases }: Front): ReadonlyArray<string> => {
  const identities = phases.flatMap(({ load, watch }) => [...load, ...watch].map(({ identity }) => identity))
  const names = identities.flatMap(({ user, users }) =>
    Array.from({ length: users }, (_, index) => userName(user, index))
  )
  return [...new Set(names)]
}

const makeAll = async (front: Front): Promise<FrontCertificates> => {
  const { ca, caKey, leaf } = await maker()
  const client = (user: string, group: string): Promise<PemPair> =>
    leaf({ subject: `O=${group}, CN=${user}`, usage: clientAuth, hosts: false })
  const users: Record<string, PemPair> = { [userName(adminUser, 0)]: await client(adminUser, "system:masters") }
  for (const user of usersOf(front)) users[user] = await client(user, loadGroup)
  const server = (): Promise<PemPair> => leaf({ subject: `CN=${clusterHost}`, usage: serverAuth, hosts: true })
  const own = (): Promise<PemPair> => client("wharf-front", "system:masters")
  return {
    ca,
    caKey,
    server: await server(),
    front: await own(),
    renewed: { server: await server(), front: await own() },
    users
  }
}

/** Makes the certificates of a run. */
export const makeFrontCertificates = (front: Front): Effect.Effect<FrontCertificates, FrontCertificatesFailed> =>
  Effect.tryPromise({
    try: () => makeAll(front),
    catch: (cause) => new FrontCertificatesFailed({ reason: cause instanceof Error ? cause.message : String(cause) })
  })

// A self-signed certificate for --auto-tls or --peer-auto-tls, made once and kept in the data directory as etcd keeps its own.
// Owns its making and its two files; refuses to be trusted by anybody: it encrypts and vouches for nothing.
// @peculiar/x509 is loaded only when one is made.
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { isIP } from "node:net"
import { hostname } from "node:os"
import { join } from "node:path"
import { randomBytes, webcrypto, X509Certificate } from "node:crypto"
import { Effect, Schema } from "effect"

/** The certificate cannot be made or kept; `detail` is the system's own word. */
export class CertificateFailed extends Schema.TaggedError<CertificateFailed>()("CertificateFailed", {
  directory: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `--auto-tls, --peer-auto-tls: no certificate can be kept in ${this.directory} (${this.detail})`
  }
}

export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
}

const curve = { name: "ECDSA", namedCurve: "P-256" } as const

const isGood = ({ certFile, keyFile }: CertificateFiles): boolean => {
  if (!existsSync(certFile) || !existsSync(keyFile)) return false
  return new X509Certificate(readFileSync(certFile)).validToDate > new Date()
}

const make = async (hosts: ReadonlyArray<string>, years: number): Promise<{ cert: string; key: string }> => {
  // The library registers its parts by decorators and asks for this at load.
  await import("reflect-metadata")
  const { ExtendedKeyUsageExtension, SubjectAlternativeNameExtension, X509CertificateGenerator } =
    await import("@peculiar/x509")
  const keys = await webcrypto.subtle.generateKey(curve, true, ["sign", "verify"])
  const notBefore = new Date()
  const notAfter = new Date(notBefore)
  notAfter.setFullYear(notAfter.getFullYear() + years)
  const names = [...new Set([...hosts, hostname(), "localhost", "127.0.0.1"])].filter((host) => host !== "")
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomBytes(16).toString("hex"),
    name: "O=kubewharf",
    notBefore,
    notAfter,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    keys,
    extensions: [
      new SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? ("dns" as const) : ("ip" as const), value }))
      ),
      new ExtendedKeyUsageExtension(["1.3.6.1.5.5.7.3.1"])
    ]
  })
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64")
  const lines = pkcs8.match(/.{1,64}/g) ?? []
  return {
    cert: `${certificate.toString("pem")}\n`,
    key: `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`
  }
}

/** The certificate for these hosts: the one of the last start while it is valid, else a new one for so many years. */
export const selfSigned = (dataDir: string, side: "client" | "peer", hosts: ReadonlyArray<string>, years: number) => {
  const directory = join(dataDir, "fixtures", side)
  const files: CertificateFiles = { certFile: join(directory, "cert.pem"), keyFile: join(directory, "key.pem") }
  return Effect.tryPromise({
    try: async () => {
      if (isGood(files)) return files
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      const { cert, key } = await make(hosts, years)
      for (const [path, text] of [
        [files.keyFile, key],
        [files.certFile, cert]
      ] as const) {
        writeFileSync(`${path}.new`, text, { mode: 0o600 })
        chmodSync(`${path}.new`, 0o600)
        renameSync(`${path}.new`, path)
      }
      return files
    },
    catch: (error) =>
      new CertificateFailed({ directory, detail: error instanceof Error ? error.message : String(error) })
  })
}

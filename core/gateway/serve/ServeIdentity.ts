// The gateway's own certificate, and who it takes for an administrator: files that were named, or what is made at the first start.
// Owns these choices; refuses the clusters' certificates, which are configuration.
import { readFileSync } from "node:fs"
import { Effect, Schema } from "effect"
import { clusterCertificates } from "#apiserver"
import type { TlsIdentity } from "#net"

export interface OwnIdentityOptions {
  /** Undefined: one is made. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined
  /** Where what is made is kept, with a certificate of an administrator; undefined: nowhere. */
  readonly certDir: string | undefined
  /** Further names and addresses of the gateway. */
  readonly hosts: ReadonlyArray<string>
  readonly clientCaFile: string | undefined
}

export interface OwnIdentity {
  /** For the clusters' clients: their authorities are those of --client-ca-file alone. */
  readonly proxy: TlsIdentity
  /** PEM of who makes administrators of the gateway: that authority, and the one that was made. */
  readonly adminCa: string
  /** PEM of who vouches for a certificate that was made. */
  readonly ca: string | undefined
}

/** A file of the command line that cannot be used. */
export class GatewayFileInvalid extends Schema.TaggedError<GatewayFileInvalid>()("GatewayFileInvalid", {
  message: Schema.String
}) {}

const readPem = (option: string, file: string): Effect.Effect<string, GatewayFileInvalid> =>
  Effect.try({
    try: () => readFileSync(file, "utf8"),
    catch: () => new GatewayFileInvalid({ message: `--${option} ${file}: cannot be read` })
  })

/** Reads or makes them. */
export const ownIdentity = Effect.fnUntraced(function* (options: OwnIdentityOptions) {
  const { certDir, clientCaFile, hosts, tls } = options
  const clientCa = clientCaFile === undefined ? undefined : yield* readPem("client-ca-file", clientCaFile)
  const withCa = clientCa === undefined ? {} : { ca: clientCa }
  if (tls !== undefined) {
    const cert = yield* readPem("tls-cert-file", tls.certFile)
    const key = yield* readPem("tls-private-key-file", tls.keyFile)
    return { proxy: { cert, key, ...withCa }, adminCa: clientCa ?? "", ca: undefined } satisfies OwnIdentity
  }
  const made = yield* clusterCertificates({ directory: certDir, hosts: ["localhost", "127.0.0.1", ...hosts] })
  const identity: OwnIdentity = {
    proxy: { ...made.server, ...withCa },
    adminCa: `${made.ca}${clientCa ?? ""}`,
    ca: made.ca
  }
  return identity
})

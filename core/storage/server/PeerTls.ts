// TLS between members: what a peer listener shows and whom it lets in, and how another member is reached, as etcd's --peer-* flags
// say. Owns those two sides; refuses to make certificates (SelfSignedAdapter.ts) and to know what members say to each other.
// With --peer-auto-tls the way is encrypted and nobody is vouched for, as in etcd.
import { Effect } from "effect"
import type { ClientTls, ServerTls } from "#net"
import type { EtcdConfig } from "./EtcdConfig.ts"
import { selfSigned } from "./SelfSignedAdapter.ts"

/** The certificates of peer listeners: the given files, or with --peer-auto-tls one of our own making. */
export const peerServerTls = Effect.fnUntraced(function* ({ dataDir, listenPeer, peerTls }: EtcdConfig) {
  const { auto, caFile, certFile, clientAuth, keyFile, validityYears } = peerTls
  const hosts = listenPeer.map(({ host }) => host)
  const made = auto && certFile === ""
  const files = made ? yield* selfSigned(dataDir, "peer", hosts, validityYears) : { certFile, keyFile }
  const authorities = caFile === "" ? {} : { caFile }
  const options: ServerTls = { ...files, ...authorities, clientAuth: clientAuth || caFile !== "" }
  return options
})

const clientTls = ({ peerTls }: EtcdConfig): ClientTls => {
  const { auto, caFile, certFile, clientCertFile, clientKeyFile, keyFile } = peerTls
  const [cert, key] = clientCertFile === "" ? [certFile, keyFile] : [clientCertFile, clientKeyFile]
  return {
    ...(caFile === "" ? {} : { caFile }),
    ...(cert === "" ? {} : { certFile: cert, keyFile: key }),
    ...(auto && certFile === "" ? { insecure: true } : {})
  }
}

/** Where a member listens, from its peer URL, and how to show oneself there. */
export const peerTarget = (
  config: EtcdConfig,
  url: string
): { readonly host: string; readonly port: number; readonly tls?: ClientTls } => {
  const { hostname, port, protocol } = new URL(url)
  const isLocal = hostname === "localhost"
  const target = { host: isLocal ? "127.0.0.1" : hostname.replace(/^\[|\]$/g, ""), port: Number(port) }
  if (protocol !== "https:") return target
  return { ...target, tls: { ...clientTls(config), ...(isLocal ? { serverName: hostname } : {}) } }
}

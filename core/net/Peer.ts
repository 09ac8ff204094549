// Who is at the other end of an accepted socket: addresses, server name, certificate. Owns what is read from the socket, once
// for each connection; refuses to own what a certificate entitles to.
import type { Socket } from "node:net"
import type { PeerCertificate as NodeCertificate, TLSSocket } from "node:tls"
import type { PeerCertificate } from "./HttpExchange.ts"
import type { TlsIdentity } from "./Tls.ts"

/** What all requests of a connection share. */
export interface Peer {
  /** The client as "ip:port"; "@" on a unix socket. */
  readonly peer: string
  /** Our side. */
  readonly localAddress: string
  readonly secure: boolean
  /** The name that the client asked for (SNI). */
  readonly serverName: string | undefined
  /** What the listener chose by that name; undefined when it does not choose. */
  readonly identity: TlsIdentity | undefined
  readonly certificate: PeerCertificate | undefined
  /** Why the certificate that the client showed is not trusted. */
  readonly certificateProblem: string | undefined
  /** Whatever a handler remembers of the connection. */
  memo: unknown
}

/** Reads a socket's peer; over TLS after its handshake. */
export const peerOf = (socket: Socket, tls: boolean, identity?: TlsIdentity): Peer => {
  const peer = endpoint(socket.remoteAddress, socket.remotePort)
  const localAddress = endpoint(socket.localAddress, socket.localPort)
  const plain = { peer, localAddress, secure: tls, serverName: undefined, identity, memo: undefined }
  if (!tls) return { ...plain, certificate: undefined, certificateProblem: undefined }
  const secured = socket as TLSSocket & { readonly servername?: string | false | null }
  const shown = secured.getPeerCertificate() as Partial<NodeCertificate>
  const raw = shown.raw
  return {
    ...plain,
    serverName: secured.servername || undefined,
    certificate: raw === undefined || !secured.authorized ? undefined : certificateOf(shown, raw),
    certificateProblem: raw === undefined || secured.authorized ? undefined : problemOf(secured)
  }
}

/** "ip:port" as Go prints it: IPv6 in brackets, IPv4 never as a mapped address; "@" for a unix socket. */
const endpoint = (address: string | undefined, port: number | undefined): string => {
  if (address === undefined || port === undefined) return "@"
  const plain = address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address
  return plain.includes(":") ? `[${plain}]:${port}` : `${plain}:${port}`
}

/** Of several common names the last counts, as in Go. */
const certificateOf = ({ subject }: Partial<NodeCertificate>, raw: Uint8Array): PeerCertificate => ({
  commonName: listOf(subject?.CN).at(-1) ?? "",
  organizations: listOf(subject?.O),
  raw
})

const listOf = (value: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> => {
  if (value === undefined) return []
  return typeof value === "string" ? [value] : value
}

/** Node types the error as an Error and stores its code. */
const problemOf = ({ authorizationError }: TLSSocket): string => {
  const problem: unknown = authorizationError
  return problem instanceof Error ? problem.message : String(problem)
}

// Calls that another member carries for its clients: whose they are, and whether that member may bring any.
// Owns the name of the client's certificate on its way between members; refuses to believe it of a member that shows no certificate
// itself, and never takes the member's own name for the client's.
import { X509Certificate } from "node:crypto"
import { isIP } from "node:net"
import { type CallInfo, GrpcCode, type GrpcMethod } from "#net"
import { StreamCallView, UnaryCallView } from "./CallView.ts"

const NAME_FIELD = "wharf-client-name"

/** What a member adds to a call that it carries on: the name in its client's verified certificate. */
export const carriedName = ({ tlsPeerCommonName }: CallInfo): ReadonlyArray<readonly [string, string]> =>
  tlsPeerCommonName === undefined ? [] : [[NAME_FIELD, encodeURIComponent(tlsPeerCommonName)]]

const clientName = (call: CallInfo): string | undefined => {
  const name = call.tlsPeerCommonName === undefined ? undefined : call.header(NAME_FIELD)
  try {
    return name === undefined ? undefined : decodeURIComponent(name)
  } catch {
    return undefined
  }
}

class PeerUnaryCall extends UnaryCallView {
  override get tlsPeerCommonName(): string | undefined {
    return clientName(this.call)
  }
}

class PeerStreamCall extends StreamCallView {
  override get tlsPeerCommonName(): string | undefined {
    return clientName(this.call)
  }
}

/** Which certificates other members may show, of those that the authority vouches for; any where both lists are empty. */
export interface MemberNames {
  readonly commonNames: ReadonlyArray<string>
  /** Names or addresses, one of which the certificate must be for by its alternative names. */
  readonly hostnames: ReadonlyArray<string>
}

const isFor = (certificate: X509Certificate, name: string): boolean =>
  (isIP(name) === 0 ? certificate.checkHost(name, { subject: "never" }) : certificate.checkIP(name)) !== undefined

/** Tells what a member's certificate lacks; remembers each certificate for as long as its connection does. */
const problems = ({ commonNames, hostnames }: MemberNames): ((call: CallInfo) => string | undefined) => {
  const known = new WeakMap<Uint8Array, boolean>()
  const hasHostname = (raw: Uint8Array): boolean => {
    const seen = known.get(raw)
    if (seen !== undefined) return seen
    const certificate = new X509Certificate(raw)
    const has = hostnames.some((name) => isFor(certificate, name))
    known.set(raw, has)
    return has
  }
  return ({ tlsPeerCertificate: raw, tlsPeerCommonName: name }) => {
    if (commonNames.length > 0 && (name === undefined || !commonNames.includes(name))) {
      return "the name in the certificate is not one of --peer-cert-allowed-cn"
    }
    if (hostnames.length > 0 && (raw === undefined || !hasHostname(raw))) {
      return "the certificate is for none of --peer-cert-allowed-hostname"
    }
    return undefined
  }
}

/** A method as members may ask for it: those whose certificate carries one of the names. */
export const forMembers = (names: MemberNames): ((method: GrpcMethod) => GrpcMethod) => {
  const problemOf = problems(names)
  return (method) => {
    if ("stream" in method) {
      return {
        ...method,
        stream: (call) => {
          const problem = problemOf(call)
          if (problem === undefined) return method.stream(new PeerStreamCall(call))
          call.fail(GrpcCode.PermissionDenied, problem)
          return { message: () => undefined, end: () => undefined }
        }
      }
    }
    return {
      ...method,
      unary: (call, request) => {
        const problem = problemOf(call)
        if (problem === undefined) method.unary(new PeerUnaryCall(call), request)
        else call.fail(GrpcCode.PermissionDenied, problem)
      }
    }
  }
}

// Calls that another member carries for its clients: whose they are, and whether that member may bring any.
// Owns the name of the client's certificate on its way between members; refuses to believe it of a member that shows no certificate
// itself, and never takes the member's own name for the client's.
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

const REFUSED = "the name in the certificate is not one of --peer-cert-allowed-cn"

/** A method as members may ask for it: those whose certificate carries one of the names, or any where none are given. */
export const forMembers =
  (names: ReadonlyArray<string>) =>
  (method: GrpcMethod): GrpcMethod => {
    const isAllowed = ({ tlsPeerCommonName: name }: CallInfo): boolean =>
      names.length === 0 || (name !== undefined && names.includes(name))
    if ("stream" in method) {
      return {
        ...method,
        stream: (call) => {
          if (isAllowed(call)) return method.stream(new PeerStreamCall(call))
          call.fail(GrpcCode.PermissionDenied, REFUSED)
          return { message: () => undefined, end: () => undefined }
        }
      }
    }
    return {
      ...method,
      unary: (call, request) => {
        if (isAllowed(call)) method.unary(new PeerUnaryCall(call), request)
        else call.fail(GrpcCode.PermissionDenied, REFUSED)
      }
    }
  }

// A unary call on its way to whoever leads: the client's call, seen by a method that runs here or elsewhere.
// Owns one rule: a refusal for want of leadership is not the client's to see, for the request certainly did nothing and goes on
// to the next leader. Refuses to know who that is.
import type { CallInfo, GrpcCode, OutSpace, UnaryCall } from "#net"
import { Failure } from "../rpc/EtcdFailure.ts"
import { UnaryCallView } from "../server/CallView.ts"

/** Whether a failure says that the request did nothing because its member does not lead. */
export const isNotLeader = (code: number, message: string): boolean =>
  code === Failure.notLeader.code && message === Failure.notLeader.message

export class RoutedCall extends UnaryCallView {
  private readonly refused: () => void

  constructor(call: UnaryCall, refused: () => void) {
    super(call)
    this.refused = refused
  }

  override fail(code: GrpcCode, message: string): void {
    if (isNotLeader(code, message)) this.refused()
    else this.call.fail(code, message)
  }
}

/** A message of a stream as a unary call: the answer goes to the callbacks. */
export const callOfMessage = (
  stream: CallInfo,
  answered: (message: Uint8Array) => void,
  failed: (code: GrpcCode, message: string) => void
): UnaryCall => {
  let space: OutSpace | undefined
  return {
    peer: stream.peer,
    tlsPeerCommonName: stream.tlsPeerCommonName,
    localAddress: stream.localAddress,
    get cancelled() {
      return stream.cancelled
    },
    onCancel: undefined,
    header: (name) => stream.header(name),
    binaryHeader: (name) => stream.binaryHeader(name),
    setHeader: (name, value) => stream.setHeader(name, value),
    setTrailer: (name, value) => stream.setTrailer(name, value),
    respond: answered,
    respondOwned: (message, released) => {
      answered(message)
      released?.()
    },
    reserve: (size) => (space = { bytes: Buffer.alloc(size), offset: 0 }),
    commit: () => answered(space?.bytes ?? new Uint8Array(0)),
    fail: failed
  }
}

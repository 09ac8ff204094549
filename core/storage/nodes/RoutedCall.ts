// A unary call on its way to whoever leads: the client's call, seen by a method that runs here or elsewhere.
// Owns one rule: a refusal for want of leadership is not the client's to see, for the request certainly did nothing and goes on
// to the next leader. Refuses to know who that is.
import type { CallInfo, GrpcCode, OutSpace, UnaryCall } from "#net"
import { Failure } from "../rpc/EtcdFailure.ts"

/** Whether a failure says that the request did nothing because its member does not lead. */
export const isNotLeader = (code: number, message: string): boolean =>
  code === Failure.notLeader.code && message === Failure.notLeader.message

export class RoutedCall implements UnaryCall {
  private readonly call: UnaryCall
  private readonly refused: () => void

  constructor(call: UnaryCall, refused: () => void) {
    this.call = call
    this.refused = refused
  }

  get peer(): string {
    return this.call.peer
  }
  get tlsPeerCommonName(): string | undefined {
    return this.call.tlsPeerCommonName
  }
  get localAddress(): string {
    return this.call.localAddress
  }
  get cancelled(): boolean {
    return this.call.cancelled
  }
  get onCancel(): (() => void) | undefined {
    return this.call.onCancel
  }
  set onCancel(listener: (() => void) | undefined) {
    this.call.onCancel = listener
  }
  header(name: string): string | undefined {
    return this.call.header(name)
  }
  binaryHeader(name: string): Uint8Array | undefined {
    return this.call.binaryHeader(name)
  }
  setHeader(name: string, value: string): void {
    this.call.setHeader(name, value)
  }
  setTrailer(name: string, value: string): void {
    this.call.setTrailer(name, value)
  }
  respond(message: Uint8Array): void {
    this.call.respond(message)
  }
  respondOwned(message: Uint8Array, released?: () => void): void {
    this.call.respondOwned(message, released)
  }
  reserve(size: number): OutSpace {
    return this.call.reserve(size)
  }
  commit(): void {
    this.call.commit()
  }
  fail(code: GrpcCode, message: string): void {
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

// Calls seen through another: everything goes on to the call below unless a kind of its own says otherwise.
// Owns that passing on; refuses to change anything itself (RoutedCall.ts and PeerCall.ts do).
import type { CallInfo, GrpcCode, OutSpace, StreamCall, UnaryCall } from "#net"

class CallView<Call extends CallInfo> implements CallInfo {
  protected readonly call: Call

  constructor(call: Call) {
    this.call = call
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
}

/** A unary call as another one. */
export class UnaryCallView extends CallView<UnaryCall> implements UnaryCall {
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
    this.call.fail(code, message)
  }
}

/** A streaming call as another one. */
export class StreamCallView extends CallView<StreamCall> implements StreamCall {
  get bufferedBytes(): number {
    return this.call.bufferedBytes
  }
  get onDrain(): (() => void) | undefined {
    return this.call.onDrain
  }
  set onDrain(listener: (() => void) | undefined) {
    this.call.onDrain = listener
  }
  get onGoAway(): (() => void) | undefined {
    return this.call.onGoAway
  }
  set onGoAway(listener: (() => void) | undefined) {
    this.call.onGoAway = listener
  }
  send(message: Uint8Array): boolean {
    return this.call.send(message)
  }
  sendOwned(message: Uint8Array): boolean {
    return this.call.sendOwned(message)
  }
  end(): void {
    this.call.end()
  }
  fail(code: GrpcCode, message: string): void {
    this.call.fail(code, message)
  }
  pause(): void {
    this.call.pause()
  }
  resume(): void {
    this.call.resume()
  }
}

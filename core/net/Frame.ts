// HTTP/2 frames on the wire: types, flags, error codes, settings, and the two sizes that everything is cut by. Owns the one
// table of wire codes of this protocol (RFC 9113 sections 6, 7 and 11); refuses to own what a frame does to a connection.

export const FrameType = {
  Data: 0,
  Headers: 1,
  Priority: 2,
  RstStream: 3,
  Settings: 4,
  PushPromise: 5,
  Ping: 6,
  GoAway: 7,
  WindowUpdate: 8,
  Continuation: 9
} as const

export const Flag = { EndStream: 0x1, Ack: 0x1, EndHeaders: 0x4, Padded: 0x8, Priority: 0x20 } as const

/** Error codes of RST_STREAM and GOAWAY (RFC 9113 section 7). */
export const H2Error = {
  NoError: 0x0,
  Protocol: 0x1,
  Internal: 0x2,
  FlowControl: 0x3,
  SettingsTimeout: 0x4,
  StreamClosed: 0x5,
  FrameSize: 0x6,
  RefusedStream: 0x7,
  Cancel: 0x8,
  Compression: 0x9,
  Connect: 0xa,
  EnhanceYourCalm: 0xb,
  InadequateSecurity: 0xc,
  Http11Required: 0xd
} as const
export type H2Error = (typeof H2Error)[keyof typeof H2Error]

export const Setting = {
  HeaderTableSize: 0x1,
  EnablePush: 0x2,
  MaxConcurrentStreams: 0x3,
  InitialWindowSize: 0x4,
  MaxFrameSize: 0x5,
  MaxHeaderListSize: 0x6
} as const

/** What a client sends first (RFC 9113 section 3.4). */
export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1")

/** Bytes of a frame header. */
export const frameHeaderBytes = 9
/** The largest payload we take and send, in bytes: the protocol's own default. Larger frames would only hurt fairness. */
export const maxFrameBytes = 16_384
/** The largest flow-control window, in bytes. */
export const maxWindow = 0x7fff_ffff
/** The window of a stream and of a connection before anybody said otherwise, in bytes. */
export const defaultWindow = 65_535

/** Raised while a frame is handled; `streamId` 0 ends the connection by GOAWAY, another id only that stream. */
export class ProtocolViolation extends Error {
  readonly code: H2Error
  readonly streamId: number

  constructor(code: H2Error, reason: string, streamId = 0) {
    super(reason)
    this.code = code
    this.streamId = streamId
  }
}

/** Writes a frame header at `at`; the caller has made room. */
export const putFrameHeader = (
  bytes: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  id: number
): void => {
  bytes[at] = length >>> 16
  bytes[at + 1] = length >>> 8
  bytes[at + 2] = length
  bytes[at + 3] = type
  bytes[at + 4] = flags
  bytes[at + 5] = id >>> 24
  bytes[at + 6] = id >>> 16
  bytes[at + 7] = id >>> 8
  bytes[at + 8] = id
}

/** Writes 32 bits, most significant first. */
export const putUint32 = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** Reads 32 bits, most significant first, as an unsigned number. */
export const getUint32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0

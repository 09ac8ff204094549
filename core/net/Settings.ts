// The peer's SETTINGS (RFC 9113 section 6.5). Owns their defaults and the check of each value; refuses to own what changes
// when one arrives, which the connection applies from the returned differences.
import { defaultWindow, getUint32, H2Error, maxFrameBytes, maxWindow, ProtocolViolation, Setting } from "./Frame.ts"
import { defaultTableBytes } from "./HpackTable.ts"

/** What the peer asked for so far. */
export class PeerSettings {
  initialWindow = defaultWindow
  maxConcurrentStreams = 0xffff_ffff
  headerTableBytes = defaultTableBytes
  private readonly ofServer: boolean

  constructor(ofServer: boolean) {
    this.ofServer = ofServer
  }

  /** Applies a SETTINGS payload in order. */
  apply(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; at += 6) {
      this.set((bytes[at] << 8) | bytes[at + 1], getUint32(bytes, at + 2))
    }
  }

  private set(identifier: number, value: number): void {
    switch (identifier) {
      case Setting.HeaderTableSize:
        this.headerTableBytes = value
        break
      case Setting.EnablePush:
        if (value > 1 || (this.ofServer && value !== 0)) refuse("ENABLE_PUSH", value)
        break
      case Setting.MaxConcurrentStreams:
        this.maxConcurrentStreams = value
        break
      case Setting.InitialWindowSize:
        if (value > maxWindow) refuse("INITIAL_WINDOW_SIZE", value, H2Error.FlowControl)
        this.initialWindow = value
        break
      case Setting.MaxFrameSize:
        // We never send larger frames than the default, so the value itself need not be kept.
        if (value < maxFrameBytes || value > 0xff_ffff) refuse("MAX_FRAME_SIZE", value)
        break
      default:
        break
    }
  }
}

const refuse = (name: string, value: number, code: H2Error = H2Error.Protocol): never => {
  throw new ProtocolViolation(code, `SETTINGS_${name} of ${value} is out of range`)
}

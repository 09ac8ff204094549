// The bytes of a watch cut into lines as they come.
// Owns what is left of a line until the rest of it arrives; refuses to read any. Bound: a line of 16 MiB.
const NEWLINE = 10
const LINE_BYTES_MAX = 16_777_216

export class EventLines {
  private readonly line: (line: Uint8Array) => void
  private rest: Array<Uint8Array> = []
  private restBytes = 0

  constructor(line: (line: Uint8Array) => void) {
    this.line = line
  }

  /** Takes bytes that are valid during the call; lines that are handed out may be kept. False: a line is too long. */
  push(bytes: Uint8Array): boolean {
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      const part = bytes.slice(start, end)
      start = end + 1
      const whole = this.restBytes === 0 ? part : Buffer.concat([...this.rest, part])
      this.rest = []
      this.restBytes = 0
      if (whole.length > 0) this.line(whole)
    }
    if (start === bytes.length) return true
    this.restBytes += bytes.length - start
    if (this.restBytes > LINE_BYTES_MAX) return false
    this.rest.push(bytes.slice(start))
    return true
  }
}

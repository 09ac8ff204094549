// Audit events as lines of JSON in a file, which is turned over when it grows too large.
// Owns the file, its size and its old copies; when the disk is slower than the events, the oldest waiting ones are dropped and counted.
import { closeSync, existsSync, fstatSync, openSync, renameSync, rmSync, write } from "node:fs"
import type { AuditBackend, AuditEvent } from "./Audit.ts"

export interface AuditLogOptions {
  /** "-" is the standard output. */
  readonly path: string
  /** Bytes from which on the file is turned over; 0 never does. */
  readonly maxBytes: number
  /** Old files kept: path.1 is the youngest. */
  readonly maxBackups: number
}

/** Bytes of lines that may wait for the disk. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024

export class AuditLog implements AuditBackend {
  dropped = 0
  private readonly options: AuditLogOptions
  private file: number
  private size: number
  private waiting: Array<Buffer> = []
  private waitingBytes = 0
  private writing = false
  private closing = false

  /** Raises the file system's error for a file that cannot be opened. */
  constructor(options: AuditLogOptions) {
    this.options = options
    this.file = options.path === "-" ? 1 : openSync(options.path, "a", 0o600)
    this.size = options.path === "-" ? 0 : fstatSync(this.file).size
  }

  readonly write = (event: AuditEvent): void => {
    const line = Buffer.from(`${JSON.stringify(event)}\n`, "utf8")
    if (this.waitingBytes + line.length > WAITING_BYTES_MAX) {
      this.dropped++
      return
    }
    this.waiting.push(line)
    this.waitingBytes += line.length
    if (!this.writing) this.flush()
  }

  private flush(): void {
    if (this.waiting.length === 0) {
      if (this.closing) this.release()
      return
    }
    const { maxBytes } = this.options
    if (maxBytes > 0 && this.size >= maxBytes && this.file !== 1) this.turnOver()
    const bytes = Buffer.concat(this.waiting)
    this.waiting = []
    this.writing = true
    this.writeAll(bytes, 0)
  }

  private writeAll(bytes: Buffer, from: number): void {
    write(this.file, bytes, from, bytes.length - from, null, (error, written) => {
      if (error === null && from + written < bytes.length) return this.writeAll(bytes, from + written)
      if (error !== null) this.dropped++
      this.size += bytes.length
      this.waitingBytes -= bytes.length
      this.writing = false
      this.flush()
    })
  }

  private turnOver(): void {
    const { maxBackups, path } = this.options
    closeSync(this.file)
    rmSync(`${path}.${maxBackups}`, { force: true })
    for (let at = maxBackups - 1; at >= 1; at--) {
      if (existsSync(`${path}.${at}`)) renameSync(`${path}.${at}`, `${path}.${at + 1}`)
    }
    if (maxBackups > 0) renameSync(path, `${path}.1`)
    else rmSync(path)
    this.file = openSync(path, "a", 0o600)
    this.size = 0
  }

  /** Writes what waits, then closes the file. */
  close(): void {
    if (this.closing) return
    this.closing = true
    if (!this.writing) this.flush()
  }

  private release(): void {
    if (this.file !== 1) closeSync(this.file)
  }
}

// A cluster's audit log files, followed line by line through rotation and restart: what was read but not durable is read again, and what is
// read twice is known by its ids. Owns the place in the files and when it is saved; refuses to understand lines.
import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync
} from "node:fs"
import { basename, dirname, join } from "node:path"

/** Where reading goes on: a file by its inode, because rotation renames it. */
interface Place {
  readonly inode: number
  readonly offset: number
}

export interface AuditLogOptions {
  readonly path: string
  /** Where the place is kept. */
  readonly statePath: string
  /** Takes a whole line; false when it should be asked to go on by `onRoom`. */
  readonly take: (line: Buffer) => boolean
  readonly onRoom: (resume: () => void) => void
  /** Calls once when everything taken so far is durable. */
  readonly afterAll: (done: () => void) => void
  readonly onTrouble: (detail: string) => void
  readonly pollMs?: number
}

const POLL_MS = 500
const CHUNK_BYTES = 1_048_576
/** A longer line is no event that any API server writes. */
const LINE_BYTES_MAX = 64 * 2 ** 20

export class AuditLogReader {
  private readonly options: AuditLogOptions
  private file: { readonly fd: number; readonly inode: number } | undefined
  private offset = 0
  /** Of the file's bytes, those before this were handed on as whole lines. */
  private taken = 0
  private rest: Buffer = Buffer.alloc(0)
  private readonly chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  private timer: NodeJS.Timeout | undefined
  private stopped = false
  private saved = ""

  constructor(options: AuditLogOptions) {
    this.options = options
  }

  start(): void {
    this.turn()
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
    if (this.file !== undefined) closeSync(this.file.fd)
    this.file = undefined
  }

  private turn(): void {
    if (this.stopped) return
    try {
      if (this.file === undefined) this.open(this.firstFile())
      while (this.file !== undefined) {
        if (!this.read()) return this.options.onRoom(() => this.turn())
        const next = this.rotatedTo()
        if (next === undefined) break
        this.open({ path: next, offset: 0 })
      }
    } catch (error) {
      this.options.onTrouble(error instanceof Error ? error.message : String(error))
    }
    this.save()
    this.timer = setTimeout(() => this.turn(), this.options.pollMs ?? POLL_MS)
  }

  private open(found: { readonly path: string; readonly offset: number } | undefined): void {
    if (this.file !== undefined) closeSync(this.file.fd)
    this.file = undefined
    if (found === undefined) return
    const fd = openSync(found.path, "r")
    this.file = { fd, inode: fstatSync(fd).ino }
    this.offset = found.offset
    this.taken = found.offset
    this.rest = Buffer.alloc(0)
  }

  /** Reads to the end of the open file; false when what was read should first be digested. */
  private read(): boolean {
    const { file } = this
    if (file === undefined) return true
    // A file that was cut short is a new one.
    if (fstatSync(file.fd).size < this.offset) [this.offset, this.taken, this.rest] = [0, 0, Buffer.alloc(0)]
    for (;;) {
      const bytes = readSync(file.fd, this.chunk, 0, CHUNK_BYTES, this.offset)
      if (bytes === 0) return true
      this.offset += bytes
      if (!this.split(Buffer.concat([this.rest, this.chunk.subarray(0, bytes)]))) return false
    }
  }

  private split(bytes: Buffer): boolean {
    let start = 0
    let roomy = true
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, start)) {
      if (end > start) roomy = this.options.take(bytes.subarray(start, end)) && roomy
      this.taken += end + 1 - start
      start = end + 1
    }
    this.rest = Buffer.from(bytes.subarray(start))
    if (this.rest.length > LINE_BYTES_MAX) {
      this.options.onTrouble(`a line of more than ${LINE_BYTES_MAX} bytes was skipped`)
      this.taken += this.rest.length
      this.rest = Buffer.alloc(0)
    }
    return roomy
  }

  /** The next file to read after the open one, which nobody writes any more; undefined while it is the newest. */
  private rotatedTo(): string | undefined {
    const current = statSync(this.options.path, { throwIfNoEntry: false })
    if (this.file === undefined || current === undefined || current.ino === this.file.inode) return undefined
    const files = this.files()
    const at = files.findIndex(({ inode }) => inode === this.file?.inode)
    return at < 0 ? this.options.path : (files[at + 1]?.path ?? this.options.path)
  }

  /** Where to begin: the place that was saved, if its file is still there, else the newest file's beginning. */
  private firstFile(): { readonly path: string; readonly offset: number } | undefined {
    const files = this.files()
    const place = this.place()
    const found = files.find(({ inode }) => inode === place?.inode)
    if (found !== undefined && place !== undefined) return { path: found.path, offset: place.offset }
    // The file of the place is gone: whatever is left of the log is newer.
    const [oldest] = place === undefined ? files.slice(-1) : files
    return oldest === undefined ? undefined : { path: oldest.path, offset: 0 }
  }

  /** The log's files, oldest first; rotation puts a time into the names of those that it is done with. */
  private files(): ReadonlyArray<{ readonly path: string; readonly inode: number }> {
    const { path } = this.options
    const name = basename(path)
    const stem = name.replace(/\.[^.]*$/, "")
    const rotated = readdirSync(dirname(path))
      .filter((file) => file !== name && file.startsWith(`${stem}-`) && !file.endsWith(".gz"))
      .sort()
    return [...rotated, name].flatMap((file) => {
      const stat = statSync(join(dirname(path), file), { throwIfNoEntry: false })
      return stat === undefined ? [] : [{ path: join(dirname(path), file), inode: stat.ino }]
    })
  }

  private place(): Place | undefined {
    try {
      // SAFETY: written by `save`; a file that holds something else starts anew.
      return JSON.parse(readFileSync(this.options.statePath, "utf8")) as Place
    } catch {
      return undefined
    }
  }

  /** Saves the place once all that was read before it is durable. */
  private save(): void {
    if (this.file === undefined) return
    const text = JSON.stringify({ inode: this.file.inode, offset: this.taken } satisfies Place)
    if (text === this.saved) return
    this.options.afterAll(() => {
      if (this.saved === text) return
      this.saved = text
      try {
        writeFileSync(`${this.options.statePath}.new`, text)
        renameSync(`${this.options.statePath}.new`, this.options.statePath)
      } catch (error) {
        this.options.onTrouble(error instanceof Error ? error.message : String(error))
      }
    })
  }
}

// The write-ahead log's files: a few of fixed names, each written from its start for one memtable, then used again.
// Owns the files and their reuse; refuses to know what the rows mean. Which file follows which is told by the sequence
// numbers inside, so that going on to the next one renames, makes and deletes nothing: metadata waits for the disk's
// journal, and commits would wait with it. Files are opened with O_DSYNC: a write returns when it is on the disk.
import { close, closeSync, constants, fsyncSync, openSync, readdirSync, readFileSync, unlink, write } from "node:fs"
import { open } from "node:fs/promises"
import { join } from "node:path"
import type { WriteBatch } from "./Engine.ts"
import { hasLaterRecord, readRecordAt, recordSequence, recordSize, writeRecord } from "./WalRecord.ts"

/** Bytes that a file is made with, so that writing into it changes no metadata. */
const FILE_BYTES = 16 * 2 ** 20
const ZEROS = Buffer.alloc(2 ** 20)
/** Files kept for reuse. */
const FREE_MAX = 2

/** The log is damaged before its end: acknowledged commits would be lost by going on. */
export class DamagedLog extends Error {
  override readonly name = "DamagedLog"
}

export interface WalOptions {
  readonly directory: string
  /** false leaves flushing to the operating system. */
  readonly sync: boolean
}

const nameOf = (file: number): string => `wal-${String(file).padStart(12, "0")}.log`
const numberOf = (name: string): number | undefined => {
  const match = /^wal-(\d{12})\.log$/.exec(name)
  return match === null ? undefined : Number(match[1])
}

export class Wal {
  private readonly options: WalOptions
  /** Files that hold commits which the tree may not have yet, in the order of their use. */
  private readonly used: Array<number>
  private readonly free: Array<number> = []
  private lastNumber: number
  private preparing = false
  private descriptor = -1
  private position = 0
  /** The sequence of the last record. */
  sequence: number

  constructor(options: WalOptions, appliedSequence: number) {
    this.options = options
    this.sequence = appliedSequence
    this.used = readdirSync(options.directory)
      .flatMap((name) => numberOf(name) ?? [])
      .sort((a, b) => a - b)
    this.lastNumber = this.used.at(-1) ?? 0
  }

  /** Hands out, in order, every commit after the applied ones; throws DamagedLog rather than skip one. */
  replay(apply: (record: Buffer) => void): void {
    let applied = this.sequence
    const files = this.used
      .map((number) => ({ number, file: readFileSync(this.pathOf(number)) }))
      .sort((a, b) => recordSequence(a.file) - recordSequence(b.file))
    for (const { file, number } of files) {
      let at = 0
      for (let record = firstRecord(file, applied); record !== undefined;) {
        at = record.next
        if (record.sequence > applied) {
          apply(record.bytes)
          applied = record.sequence
        }
        record = readRecordAt(file, at, record.sequence + 1)
      }
      if (hasLaterRecord(file, at, applied + 1)) {
        throw new DamagedLog(`${nameOf(number)}: commit ${applied + 1} is damaged, yet later ones are whole`)
      }
    }
    this.sequence = applied
  }

  /** Later commits go into a file of their own. Returns the files that are complete now. */
  rotate(): ReadonlyArray<number> {
    const complete = [...this.used]
    if (this.descriptor >= 0) close(this.descriptor, () => undefined)
    const number = this.free.pop() ?? this.make()
    this.descriptor = openSync(this.pathOf(number), constants.O_WRONLY | (this.options.sync ? constants.O_DSYNC : 0))
    this.position = 0
    this.used.push(number)
    return complete
  }

  /** Makes an empty file at once, where none is at hand: it grows as it is written. */
  private make(): number {
    const number = ++this.lastNumber
    closeSync(openSync(this.pathOf(number), "w", 0o600))
    this.nameSettled()
    return number
  }

  /** A file's name is on the disk before anything in it counts. */
  private nameSettled(): void {
    if (!this.options.sync) return
    const folder = openSync(this.options.directory, "r")
    try {
      fsyncSync(folder)
    } finally {
      closeSync(folder)
    }
  }

  /** Makes a file ahead of its use; a full disk only makes none. */
  prepare(): void {
    if (this.preparing || this.free.length > 0) return
    this.preparing = true
    const number = ++this.lastNumber
    preallocate(this.pathOf(number), this.options.directory)
      .then(() => this.free.push(number))
      .catch(() => unlink(this.pathOf(number), () => undefined))
      .finally(() => (this.preparing = false))
  }

  /**
   * Appends a commit; `done` is told when it is durable, with its bytes, or why it is not, in which case nothing of it
   * counts.
   */
  append(batch: WriteBatch, done: (error: Error | undefined, record: Buffer) => void): void {
    const record = Buffer.allocUnsafeSlow(recordSize(batch))
    writeRecord(record, this.sequence + 1, batch)
    this.write(record, 0, (error) => {
      if (error === undefined) {
        this.sequence++
        this.position += record.length
      }
      done(error, record)
    })
  }

  private write(record: Buffer, from: number, done: (error: Error | undefined) => void): void {
    write(this.descriptor, record, from, record.length - from, this.position + from, (error, written) => {
      if (error !== null) done(error)
      else if (from + written < record.length) this.write(record, from + written, done)
      else done(undefined)
    })
  }

  /** Gives up files whose commits are safe elsewhere; a few are kept for reuse. */
  release(files: ReadonlyArray<number>): void {
    for (const number of files) {
      this.used.splice(this.used.indexOf(number), 1)
      if (this.free.length < FREE_MAX) this.free.push(number)
      else unlink(this.pathOf(number), () => undefined)
    }
  }

  close(): void {
    if (this.descriptor >= 0) closeSync(this.descriptor)
    this.descriptor = -1
  }

  /** Where a file lies. */
  pathOf(number: number): string {
    return join(this.options.directory, nameOf(number))
  }
}

/** The first record of a file, if it holds commits that follow on (or are among) the applied ones. */
const firstRecord = (file: Buffer, applied: number) => {
  const sequence = recordSequence(file)
  return sequence > 0 && sequence <= applied + 1 ? readRecordAt(file, 0, sequence) : undefined
}

const preallocate = async (path: string, directory: string): Promise<void> => {
  const file = await open(path, "wx", 0o600)
  try {
    for (let at = 0; at < FILE_BYTES; at += ZEROS.length) await file.write(ZEROS, 0, ZEROS.length, at)
    await file.datasync()
  } finally {
    await file.close()
  }
  const folder = await open(directory, "r")
  await folder.sync().finally(() => folder.close())
}

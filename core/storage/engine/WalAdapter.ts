// The write-ahead log's files: one per generation of the memtable, each written in place by one durable write per commit.
// Owns the files, their reuse and their deletion; refuses to know what the rows mean.
// Files are opened with O_DSYNC: a write returns when it is on the disk, which saves a second call for flushing.
import {
  close,
  closeSync,
  constants,
  fsync,
  open,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  write
} from "node:fs"
import { open as openFile } from "node:fs/promises"
import { join } from "node:path"
import type { WriteBatch } from "./Engine.ts"
import { hasLaterRecord, readRecordAt, recordSequence, recordSize, writeRecord } from "./WalRecord.ts"

/** Bytes that a file is made with, so that writing into it changes no metadata. */
const FILE_BYTES = 16 * 2 ** 20
const ZEROS = Buffer.alloc(2 ** 20)
const SPARES_MAX = 2
const SPARE_NAME = "spare-0.log"

/** The log is damaged before its end: acknowledged commits would be lost by going on. */
export class DamagedLog extends Error {
  override readonly name = "DamagedLog"
}

export interface WalOptions {
  readonly directory: string
  /** false leaves flushing to the operating system. */
  readonly sync: boolean
}

const nameOf = (generation: number): string => `wal-${String(generation).padStart(12, "0")}.log`
const generationOf = (name: string): number | undefined => {
  const match = /^wal-(\d{12})\.log$/.exec(name)
  return match === null ? undefined : Number(match[1])
}

export class Wal {
  private readonly options: WalOptions
  private readonly generations: Array<number>
  private readonly spares: Array<string> = []
  private spareCount = 0
  private preparing = false
  private nameOnDisk = false
  private file = -1
  private position = 0
  /** The sequence of the last record. */
  sequence: number

  constructor(options: WalOptions, appliedSequence: number) {
    this.options = options
    this.sequence = appliedSequence
    for (const name of readdirSync(options.directory))
      if (name.startsWith("spare-")) unlinkSync(join(options.directory, name))
    this.generations = readdirSync(options.directory)
      .flatMap((name) => generationOf(name) ?? [])
      .sort((a, b) => a - b)
  }

  /** Hands out, in order, every commit after the applied ones; throws DamagedLog rather than skip one. */
  replay(apply: (record: Buffer) => void): void {
    let applied = this.sequence
    // By what they hold, not by name: a rename may be lost with the machine's power when a file's contents are not.
    const files = this.generations
      .map((generation) => ({ generation, file: readFileSync(this.pathOf(generation)) }))
      .sort((a, b) => recordSequence(a.file) - recordSequence(b.file))
    for (const { file, generation } of files) {
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
        throw new DamagedLog(`${nameOf(generation)}: commit ${applied + 1} is damaged, yet later ones are whole`)
      }
    }
    this.sequence = applied
  }

  /** Starts a new generation: later commits go into a file of their own. Returns the generations that are complete now. */
  rotate(): ReadonlyArray<number> {
    const complete = [...this.generations]
    const generation = (this.generations.at(-1) ?? 0) + 1
    if (this.file >= 0) close(this.file, () => undefined)
    const path = this.pathOf(generation)
    const spare = this.spares.pop()
    if (spare !== undefined) renameSync(spare, path)
    const { O_CREAT, O_DSYNC, O_WRONLY } = constants
    this.file = openSync(path, O_WRONLY | O_CREAT | (this.options.sync ? O_DSYNC : 0), 0o600)
    this.position = 0
    this.generations.push(generation)
    this.nameOnDisk = false
    return complete
  }

  /** Makes files ahead of their use, so that writing into them changes no metadata; a full disk only makes none. */
  prepareSpare(): void {
    if (this.preparing || this.spares.length >= SPARES_MAX) return
    this.preparing = true
    const path = join(this.options.directory, SPARE_NAME)
    preallocate(path)
      .then(() => {
        if (this.file < 0) return unlinkSync(path)
        const kept = join(this.options.directory, `spare-${++this.spareCount}.log`)
        renameSync(path, kept)
        this.spares.push(kept)
      })
      .catch(() => undefined)
      .finally(() => (this.preparing = false))
  }

  /**
   * Appends a commit; `done` is told when it is durable, with its bytes, or why it is not, in which case nothing of it
   * counts.
   */
  append(batch: WriteBatch, done: (error: Error | undefined, record: Buffer) => void): void {
    const record = Buffer.allocUnsafeSlow(recordSize(batch))
    writeRecord(record, this.sequence + 1, batch)
    this.write(record, 0, (written) =>
      this.settleName(written, (error) => {
        if (error === undefined) {
          this.sequence++
          this.position += record.length
        }
        done(error, record)
      })
    )
  }

  /** A file's first commit counts when the file's name is on the disk too. */
  private settleName(error: Error | undefined, done: (error: Error | undefined) => void): void {
    if (error !== undefined || this.nameOnDisk || !this.options.sync) return done(error)
    open(this.options.directory, "r", (failed, folder) => {
      if (failed !== null) return done(failed)
      fsync(folder, (unsynced) => {
        close(folder, () => undefined)
        this.nameOnDisk = unsynced === null
        done(unsynced ?? undefined)
      })
    })
  }

  private write(record: Buffer, from: number, done: (error: Error | undefined) => void): void {
    write(this.file, record, from, record.length - from, this.position + from, (error, written) => {
      if (error !== null) done(error)
      else if (from + written < record.length) this.write(record, from + written, done)
      else done(undefined)
    })
  }

  /** Gives up generations whose rows are safe elsewhere; their files are kept for reuse, two at most. */
  release(generations: ReadonlyArray<number>): void {
    for (const generation of generations) {
      this.generations.splice(this.generations.indexOf(generation), 1)
      const path = this.pathOf(generation)
      if (this.spares.length >= SPARES_MAX) unlinkSync(path)
      else {
        const kept = join(this.options.directory, `spare-${++this.spareCount}.log`)
        renameSync(path, kept)
        this.spares.push(kept)
      }
    }
  }

  close(): void {
    if (this.file >= 0) closeSync(this.file)
    this.file = -1
    for (const spare of this.spares.splice(0)) unlinkSync(spare)
  }

  /** Where the file of a generation lies. */
  pathOf(generation: number): string {
    return join(this.options.directory, nameOf(generation))
  }
}

/** The first record of a file, if it holds commits that follow on (or are among) the applied ones. */
const firstRecord = (file: Buffer, applied: number) => {
  const sequence = recordSequence(file)
  return sequence > 0 && sequence <= applied + 1 ? readRecordAt(file, 0, sequence) : undefined
}

const preallocate = async (path: string): Promise<void> => {
  const file = await openFile(path, "w", 0o600)
  try {
    for (let at = 0; at < FILE_BYTES; at += ZEROS.length) await file.write(ZEROS, 0, ZEROS.length, at)
    await file.datasync()
  } finally {
    await file.close()
  }
}

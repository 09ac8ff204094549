// Files of audit lines, one for each cluster where the path says so, each of a greatest size: a full one takes the name with ".1" and the one
// before it goes. Owns the files, what may wait to be written and the count of what may not; refuses to know what a line is.
import { createWriteStream, mkdirSync, renameSync, statSync, type WriteStream } from "node:fs"
import { dirname } from "node:path"
import { Metric } from "../observe/Metrics.ts"

export interface DumpFilesOptions {
  /** Where ":cluster" stands for the cluster's name. */
  readonly path: string
  readonly fileBytesMax: number
  readonly onTrouble: (detail: string) => void
}

/** Bytes that may wait for one file; lines beyond are dropped and counted. */
const WAITING_BYTES_MAX = 16 * 2 ** 20
/** Files that are open at once; lines of further clusters are dropped and counted. */
const FILES_MAX = 256

interface File {
  readonly path: string
  stream: WriteStream
  bytes: number
}

export class DumpFiles {
  private readonly options: DumpFilesOptions
  private readonly files = new Map<string, File>()
  private readonly metric = new Metric({
    name: "kelemetry_audit_dump_lines_total",
    help: "Audit events for the dump, by what became of them.",
    labels: ["outcome"],
    kind: "counter"
  })

  constructor(options: DumpFilesOptions) {
    this.options = options
  }

  readonly add = (cluster: string, line: string): void => {
    const file = this.fileOf(this.options.path.replaceAll(":cluster", cluster))
    if (file === undefined || file.stream.writableLength > WAITING_BYTES_MAX) return this.metric.add(["dropped"])
    this.metric.add(["written"])
    file.stream.write(`${line}\n`)
    file.bytes += Buffer.byteLength(line) + 1
    if (file.bytes >= this.options.fileBytesMax) this.turn(file)
  }

  /** Writes what waits, and closes. */
  stop(done: () => void): void {
    let open = this.files.size
    if (open === 0) return done()
    for (const { stream } of this.files.values()) {
      stream.end()
      stream.once("close", () => {
        if (--open === 0) done()
      })
    }
  }

  metrics(): string {
    return this.metric.text()
  }

  private fileOf(path: string): File | undefined {
    const known = this.files.get(path)
    if (known !== undefined) return known
    if (this.files.size >= FILES_MAX) return undefined
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const file = { path, stream: this.open(path), bytes: statSync(path, { throwIfNoEntry: false })?.size ?? 0 }
    this.files.set(path, file)
    return file
  }

  private open(path: string): WriteStream {
    const stream = createWriteStream(path, { flags: "a", mode: 0o600 })
    stream.on("error", (error) => {
      this.options.onTrouble(`${path}: ${error.message}`)
      // The next line tries again.
      this.files.delete(path)
    })
    return stream
  }

  private turn(file: File): void {
    // What waits is written to the file that it was for, whatever it is called by then.
    file.stream.end()
    try {
      renameSync(file.path, `${file.path}.1`)
    } catch (error) {
      this.options.onTrouble(`${file.path}: ${error instanceof Error ? error.message : String(error)}`)
    }
    file.stream = this.open(file.path)
    file.bytes = 0
  }
}

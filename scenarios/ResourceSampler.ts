// What a process uses, with its children where it works in them, second by second: CPU, resident and anonymous memory, bytes
// written to disk, threads, from /proc. Where there is no /proc, or the process is not ours, there are no samples, and the record says nothing.
// Bound: one sample a second for at most a day.
import type { Component } from "#reports"
import { readdirSync, readFileSync } from "node:fs"

const clockTicksPerSecond = 100
const samplesMax = 86_400
const kibibyte = 1024

interface Sample {
  readonly atMs: number
  readonly cpuSeconds: number
  readonly rssBytes: number
  readonly anonymousBytes: number
  readonly writtenBytes: number
  readonly threads: number
}

const fieldOf = (text: string, name: string): number => {
  const at = text.indexOf(`${name}:`)
  return at < 0 ? 0 : Number.parseInt(text.slice(at + name.length + 1), 10)
}

/** The parent's id in the text of /proc/PID/stat, whose second field may hold anything. */
const parentIn = (stat: string): number => Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1])

/** Processes that a process has started. The kernel's own list is not in every kernel, so all are asked for their parent. */
const childrenOf = (pid: number): ReadonlyArray<number> =>
  readdirSync("/proc").flatMap((name) => {
    try {
      return /^\d+$/.test(name) && parentIn(readFileSync(`/proc/${name}/stat`, "latin1")) === pid ? [Number(name)] : []
    } catch {
      return []
    }
  })

/** The sample of a process and, where it works in them, its children. */
const readSample = (pid: number, atMs: number, forks: boolean): Sample | undefined => {
  const own = readOne(pid, atMs)
  if (own === undefined || !forks) return own
  return childrenOf(pid)
    .flatMap((child) => readOne(child, atMs) ?? [])
    .reduce(
      (sum, one) => ({
        atMs,
        cpuSeconds: sum.cpuSeconds + one.cpuSeconds,
        rssBytes: sum.rssBytes + one.rssBytes,
        anonymousBytes: sum.anonymousBytes + one.anonymousBytes,
        writtenBytes: sum.writtenBytes + one.writtenBytes,
        threads: sum.threads + one.threads
      }),
      own
    )
}

const readOne = (pid: number, atMs: number): Sample | undefined => {
  try {
    // The second field is the command in parentheses and may hold spaces; utime and stime are fields 14 and 15.
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    const status = readFileSync(`/proc/${pid}/status`, "latin1")
    const io = readFileSync(`/proc/${pid}/io`, "latin1")
    return {
      atMs,
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / clockTicksPerSecond,
      rssBytes: fieldOf(status, "VmRSS") * kibibyte,
      anonymousBytes: fieldOf(status, "RssAnon") * kibibyte,
      writtenBytes: fieldOf(io, "write_bytes"),
      threads: fieldOf(status, "Threads")
    }
  } catch {
    return undefined
  }
}

/** What a process and, where it `forks`, its children have used so far, and hold now; undefined when it cannot be read. */
export const usageOf = (pid: number, forks: boolean): Pick<Sample, "cpuSeconds" | "anonymousBytes"> | undefined =>
  readSample(pid, 0, forks)

/** CPU seconds a process has used so far; undefined when it cannot be read. */
export const cpuSecondsOf = (pid: number): number | undefined => readOne(pid, 0)?.cpuSeconds

const largest = (values: ReadonlyArray<number>): number => values.reduce((most, value) => Math.max(most, value), 0)

/** Samples of one component, whose process may change when it is restarted. */
export class ResourceSampler {
  readonly #name: string
  readonly #role: Component["role"]
  readonly #pid: () => number | undefined
  readonly #startedAt: number
  readonly #forks: boolean
  readonly #atS: Array<number> = []
  readonly #cpuPercent: Array<number> = []
  readonly #rss: Array<number> = []
  readonly #anonymous: Array<number> = []
  readonly #written: Array<number> = []
  readonly #threads: Array<number> = []
  #cpuSeconds = 0
  #lastPid: number | undefined
  #last: Sample | undefined

  /** `forks` says that the process works in children of its own. */
  constructor(name: string, role: Component["role"], pid: () => number | undefined, startedAt: number, forks = false) {
    this.#forks = forks
    this.#name = name
    this.#role = role
    this.#pid = pid
    this.#startedAt = startedAt
  }

  /** Takes one sample. */
  sample(now: number): void {
    const pid = this.#pid()
    const sample = pid === undefined || this.#atS.length >= samplesMax ? undefined : readSample(pid, now, this.#forks)
    const last = pid === this.#lastPid ? this.#last : undefined
    this.#last = sample
    this.#lastPid = pid
    if (sample === undefined || last === undefined || sample.atMs <= last.atMs) return
    const seconds = (sample.atMs - last.atMs) / 1000
    const used = Math.max(0, sample.cpuSeconds - last.cpuSeconds)
    this.#cpuSeconds += used
    this.#atS.push((now - this.#startedAt) / 1000)
    this.#cpuPercent.push(Math.round((used / seconds) * 1000) / 10)
    this.#rss.push(sample.rssBytes)
    this.#anonymous.push(sample.anonymousBytes)
    this.#written.push(Math.max(0, sample.writtenBytes - last.writtenBytes))
    this.#threads.push(sample.threads)
  }

  /** The most anonymous memory of all samples, in bytes; undefined without samples. */
  get anonymousMaxBytes(): number | undefined {
    return this.#anonymous.length === 0 ? undefined : largest(this.#anonymous)
  }

  /** The component for the run record; undefined when there was nothing to sample. */
  component(): Component | undefined {
    if (this.#atS.length === 0) return undefined
    return {
      name: this.#name,
      role: this.#role,
      atS: this.#atS,
      cpuPercent: this.#cpuPercent,
      rssBytes: this.#rss,
      anonymousBytes: this.#anonymous,
      diskWrittenBytes: this.#written,
      threads: this.#threads,
      totals: {
        cpuSeconds: this.#cpuSeconds,
        rssMaxBytes: largest(this.#rss),
        anonymousMaxBytes: largest(this.#anonymous),
        diskWrittenBytes: this.#written.reduce((sum, bytes) => sum + bytes, 0),
        threadsMax: largest(this.#threads)
      }
    }
  }
}

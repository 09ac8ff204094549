// What a person sees while a scenario runs. In a terminal one line that is rewritten every second; elsewhere (CI, a
// pipe) a line every ten seconds and one per finished run, unless quiet is asked for. Everything goes to standard error, so that
// standard output stays for results.
import type { RunRecord } from "#reports"
import { clusterLine } from "./cluster/ClusterProgress.ts"
import type { Second } from "./generator/Protocol.ts"
import type { WorldProgress } from "./world/Protocol.ts"

/** Where progress is written. */
export interface ProgressSink {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly write: (text: string) => unknown
}

/** A phase, as far as progress tells of it. */
type Phase = { readonly name: string }

/** Which run of how many, on which backend. */
export interface RunLabel {
  readonly position: number
  readonly of: number
  readonly backend: string
}

const rate = (perSecond: number): string => `${Math.round(perSecond).toLocaleString("en")}/s`
const millis = (us: number | null): string => (us === null ? "–" : `${(us / 1000).toFixed(us < 10_000 ? 2 : 0)} ms`)

const label = ({ backend, of, position }: RunLabel): string => `[${position + 1}/${of}] ${backend}`

/** One line about the second that has just passed. */
export const progressLine = (run: RunLabel, phase: Phase, seconds: number, second: Second): string => {
  const { inFlight, operations, watch } = second
  const completed = operations.reduce((sum, operation) => sum + operation.completed, 0)
  const errors = operations.reduce((sum, operation) => sum + operation.errors, 0)
  const slowest = operations.reduce<number | null>(
    (most, { p99Us }) => (p99Us === null ? most : Math.max(most ?? 0, p99Us)),
    null
  )
  const parts = [
    label(run),
    `${phase.name} ${seconds} s`,
    rate(completed),
    `p99 ${millis(slowest)}`,
    `${inFlight} in flight`
  ]
  if (watch !== undefined) parts.push(`${rate(watch.delivered)} events, lag p99 ${millis(watch.lagP99Us)}`)
  if (errors > 0) parts.push(`${errors} errors`)
  return parts.join("  ")
}

/** One line about a finished run. */
export const finishedLine = (run: RunLabel, record: RunRecord): string => {
  const measured = new Set(record.phases.filter(({ kind }) => kind === "measure").map(({ name }) => name))
  const parts = record.operations
    .filter(({ phase }) => measured.has(phase))
    .slice(0, 6)
    .map(({ completed, latency, name, phase }) => {
      const times = record.phases.find((recorded) => recorded.name === phase)
      const seconds = times === undefined ? 0 : (times.endMs - times.startMs) / 1000
      return `${name} ${rate(seconds > 0 ? completed / seconds : 0)} p99 ${millis(latency.p99)}`
    })
  return `${label(run)} done in ${(record.durationMs / 1000).toFixed(0)} s: ${parts.join(", ")}`
}

/** What a listener hears of a run: a step that takes a while, a line that stays, the cluster as it is now. */
export type ProgressEvent =
  | { readonly type: "step" | "line"; readonly text: string }
  | { readonly type: "cluster"; readonly text: string; readonly now: WorldProgress }

/** Seconds between two lines outside a terminal. */
const LOGGED_SECONDS = 10

/** Writes progress. */
export class Progress {
  readonly #sink: ProgressSink
  readonly #live: boolean
  readonly #logged: boolean
  /** Hears everything, whether it is written or not. */
  listener: ((event: ProgressEvent) => void) | undefined
  #seconds = 0
  #loggedMs = 0
  #shown = false

  constructor(sink: ProgressSink, quiet: boolean) {
    this.#sink = sink
    this.#live = sink.isTTY === true && !quiet
    this.#logged = sink.isTTY !== true && !quiet
  }

  /** A step that takes a while, shown only in a terminal. */
  step(text: string): void {
    this.#seconds = 0
    this.listener?.({ type: "step", text })
    this.#rewrite(text)
  }

  /** A simulated cluster as it is now. */
  cluster(run: RunLabel, now: WorldProgress): void {
    const text = clusterLine(run, now)
    this.listener?.({ type: "cluster", text, now })
    this.#rewrite(text)
    // Another run begins its own time.
    if (now.wallMs < this.#loggedMs) this.#loggedMs = 0
    if (!now.shrinking && now.wallMs - this.#loggedMs < LOGGED_SECONDS * 1000) return
    this.#loggedMs = now.wallMs
    this.#log(text)
  }

  phase(run: RunLabel, phase: Phase): void {
    this.step(`${label(run)}  ${phase.name} …`)
  }

  second(run: RunLabel, phase: Phase, second: Second): void {
    const text = progressLine(run, phase, ++this.#seconds, second)
    this.listener?.({ type: "step", text })
    this.#rewrite(text)
    if (this.#seconds % LOGGED_SECONDS === 0) this.#log(text)
  }

  /** A line that stays. */
  line(text: string): void {
    this.listener?.({ type: "line", text })
    this.clear()
    this.#sink.write(`${text}\n`)
  }

  /** Removes the live line, so that something else can be written. */
  clear(): void {
    if (this.#shown) this.#sink.write("\r\u001b[K")
    this.#shown = false
  }

  #log(text: string): void {
    if (this.#logged) this.#sink.write(`${text}\n`)
  }

  #rewrite(text: string): void {
    if (!this.#live) return
    this.#sink.write(`\r\u001b[K${text.slice(0, Math.max(20, (this.#sink.columns ?? 80) - 1))}`)
    this.#shown = true
  }
}

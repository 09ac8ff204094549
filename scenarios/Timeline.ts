// The run second by second: collects what the generator reports each second into the record's columns. A column starts
// when its operation first appears and is zero before; columns of a phase that is over stay zero.
// Bound: a day of seconds.
import type { OperationSeries, RecordedSeries, WatchSeries } from "#reports"
import type { Second } from "./generator/Protocol.ts"

const secondsMax = 86_400

type Columns = {
  -readonly [Key in keyof OperationSeries]: OperationSeries[Key] extends ReadonlyArray<infer A>
    ? Array<A>
    : OperationSeries[Key]
}
type WatchColumns = {
  -readonly [Key in keyof WatchSeries]: WatchSeries[Key] extends ReadonlyArray<infer A> ? Array<A> : never
}

/** Collects one run's seconds. */
export class Timeline {
  readonly #startedAt: number
  readonly #atS: Array<number> = []
  readonly #columns = new Map<string, Columns>()
  #watch: WatchColumns | undefined

  /** `startedAt` is the run's start in ms since the epoch. */
  constructor(startedAt: number) {
    this.#startedAt = startedAt
  }

  /** Adds a second that has just ended; its place in the record is its beginning. */
  add(second: Second): void {
    const row = this.#atS.length
    if (row >= secondsMax) return
    const at = Math.max(0, (second.at - this.#startedAt) / 1000 - 1)
    // The clock of the machine may be set back; the record's seconds never go back.
    this.#atS.push(row > 0 ? Math.max(at, this.#atS[row - 1] + 0.001) : at)
    for (const { completed, errors, name, p50Us, p99Us, sent } of second.operations) {
      const columns = this.#column(name, row)
      columns.sent.push(sent)
      columns.completed.push(completed)
      columns.errors.push(errors)
      columns.lost.push(0)
      columns.p50Us.push(p50Us)
      columns.p99Us.push(p99Us)
    }
    if (second.watch !== undefined) {
      this.#watch ??= {
        delivered: Array.from({ length: row }, () => 0),
        lagP50Us: Array.from({ length: row }, () => null),
        lagP99Us: Array.from({ length: row }, () => null)
      }
      this.#watch.delivered.push(second.watch.delivered)
      this.#watch.lagP50Us.push(second.watch.lagP50Us)
      this.#watch.lagP99Us.push(second.watch.lagP99Us)
    }
    this.#level()
  }

  #column(name: string, row: number): Columns {
    const known = this.#columns.get(name)
    if (known !== undefined) return known
    const zeros = (): Array<number> => Array.from({ length: row }, () => 0)
    const nulls = (): Array<number | null> => Array.from({ length: row }, () => null)
    const made = {
      name,
      sent: zeros(),
      completed: zeros(),
      errors: zeros(),
      lost: zeros(),
      p50Us: nulls(),
      p99Us: nulls()
    }
    this.#columns.set(name, made)
    return made
  }

  /** Fills the columns that had nothing to say in this second. */
  #level(): void {
    const rows = this.#atS.length
    for (const { completed, errors, lost, p50Us, p99Us, sent } of this.#columns.values()) {
      for (const counts of [sent, completed, errors, lost]) while (counts.length < rows) counts.push(0)
      for (const latencies of [p50Us, p99Us]) while (latencies.length < rows) latencies.push(null)
    }
    if (this.#watch === undefined) return
    while (this.#watch.delivered.length < rows) this.#watch.delivered.push(0)
    for (const lags of [this.#watch.lagP50Us, this.#watch.lagP99Us]) while (lags.length < rows) lags.push(null)
  }

  /** The record's series. */
  series(): RecordedSeries {
    const operations = [...this.#columns.values()]
    return { atS: this.#atS, operations, ...(this.#watch === undefined ? {} : { watch: this.#watch }) }
  }
}

// Time zones by their IANA names: how far a place's clocks are from UTC, and which moment one of their readings is.
// Owns this on the machine's tables of zones; refuses to know the time now. A gap or a doubled hour is read as Go reads it.
import { daysFromCivil } from "#kube"

const BLOCK_MS = 900_000
const MS_PER_DAY = 86_400_000

const FIELDS = {
  hourCycle: "h23",
  year: "numeric",
  month: "numeric",
  day: "numeric",
  hour: "numeric",
  minute: "numeric",
  second: "numeric"
} as const

/** A time zone. */
export class TimeZone {
  readonly name: string
  readonly #format: Intl.DateTimeFormat | undefined
  #block = Number.NaN
  #offset = 0

  private constructor(name: string, format: Intl.DateTimeFormat | undefined) {
    this.name = name
    this.#format = format
  }

  static readonly utc = new TimeZone("UTC", undefined)

  /** The zone of a name; undefined when the machine's tables have none. */
  static named(name: string): TimeZone | undefined {
    if (name === "" || name === "UTC") return TimeZone.utc
    try {
      return new TimeZone(name, new Intl.DateTimeFormat("en-US", { ...FIELDS, timeZone: name }))
    } catch {
      return undefined
    }
  }

  /** Milliseconds that the zone's clocks are ahead of UTC at a moment. Zones change at quarters of an hour. */
  offsetMs(atMs: number): number {
    const format = this.#format
    if (format === undefined) return 0
    const block = Math.floor(atMs / BLOCK_MS)
    if (block === this.#block) return this.#offset
    const start = block * BLOCK_MS
    const parts: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(start)) parts[type] = Number(value)
    const { day = 1, hour = 0, minute = 0, month = 1, second = 0, year = 1970 } = parts
    const local = daysFromCivil(year, month, day) * MS_PER_DAY + ((hour * 60 + minute) * 60 + second) * 1000
    this.#block = block
    this.#offset = local - start
    return this.#offset
  }

  /** The moment at which the zone's clocks read this, given as if they were in UTC. */
  momentOf(localMs: number): number {
    const first = this.offsetMs(localMs)
    return localMs - this.offsetMs(localMs - first)
  }
}

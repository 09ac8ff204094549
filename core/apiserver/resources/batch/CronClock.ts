// When a schedule is due next, by the calendar of a time zone.
// Owns the search, step for step as the library that Kubernetes uses (robfig/cron) goes, so that clock changes have the same effect;
// refuses to know what is done then.
import { civilDay, daysFromCivil } from "#kube"
import { type CronSpec, parseSchedule } from "./Schedule.ts"
import { TimeZone } from "./TimeZone.ts"

const SECOND = 1000
const MINUTE = 60_000
const HOUR = 3_600_000
const DAY = 86_400_000
const YEARS_MAX = 5

type Fields = Extract<CronSpec, { type: "fields" }>

/** A moment with what the zone's clocks show at it. */
interface Reading {
  readonly ms: number
  /** Since 1970-01-01. */
  readonly days: number
  readonly year: number
  readonly month: number
  readonly day: number
  readonly ofDayMs: number
  readonly hour: number
  readonly minute: number
  readonly second: number
}

class Search {
  #now: Reading
  readonly #spec: Fields
  readonly #zone: TimeZone
  /** Whether a field has moved, so that all smaller ones are at their beginning. */
  #moved = false

  constructor(spec: Fields, zone: TimeZone, fromMs: number) {
    this.#spec = spec
    this.#zone = zone
    this.#now = this.#read(Math.floor(fromMs / SECOND) * SECOND + SECOND)
  }

  /** The moment; undefined when there is none within some years. */
  run(): number | undefined {
    const lastYear = this.#now.year + YEARS_MAX
    while (this.#now.year <= lastYear) {
      const found = this.#month() && this.#day() && this.#hour() && this.#minute() && this.#second()
      if (found) return this.#now.ms
    }
    return undefined
  }

  #read(ms: number): Reading {
    const local = ms + this.#zone.offsetMs(ms)
    const days = Math.floor(local / DAY)
    const ofDayMs = local - days * DAY
    const hour = Math.floor(ofDayMs / HOUR)
    const minute = Math.floor(ofDayMs / MINUTE) % 60
    return { ms, days, ...civilDay(days), ofDayMs, hour, minute, second: Math.floor(ofDayMs / SECOND) % 60 }
  }

  #at(days: number, ofDayMs: number): Reading {
    return this.#read(this.#zone.momentOf(days * DAY + ofDayMs))
  }

  // Each of these moves its field to a value that the schedule allows; false says that a larger field has moved on.

  #month(): boolean {
    while (!this.#spec.month.values.has(this.#now.month)) {
      if (!this.#moved) this.#now = this.#at(daysFromCivil(this.#now.year, this.#now.month, 1), 0)
      this.#moved = true
      const { day, month, ofDayMs, year } = this.#now
      this.#now = this.#at(
        month === 12 ? daysFromCivil(year + 1, 1, day) : daysFromCivil(year, month + 1, day),
        ofDayMs
      )
      if (this.#now.month === 1) return false
    }
    return true
  }

  #day(): boolean {
    while (!this.#isDay()) {
      if (!this.#moved) this.#now = this.#at(this.#now.days, 0)
      this.#moved = true
      this.#now = this.#at(this.#now.days + 1, this.#now.ofDayMs)
      const { hour, ms } = this.#now
      // Where clocks change at midnight there may be none.
      if (hour !== 0) this.#now = this.#read(ms + (hour > 12 ? 24 - hour : -hour) * HOUR)
      if (this.#now.day === 1) return false
    }
    return true
  }

  /** A day of the month or one of the week is enough, unless one of them was left open. */
  #isDay(): boolean {
    const { day, weekday } = this.#spec
    const byMonth = day.values.has(this.#now.day)
    const byWeek = weekday.values.has((((this.#now.days + 4) % 7) + 7) % 7)
    return day.isOpen || weekday.isOpen ? byMonth && byWeek : byMonth || byWeek
  }

  #hour(): boolean {
    while (!this.#spec.hour.values.has(this.#now.hour)) {
      if (!this.#moved) this.#now = this.#at(this.#now.days, this.#now.hour * HOUR)
      this.#moved = true
      this.#now = this.#read(this.#now.ms + HOUR)
      if (this.#now.hour === 0) return false
    }
    return true
  }

  #minute(): boolean {
    while (!this.#spec.minute.values.has(this.#now.minute)) {
      if (!this.#moved) this.#now = this.#read(Math.floor(this.#now.ms / MINUTE) * MINUTE)
      this.#moved = true
      this.#now = this.#read(this.#now.ms + MINUTE)
      if (this.#now.minute === 0) return false
    }
    return true
  }

  #second(): boolean {
    const { ms, second } = this.#now
    if (second === 0) return true
    this.#moved = true
    this.#now = this.#read(ms + (60 - second) * SECOND)
    return false
  }
}

/** A schedule in a time zone. */
export class CronClock {
  readonly #spec: CronSpec
  readonly #zone: TimeZone

  constructor(spec: CronSpec, zone: TimeZone) {
    this.#spec = spec
    this.#zone = zone
  }

  /** The first moment after another, in milliseconds since the epoch; undefined when the schedule never comes true. */
  nextMs(afterMs: number): number | undefined {
    const spec = this.#spec
    if (spec.type === "every") return Math.floor(afterMs / SECOND) * SECOND + spec.seconds * SECOND
    return new Search(spec, this.#zone, afterMs).run()
  }
}

/** The clock of a schedule in a zone, by default UTC; a text says what is wrong with either. A zone in the schedule counts more. */
export const cronClock = (schedule: string, zoneName = ""): CronClock | string => {
  const named = /^(?:TZ|CRON_TZ)=(\S+)\s/.exec(schedule)?.[1] ?? zoneName
  const zone = TimeZone.named(named)
  if (zone === undefined) return `provided bad location ${named}: unknown time zone ${named}`
  const spec = parseSchedule(schedule)
  return typeof spec === "string" ? spec : new CronClock(spec, zone)
}

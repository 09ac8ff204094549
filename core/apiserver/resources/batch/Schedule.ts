// The grammar of cron schedules: five fields, or a name like "@hourly".
// Owns what is a schedule and what is wrong with one, in the words of the library that Kubernetes uses (robfig/cron); refuses to
// know the calendar, which CronClock.ts does.

interface Range {
  readonly low: number
  readonly high: number
  readonly names: ReadonlyArray<string>
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

const FIELDS: ReadonlyArray<Range> = [
  { low: 0, high: 59, names: [] },
  { low: 0, high: 23, names: [] },
  { low: 1, high: 31, names: [] },
  { low: 1, high: 12, names: MONTHS },
  { low: 0, high: 6, names: DAYS }
]

const NAMED: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *"
}

const DURATION = /^[-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*$/

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000
}

/** One field of a schedule: which values it allows, and whether it was left open ("*"). */
export interface ScheduleField {
  readonly values: ReadonlySet<number>
  readonly isOpen: boolean
}

/** A schedule that was read. */
export type CronSpec =
  | {
      readonly type: "fields"
      readonly minute: ScheduleField
      readonly hour: ScheduleField
      readonly day: ScheduleField
      readonly month: ScheduleField
      readonly weekday: ScheduleField
    }
  | { readonly type: "every"; readonly seconds: number }

const numberIn = (text: string, { low, names }: Range): number | string => {
  const named = names.indexOf(text.toLowerCase())
  if (named >= 0) return named + low
  if (!/^[-+]?\d+$/.test(text)) {
    return `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`
  }
  const value = Number(text)
  return value < 0 ? `negative number (${value}) not allowed: ${text}` : value
}

interface Span {
  readonly start: number
  readonly end: number
}

const spanOf = (text: string, expression: string, range: Range): Span | string => {
  const [first = "", last, ...more] = text.split("-")
  if (first === "*" || first === "?") return { start: range.low, end: range.high }
  const start = numberIn(first, range)
  if (typeof start === "string") return start
  if (last === undefined) return { start, end: start }
  if (more.length > 0) return `too many hyphens: ${expression}`
  const end = numberIn(last, range)
  return typeof end === "string" ? end : { start, end }
}

interface Expression extends Span {
  readonly step: number
  readonly isOpen: boolean
}

/** One expression of a field's list, or what is wrong with it. */
const expressionOf = (expression: string, range: Range): Expression | string => {
  const [span = "", by, ...more] = expression.split("/")
  const found = spanOf(span, expression, range)
  if (typeof found === "string") return found
  if (more.length > 0) return `too many slashes: ${expression}`
  const step = by === undefined ? 1 : numberIn(by, { low: 0, high: 0, names: [] })
  if (typeof step === "string") return step
  // "N/step" means "N-max/step".
  const end = by !== undefined && !span.includes("-") ? range.high : found.end
  const { start } = found
  if (start < range.low) return `beginning of range (${start}) below minimum (${range.low}): ${expression}`
  if (end > range.high) return `end of range (${end}) above maximum (${range.high}): ${expression}`
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${expression}`
  if (step === 0) return `step of range should be a positive number: ${expression}`
  return { start, end, step, isOpen: (span === "*" || span === "?") && step === 1 }
}

const fieldOf = (text: string, range: Range): ScheduleField | string => {
  const values = new Set<number>()
  let isOpen = false
  for (const one of text.split(",").filter((part) => part !== "")) {
    const found = expressionOf(one, range)
    if (typeof found === "string") return found
    for (let value = found.start; value <= found.end; value += found.step) values.add(value)
    isOpen ||= found.isOpen
  }
  return { values, isOpen }
}

const everyOf = (text: string): CronSpec | string => {
  const duration = text.slice("@every ".length)
  if (!DURATION.test(duration)) {
    return `failed to parse duration ${text}: time: invalid duration ${JSON.stringify(duration)}`
  }
  let ms = 0
  for (const [, amount = "", , unit = ""] of duration.matchAll(/(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)) {
    ms += Number(amount) * (UNIT_MS[unit] ?? 0)
  }
  return { type: "every", seconds: Math.max(1, Math.floor((duration.startsWith("-") ? -ms : ms) / 1000)) }
}

/** Reads a schedule; a text says what is wrong with it. */
export const parseSchedule = (schedule: string): CronSpec | string => {
  const text = schedule.replace(/^(TZ|CRON_TZ)=\S+\s+/, "")
  if (text.startsWith("@every ")) return everyOf(text)
  const named = NAMED[text]
  if (text.startsWith("@") && named === undefined) return `unrecognized descriptor: ${text}`
  const parts = (named ?? text).split(/\s+/).filter((field) => field !== "")
  if (parts.length !== 5) return `expected exactly 5 fields, found ${parts.length}: [${parts.join(" ")}]`
  const fields: Array<ScheduleField> = []
  for (const [at, range] of FIELDS.entries()) {
    const field = fieldOf(parts[at] ?? "", range)
    if (typeof field === "string") return field
    fields.push(field)
  }
  const [minute, hour, day, month, weekday] = fields
  return { type: "fields", minute, hour, day, month, weekday }
}

/** What is wrong with a schedule; undefined when nothing is. */
export const scheduleProblem = (schedule: string): string | undefined => {
  const read = parseSchedule(schedule)
  return typeof read === "string" ? read : undefined
}

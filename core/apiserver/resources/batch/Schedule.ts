// The grammar of cron schedules: five fields, or a name like "@hourly".
// Owns what is a schedule and what is wrong with one, in the words of the library that Kubernetes uses (robfig/cron).

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

const NAMED = new Set(["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"])

const DURATION = /^[-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*$/

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

/** What is wrong with one expression of a field's list. */
const expressionProblem = (expression: string, range: Range): string | undefined => {
  const [span = "", step, ...more] = expression.split("/")
  const found = spanOf(span, expression, range)
  if (typeof found === "string") return found
  if (more.length > 0) return `too many slashes: ${expression}`
  const by = step === undefined ? 1 : numberIn(step, { low: 0, high: 0, names: [] })
  if (typeof by === "string") return by
  // "N/step" means "N-max/step".
  const end = step !== undefined && !span.includes("-") ? range.high : found.end
  const { start } = found
  if (start < range.low) return `beginning of range (${start}) below minimum (${range.low}): ${expression}`
  if (end > range.high) return `end of range (${end}) above maximum (${range.high}): ${expression}`
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${expression}`
  return by === 0 ? `step of range should be a positive number: ${expression}` : undefined
}

/** What is wrong with a schedule; undefined when nothing is. */
export const scheduleProblem = (schedule: string): string | undefined => {
  const text = schedule.replace(/^(TZ|CRON_TZ)=\S+\s+/, "")
  if (text.startsWith("@")) {
    if (NAMED.has(text)) return undefined
    if (!text.startsWith("@every ")) return `unrecognized descriptor: ${text}`
    const duration = text.slice("@every ".length)
    return DURATION.test(duration)
      ? undefined
      : `failed to parse duration ${text}: time: invalid duration ${JSON.stringify(duration)}`
  }
  const fields = text.split(/\s+/).filter((field) => field !== "")
  if (fields.length !== 5) {
    return `expected exactly 5 fields, found ${fields.length}: [${fields.join(" ")}]`
  }
  for (let at = 0; at < FIELDS.length; at++) {
    const range = FIELDS[at] as Range
    for (const expression of (fields[at] ?? "").split(",").filter((one) => one !== "")) {
      const why = expressionProblem(expression, range)
      if (why !== undefined) return why
    }
  }
  return undefined
}

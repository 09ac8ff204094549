// Times as Kubernetes writes them: RFC 3339 in UTC, in whole seconds (meta/v1 Time) or microseconds (MicroTime).
// Owns the texts; refuses to know what time it is, which a Clockwork says.

const MS_PER_DAY = 86_400_000

const two = (value: number): string => (value < 10 ? `0${value}` : String(value))

/** A day of the proleptic Gregorian calendar; months and days count from 1. */
export interface CivilDay {
  readonly year: number
  readonly month: number
  readonly day: number
}

/** The day that is so many days after 1970-01-01. */
export const civilDay = (days: number): CivilDay => {
  // Counted from 1 March of year 0, so that leap days come last in a year.
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day }
}

const civil = (days: number): string => {
  const { day, month, year } = civilDay(days)
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}`
}

const secondsText = (ms: number): string => {
  const day = Math.floor(ms / MS_PER_DAY)
  const seconds = Math.floor((ms - day * MS_PER_DAY) / 1000)
  return `${civil(day)}T${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
}

/** Milliseconds since the epoch as meta/v1 Time: "2026-11-24T04:00:00Z". */
export const rfc3339 = (ms: number): string => `${secondsText(ms)}Z`

/** Milliseconds since the epoch as meta/v1 MicroTime: "2026-11-24T04:00:00.123000Z". */
export const rfc3339Micro = (ms: number): string => {
  const micros = Math.floor((ms - Math.floor(ms / 1000) * 1000) * 1000)
  return `${secondsText(ms)}.${String(micros).padStart(6, "0")}Z`
}

/** The digits at two places as a number; NaN where they are none. */
const twoAt = (text: string, at: number): number => {
  const tens = text.charCodeAt(at) - 48
  const ones = text.charCodeAt(at + 1) - 48
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN
}

const isPunctuated = (text: string): boolean =>
  text.charCodeAt(4) === 0x2d &&
  text.charCodeAt(7) === 0x2d &&
  text.charCodeAt(10) === 0x54 &&
  text.charCodeAt(13) === 0x3a &&
  text.charCodeAt(16) === 0x3a

const hasPlainForm = (text: string): boolean =>
  text.length > 19 && text.charCodeAt(text.length - 1) === 0x5a && isPunctuated(text)

/** Whether a text is an RFC 3339 time. The form that Kubernetes writes is read without making anything of it. */
export const isRfc3339 = (text: string): boolean => {
  if (!hasPlainForm(text)) return parseByPattern(text) !== undefined
  const last = text.length - 1
  const year = twoAt(text, 0) * 100 + twoAt(text, 2)
  const month = twoAt(text, 5)
  const day = twoAt(text, 8)
  if (!(year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) return false
  if (!(twoAt(text, 11) <= 23 && twoAt(text, 14) <= 59 && twoAt(text, 17) <= 59)) return false
  if (last === 19) return true
  if (last === 20 || text.charCodeAt(19) !== 0x2e) return false
  for (let at = 20; at < last; at++) if (text.charCodeAt(at) < 0x30 || text.charCodeAt(at) > 0x39) return false
  return true
}

const pattern = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))$/

/** Milliseconds since the epoch, with a fraction where the text has one; undefined when it is no RFC 3339 time. */
export const parseRfc3339 = (text: string): number | undefined => {
  if (!hasPlainForm(text)) return parseByPattern(text)
  if (!isRfc3339(text)) return undefined
  const days = daysFromCivil(twoAt(text, 0) * 100 + twoAt(text, 2), twoAt(text, 5), twoAt(text, 8))
  const seconds = twoAt(text, 11) * 3600 + twoAt(text, 14) * 60 + twoAt(text, 17)
  const fraction = text.length === 20 ? 0 : Number(`0${text.slice(19, -1)}`) * 1000
  return days * MS_PER_DAY + seconds * 1000 + fraction
}

const parseByPattern = (text: string): number | undefined => {
  const match = pattern.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number)
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59)
    return undefined
  const offsetMinutes =
    match[8] === undefined ? 0 : (match[8] === "-" ? -1 : 1) * (Number(match[9]) * 60 + Number(match[10]))
  const seconds = hour * 3600 + minute * 60 + second - offsetMinutes * 60
  return daysFromCivil(year, month, day) * MS_PER_DAY + seconds * 1000 + Number(`0${match[7] ?? ""}`) * 1000
}

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0

const daysIn = (year: number, month: number): number =>
  month === 2 ? (isLeap(year) ? 29 : 28) : month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31

/** The days from 1970-01-01 to a day. */
export const daysFromCivil = (year: number, month: number, day: number): number => {
  const shiftedYear = month <= 2 ? year - 1 : year
  const era = Math.floor(shiftedYear / 400)
  const yearOfEra = shiftedYear - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

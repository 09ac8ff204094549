// Ages as Kubernetes prints them in tables: two or three significant figures, for people.
// Owns the wording; the time now is the caller's to say.
import { parseRfc3339 } from "#kube"

/** A duration in milliseconds as apimachinery's HumanDuration writes it: "99s", "5m30s", "3h", "2d5h", "1y20d". */
export const humanDuration = (ms: number): string => {
  const seconds = Math.trunc(ms / 1000)
  if (seconds < -1) return "<invalid>"
  if (seconds < 0) return "0s"
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.trunc(seconds / 60)
  if (minutes < 10) return pair(minutes, "m", seconds % 60, "s")
  if (minutes < 180) return `${minutes}m`
  const hours = Math.trunc(minutes / 60)
  if (hours < 8) return pair(hours, "h", minutes % 60, "m")
  if (hours < 48) return `${hours}h`
  const days = Math.trunc(hours / 24)
  if (hours < 24 * 8) return pair(days, "d", hours % 24, "h")
  if (hours < 24 * 365 * 2) return `${days}d`
  const years = Math.trunc(days / 365)
  return hours < 24 * 365 * 8 ? pair(years, "y", days % 365, "d") : `${years}y`
}

const pair = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`

/** How long ago an RFC 3339 time was; "<unknown>" without one. */
export const ageOf = (time: string | undefined, nowMs: number): string => {
  const at = time === undefined ? undefined : parseRfc3339(time)
  return at === undefined ? "<unknown>" : humanDuration(nowMs - at)
}

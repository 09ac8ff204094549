// Which scheduled time of a CronJob is due, how many were missed, and when to look again.
// Owns this arithmetic on a schedule's clock; refuses to start jobs. Source: kubernetes pkg/controller/cronjob/utils.go.
import type { CronClock } from "#apiserver"
import { type KubeObject, parseRfc3339 } from "#kube"
import { fieldsOf, numberIn, textOf } from "../Parts.ts"

/** Added to each wait, for clocks that differ a little. */
const PADDING_MS = 100

const MANY = 100

/** What a schedule says at a moment; the times are milliseconds since the epoch. */
interface Look {
  /** The last time, or where the schedule began. */
  readonly earliestMs: number
  /** The newest scheduled time that is due; undefined when none is. */
  readonly dueMs: number | undefined
  readonly missed: number
}

/** The schedule is right by its grammar and never comes true. */
export const NEVER_DUE = "time difference between two schedules is less than 1 second"

const timeIn = (value: unknown): number | undefined => parseRfc3339(textOf(value))

/** The newest of the scheduled times that are due, starting a little before where an even rhythm would have it. */
const newestDue = (clock: CronClock, fromMs: number, nowMs: number): number | undefined => {
  let newest: number | undefined
  for (let next = clock.nextMs(fromMs); next !== undefined && next <= nowMs; next = clock.nextMs(next)) newest = next
  return newest
}

const look = (cron: KubeObject, clock: CronClock, nowMs: number, bounded: boolean): Look | undefined => {
  const deadline = numberIn(fieldsOf(cron.spec)["startingDeadlineSeconds"])
  const last = timeIn(fieldsOf(cron.status)["lastScheduleTime"]) ?? timeIn(cron.metadata.creationTimestamp) ?? nowMs
  const earliestMs = bounded && deadline !== undefined ? Math.max(last, nowMs - deadline * 1000) : last
  const first = clock.nextMs(earliestMs)
  const second = first === undefined ? undefined : clock.nextMs(first)
  if (first !== undefined && nowMs < first) return { earliestMs, dueMs: undefined, missed: 0 }
  if (first !== undefined && second !== undefined && nowMs < second) return { earliestMs, dueMs: first, missed: 0 }
  if (first === undefined || second === undefined) return undefined
  const rhythm = Math.round((second - first) / 1000) * 1000
  if (rhythm < 1000) return undefined
  const missed = Math.floor(Math.floor((nowMs - first) / 1000) / (rhythm / 1000)) + 1
  return { earliestMs, dueMs: newestDue(clock, first + (missed - 2) * rhythm, nowMs), missed }
}

/** The scheduled time to act on, and whether more than a hundred were missed; undefined when the schedule never comes true. */
export const dueTime = (
  cron: KubeObject,
  clock: CronClock,
  nowMs: number
): { readonly dueMs: number | undefined; readonly tooMany: boolean } | undefined => {
  const found = look(cron, clock, nowMs, true)
  return found === undefined ? undefined : { dueMs: found.dueMs, tooMany: found.missed > MANY }
}

/** Milliseconds until the next look. */
export const nextLookMs = (cron: KubeObject, clock: CronClock, nowMs: number): number => {
  const found = look(cron, clock, nowMs, false)
  const from = found === undefined ? nowMs : (found.dueMs ?? (found.missed === 0 ? found.earliestMs : nowMs))
  return (clock.nextMs(from) ?? nowMs) + PADDING_MS - nowMs
}

/** The name of the job of a scheduled time: the same for every attempt, so that there is never a second one. */
export const jobNameAt = (cron: KubeObject, dueMs: number): string =>
  `${cron.metadata.name ?? ""}-${Math.floor(dueMs / 60_000)}`

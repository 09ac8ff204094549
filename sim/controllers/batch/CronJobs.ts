// What a CronJob's controller reads and makes: the jobs in its status, the next job from its template, texts of times.
// Owns these forms; refuses to decide when. Source: kubernetes pkg/controller/cronjob/utils.go.
import { TimeZone } from "#apiserver"
import { type JsonObject, type KubeObject, parseRfc3339, rfc3339 } from "#kube"
import { ownerReference } from "../Owned.ts"
import { type Fields, fieldsOf, itemsOf, present, textOf } from "../Parts.ts"
import { jobNameAt } from "./CronTimes.ts"

export const cronJobKind = { apiVersion: "batch/v1", kind: "CronJob" } as const

const SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"

/** The status under way. */
export interface CronStatus {
  active: Array<Fields>
  lastScheduleTime: string | undefined
  lastSuccessfulTime: string | undefined
}

const textIn = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

export const cronStatusOf = ({ status }: KubeObject): CronStatus => {
  const fields = fieldsOf(status)
  return {
    active: [...itemsOf(fields["active"])],
    lastScheduleTime: textIn(fields["lastScheduleTime"]),
    lastSuccessfulTime: textIn(fields["lastSuccessfulTime"])
  }
}

/** The status as it is written. */
export const writtenCronStatus = ({ active, lastScheduleTime, lastSuccessfulTime }: CronStatus): JsonObject =>
  present({ active: active.length === 0 ? undefined : active, lastScheduleTime, lastSuccessfulTime })

/** How the status refers to a job. */
export const jobReference = ({ metadata }: KubeObject): Fields =>
  present({
    kind: "Job",
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
    apiVersion: "batch/v1",
    resourceVersion: metadata.resourceVersion
  })

/** A moment as clocks of a zone show it, with their distance from UTC. */
const localText = (ms: number, zone: TimeZone): string => {
  const minutes = zone.offsetMs(ms) / 60_000
  const text = rfc3339(ms + minutes * 60_000)
  if (minutes === 0) return text
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0")
  const ahead = Math.abs(minutes)
  return `${text.slice(0, -1)}${minutes < 0 ? "-" : "+"}${two(ahead / 60)}:${two(ahead % 60)}`
}

/** The job of a scheduled time. */
export const jobFromTemplate = (cron: KubeObject, dueMs: number): KubeObject => {
  const spec = fieldsOf(cron.spec)
  const template = fieldsOf(spec["jobTemplate"])
  const { annotations, labels } = fieldsOf(template["metadata"])
  const zone = TimeZone.named(textOf(spec["timeZone"])) ?? TimeZone.utc
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: jobNameAt(cron, dueMs),
      namespace: cron.metadata.namespace ?? "",
      ...(labels === undefined ? {} : { labels: labels as Readonly<Record<string, string>> }),
      annotations: {
        ...(annotations as Readonly<Record<string, string>> | undefined),
        [SCHEDULED_AT]: localText(dueMs, zone)
      },
      ownerReferences: [ownerReference(cron, cronJobKind)]
    },
    spec: template["spec"] ?? {}
  }
}

const started = ({ status }: KubeObject): number => parseRfc3339(textOf(fieldsOf(status)["startTime"])) ?? Infinity

/** The oldest jobs first; those that never started last. */
export const byStart = (a: KubeObject, b: KubeObject): number => {
  const [first, second] = [started(a), started(b)]
  if (first !== second) return first < second ? -1 : 1
  return (a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1
}

const WEEKDAYS = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

/** A moment as in mail headers, in UTC. */
export const mailTime = (ms: number): string => {
  const text = rfc3339(ms)
  const [year, month, day] = text.slice(0, 10).split("-")
  const weekday = WEEKDAYS[((Math.floor(ms / 86_400_000) % 7) + 7) % 7] ?? ""
  return `${weekday}, ${day ?? ""} ${MONTHS[Number(month) - 1] ?? ""} ${year ?? ""} ${text.slice(11, 19)} +0000`
}

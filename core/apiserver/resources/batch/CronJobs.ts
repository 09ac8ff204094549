// CronJobs: jobs by the clock.
// Owns their strategy and the grammar of schedules; refuses to run anything. Source: kubernetes pkg/apis/batch/validation.
import { type KubeObject, Names } from "#kube"
import type { Column, Definition, Draft } from "../../Definition.ts"
import { ageColumn, column, containerColumns, nameColumn, sinceText, wide } from "../Columns.ts"
import { checkCounts } from "../apps/WorkloadRules.ts"
import { define } from "../Define.ts"
import { defaulted, type Fields, fieldsOf, itemsOf, textOf, zeroDefaulted } from "../Fields.ts"
import { invalid, notSupported, oneOf, type Problems, required } from "../Problems.ts"
import { selectorText } from "../Selectors.ts"
import { checkJobSpec, withJobTemplate } from "./Jobs.ts"
import { scheduleProblem } from "./Schedule.ts"
import { TimeZone } from "./TimeZone.ts"

const SPEC: Fields = Object.freeze({ suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 })

const cronDefaults = (draft: Draft): void => {
  const spec = defaulted(zeroDefaulted(fieldsOf(draft.spec), { concurrencyPolicy: "Allow" }), SPEC)
  draft.spec = withJobTemplate(spec)
}

const ZONE = /^[A-Za-z.\-_][A-Za-z0-9.\-_+]*(\/[A-Za-z.\-_][A-Za-z0-9.\-_+]*)*$/

const checkZone = (zone: unknown, problems: Problems): void => {
  if (zone === undefined) return
  const name = textOf(zone)
  const path = "spec.timeZone"
  if (name === "") problems.push(invalid(path, name, "timeZone must be nil or non-empty string"))
  else if (name.toLowerCase() === "local") {
    problems.push(
      invalid(path, name, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones")
    )
  } else if (!ZONE.test(name)) problems.push(invalid(path, name, `unknown time zone ${name}`))
  else if (TimeZone.named(name) === undefined) problems.push(invalid(path, name, `unknown time zone ${name}`))
}

const checkSchedule = (spec: Fields, problems: Problems): void => {
  const schedule = textOf(spec["schedule"])
  if (schedule === "") return void problems.push(required("spec.schedule"))
  const why = scheduleProblem(schedule)
  if (why !== undefined) problems.push(invalid("spec.schedule", schedule, why))
  if (schedule.includes("TZ")) {
    const refused = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
    problems.push(invalid("spec.schedule", schedule, refused))
  }
}

const checkCron = (cron: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(cron.spec)
  checkSchedule(spec, problems)
  checkCounts(spec, "spec", ["startingDeadlineSeconds"], problems)
  checkZone(spec["timeZone"], problems)
  oneOf("spec.concurrencyPolicy", spec["concurrencyPolicy"], ["Allow", "Forbid", "Replace"], problems)
  checkCounts(spec, "spec", ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"], problems)
  const job = fieldsOf(fieldsOf(spec["jobTemplate"])["spec"])
  checkJobSpec(job, "spec.jobTemplate.spec", problems)
  if (job["manualSelector"] === true) {
    problems.push(notSupported("spec.jobTemplate.spec.manualSelector", true, ["nil", "false"]))
  }
  if (job["selector"] !== undefined) {
    problems.push(invalid("spec.jobTemplate.spec.selector", job["selector"], "`selector` will be auto-generated"))
  }
  const name = cron.metadata.name ?? ""
  if (cron.metadata.resourceVersion === undefined && name.length > 52) {
    problems.push(invalid("metadata.name", name, "must be no more than 52 characters"))
  }
}

const boolText = (value: unknown): string => (value === undefined ? "<unset>" : value === true ? "True" : "False")
const jobSpec = ({ spec }: KubeObject): Fields => fieldsOf(fieldsOf(fieldsOf(spec)["jobTemplate"])["spec"])

const columns: ReadonlyArray<Column> = [
  nameColumn,
  column("Schedule", ({ spec }) => textOf(fieldsOf(spec)["schedule"])),
  column("Timezone", ({ spec }) => textOf(fieldsOf(spec)["timeZone"]) || "<none>"),
  column("Suspend", ({ spec }) => boolText(fieldsOf(spec)["suspend"]), "boolean"),
  column("Active", ({ status }) => itemsOf(fieldsOf(status)["active"]).length, "integer"),
  column("Last Schedule", ({ status }, nowMs) => {
    const last = fieldsOf(status)["lastScheduleTime"]
    return last === undefined ? "<none>" : sinceText(last, nowMs)
  }),
  ageColumn,
  ...containerColumns((cron) => fieldsOf(jobSpec(cron)["template"])["spec"]),
  wide("Selector", (cron) => selectorText(jobSpec(cron)["selector"], "") || "<none>")
]

/** The definition of cron jobs. */
export const cronJobs = (): Definition =>
  define("batch", "v1", "CronJob", {
    name: Names.dnsSubdomain,
    defaults: cronDefaults,
    initialStatus: () => ({}),
    check: checkCron,
    generation: ["spec"],
    strategy: { defaultPropagation: "Background" },
    columns
  })

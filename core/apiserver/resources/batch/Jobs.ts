// Jobs: work that ends. Their selector is made by the server unless the author insists.
// Owns the strategy of jobs; refuses to run them. Source: kubernetes pkg/registry/batch/job, pkg/apis/batch/validation.
import { type ApiFailure, type Json, type KubeObject, Names, parseRfc3339, sameJson } from "#kube"
import type { Column, Definition, Draft } from "../../Definition.ts"
import { ageColumn, column, durationText, nameColumn, wide } from "../Columns.ts"
import { templateColumns } from "../apps/Deployments.ts"
import { checkCounts, checkSelected } from "../apps/WorkloadRules.ts"
import { withTemplate } from "../corev1/PodDefaults.ts"
import { checkTemplate } from "../corev1/PodRules.ts"
import { define } from "../Define.ts"
import {
  defaulted,
  type Fields,
  fieldsIn,
  fieldsOf,
  isZero,
  itemsOf,
  mapOf,
  numberIn,
  numberOf,
  textOf,
  withField,
  withItems,
  withPart,
  zeroDefaulted
} from "../Fields.ts"
import { checkImmutable } from "../Meta.ts"
import { invalid, invalidUnshown, notSupported, type Problems, required, tooMany } from "../Problems.ts"
import { checkSelector, isEmptySelector, selects, selectorText } from "../Selectors.ts"

const MAX_INT32 = 2_147_483_647
const LABELS = { uid: "batch.kubernetes.io/controller-uid", name: "batch.kubernetes.io/job-name" }
const OLD_LABELS = { uid: "controller-uid", name: "job-name" }

const defaultsOf = (spec: Fields): Fields => ({
  ...(spec["completions"] === undefined && spec["parallelism"] === undefined ? { completions: 1 } : {}),
  parallelism: 1,
  backoffLimit: spec["backoffLimitPerIndex"] === undefined ? 6 : MAX_INT32,
  completionMode: "NonIndexed",
  suspend: false,
  podReplacementPolicy: spec["podFailurePolicy"] === undefined ? "TerminatingOrFailed" : "Failed",
  manualSelector: false
})

const pattern = (one: Fields): Fields => zeroDefaulted(one, { status: "True" })
const failureRule = (rule: Fields): Fields => withItems(rule, "onPodConditions", pattern)

/** The spec of a job with what its author left out. */
export const jobSpecDefaults = (given: Fields): Fields => {
  const spec = defaulted(given, defaultsOf(given))
  return withTemplate(withPart(spec, "podFailurePolicy", (policy) => withItems(policy, "rules", failureRule)))
}

const jobDefaults = (draft: Draft): void => {
  const spec = jobSpecDefaults(fieldsOf(draft.spec))
  if (spec !== draft.spec) draft.spec = spec
  const labels = fieldsIn(fieldsOf(fieldsOf(spec["template"])["metadata"])["labels"])
  if (labels !== undefined && isZero(draft.metadata.labels)) draft.metadata.labels = mapOf(labels)
}

const prepareForCreate = (draft: Draft): ApiFailure | undefined => {
  const { name = "", uid = "" } = draft.metadata
  const spec = fieldsOf(draft.spec)
  if (spec["manualSelector"] === true) return undefined
  const template = fieldsOf(spec["template"])
  const metadata = fieldsOf(template["metadata"])
  const own = { [OLD_LABELS.name]: name, [LABELS.name]: name, [OLD_LABELS.uid]: uid, [LABELS.uid]: uid }
  const labels = { ...own, ...mapOf(metadata["labels"]) }
  const selector = fieldsOf(spec["selector"])
  const matchLabels = { [LABELS.uid]: uid, ...mapOf(selector["matchLabels"]) }
  draft.spec = {
    ...spec,
    selector: { ...selector, matchLabels },
    template: { ...template, metadata: { ...metadata, labels } }
  }
  // A job without labels has those of its pods, as every later reading of a stored one shows.
  if (Object.keys(draft.metadata.labels ?? {}).length === 0) draft.metadata.labels = labels
  return undefined
}

const checkGenerated = (job: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(job.spec)
  if (spec["manualSelector"] === true || job.metadata.resourceVersion !== undefined) return
  const { name = "", uid = "" } = job.metadata
  const labels = mapOf(fieldsOf(fieldsOf(spec["template"])["metadata"])["labels"])
  const expected = [
    [OLD_LABELS.uid, uid],
    [OLD_LABELS.name, name],
    [LABELS.uid, uid],
    [LABELS.name, name]
  ] as const
  for (const [label, value] of expected) {
    const place = "spec.template.metadata.labels"
    if (labels[label] === undefined) problems.push(required(`${place}[${label}]`, `must be '${value}'`))
    else if (labels[label] !== value) problems.push(invalid(`${place}[${label}]`, { ...labels }, `must be '${value}'`))
  }
  if (selects(spec["selector"], Object.fromEntries(expected)) === false) {
    problems.push(invalid("spec.selector", fieldsOf(spec["selector"]), "`selector` not auto-generated"))
  }
}

const ACTIONS = ["Count", "FailIndex", "FailJob", "Ignore"]
const quotedList = (values: ReadonlyArray<string>): string =>
  `[${values.map((value) => JSON.stringify(value)).join(" ")}]`

const checkExitCodes = (codes: Fields, names: ReadonlySet<string>, path: string, problems: Problems): void => {
  const operator = textOf(codes["operator"])
  if (operator === "") problems.push(required(`${path}.operator`, `valid values: ${quotedList(["In", "NotIn"])}`))
  else if (operator !== "In" && operator !== "NotIn") {
    problems.push(notSupported(`${path}.operator`, operator, ["In", "NotIn"]))
  }
  const container = codes["containerName"]
  if (typeof container === "string" && !names.has(container)) {
    const why = "must be one of the container or initContainer names in the pod template"
    problems.push(invalid(`${path}.containerName`, container, why))
  }
  const values: ReadonlyArray<unknown> = Array.isArray(codes["values"]) ? codes["values"] : []
  if (values.length === 0) problems.push(invalid(`${path}.values`, [], "at least one value is required"))
  else if (values.length > 255) problems.push(tooMany(`${path}.values`, values.length, 255))
  values.forEach((value, at) => {
    if (operator === "In" && value === 0) {
      problems.push(invalid(`${path}.values[${at}]`, 0, "must not be 0 for the In operator"))
    }
  })
}

const checkFailureRule = (rule: Fields, spec: Fields, names: ReadonlySet<string>, path: string, problems: Problems) => {
  const action = textOf(rule["action"])
  if (action === "") problems.push(required(`${path}.action`, `valid values: ${quotedList(ACTIONS)}`))
  else if (action === "FailIndex") {
    if (spec["backoffLimitPerIndex"] === undefined) {
      problems.push(invalid(`${path}.action`, action, "requires the backoffLimitPerIndex to be set"))
    }
  } else if (!ACTIONS.includes(action)) problems.push(notSupported(`${path}.action`, action, ACTIONS))
  const codes = fieldsIn(rule["onExitCodes"])
  if (codes !== undefined) checkExitCodes(codes, names, `${path}.onExitCodes`, problems)
  const conditions = itemsOf(rule["onPodConditions"])
  if (conditions.length > 20) problems.push(tooMany(`${path}.onPodConditions`, conditions.length, 20))
  conditions.forEach((one, at) => {
    const place = `${path}.onPodConditions[${at}]`
    for (const message of Names.qualifiedName(textOf(one["type"]))) {
      problems.push(invalid(`${place}.type`, textOf(one["type"]), message))
    }
    const states = ["False", "True", "Unknown"]
    if (!states.includes(textOf(one["status"]))) {
      problems.push(notSupported(`${place}.status`, textOf(one["status"]), states))
    }
  })
  if (codes !== undefined && conditions.length > 0) {
    problems.push(invalidUnshown(path, "specifying both OnExitCodes and OnPodConditions is not supported"))
  }
  if (codes === undefined && conditions.length === 0) {
    problems.push(invalidUnshown(path, "specifying one of OnExitCodes and OnPodConditions is required"))
  }
}

const checkIndexed = (spec: Fields, path: string, problems: Problems): void => {
  const indexed = spec["completionMode"] === "Indexed"
  const completions = numberIn(spec["completions"])
  const failed = numberIn(spec["maxFailedIndexes"])
  if (indexed) {
    if (completions === undefined) {
      problems.push(required(`${path}.completions`, "when completion mode is Indexed"))
    }
    if (numberOf(spec["parallelism"]) > 100_000) {
      const why = "must be less than or equal to 100000 when completion mode is Indexed"
      problems.push(invalid(`${path}.parallelism`, spec["parallelism"], why))
    }
    if (completions !== undefined && failed !== undefined && failed > completions) {
      problems.push(invalid(`${path}.maxFailedIndexes`, failed, "must be less than or equal to completions"))
    }
    return
  }
  const why = "requires indexed completion mode"
  for (const field of ["backoffLimitPerIndex", "maxFailedIndexes"]) {
    if (spec[field] !== undefined) problems.push(invalid(`${path}.${field}`, spec[field], why))
  }
  if (spec["successPolicy"] !== undefined) problems.push(invalid(`${path}.successPolicy`, spec["successPolicy"], why))
}

const checkEnding = (spec: Fields, path: string, problems: Problems): void => {
  const place = `${path}.template.spec.restartPolicy`
  const policy = textOf(fieldsOf(fieldsOf(spec["template"])["spec"])["restartPolicy"])
  if (policy === "Always" || policy === "") problems.push(required(place, 'valid values: "OnFailure", "Never"'))
  else if (policy !== "OnFailure" && policy !== "Never") {
    problems.push(notSupported(place, policy, ["OnFailure", "Never"]))
  } else if (spec["podFailurePolicy"] !== undefined && policy !== "Never") {
    problems.push(invalid(place, policy, 'only "Never" is supported when podFailurePolicy is specified'))
  }
}

const COUNTS = [
  "parallelism",
  "completions",
  "activeDeadlineSeconds",
  "backoffLimit",
  "ttlSecondsAfterFinished",
  "backoffLimitPerIndex",
  "maxFailedIndexes"
]

/** Checks the spec of a job, or of the jobs that a CronJob makes. */
export const checkJobSpec = (spec: Fields, path: string, problems: Problems): void => {
  checkCounts(spec, path, COUNTS, problems)
  if (spec["maxFailedIndexes"] !== undefined && spec["backoffLimitPerIndex"] === undefined) {
    problems.push(required(`${path}.backoffLimitPerIndex`, "when maxFailedIndexes is specified"))
  }
  const mode = spec["completionMode"]
  const modes = ["NonIndexed", "Indexed"]
  if (typeof mode === "string" && !modes.includes(mode))
    problems.push(notSupported(`${path}.completionMode`, mode, modes))
  checkIndexed(spec, path, problems)
  const policy = fieldsIn(spec["podFailurePolicy"])
  const pod = fieldsOf(fieldsOf(spec["template"])["spec"])
  const names = new Set(
    [...itemsOf(pod["containers"]), ...itemsOf(pod["initContainers"])].map((one) => textOf(one["name"]))
  )
  const rules = itemsOf(policy?.["rules"])
  if (rules.length > 20) problems.push(tooMany(`${path}.podFailurePolicy.rules`, rules.length, 20))
  rules.forEach((rule, at) => checkFailureRule(rule, spec, names, `${path}.podFailurePolicy.rules[${at}]`, problems))
  const replacements = policy === undefined ? ["Failed", "TerminatingOrFailed"] : ["Failed"]
  const replacement = spec["podReplacementPolicy"]
  if (typeof replacement === "string" && !replacements.includes(replacement)) {
    problems.push(notSupported(`${path}.podReplacementPolicy`, replacement, replacements))
  }
  checkTemplate(fieldsOf(spec["template"]), `${path}.template`, problems)
  checkEnding(spec, path, problems)
}

const checkJob = (job: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(job.spec)
  checkGenerated(job, problems)
  checkJobSpec(spec, "spec", problems)
  if (fieldsIn(spec["selector"]) === undefined) problems.push(required("spec.selector"))
  else checkSelector(spec["selector"], "spec.selector", problems)
  if (!isEmptySelector(spec["selector"])) checkSelected(spec, "spec.template.metadata.labels", problems)
  const completions = numberOf(spec["completions"])
  if (spec["completionMode"] !== "Indexed" || completions <= 0) return
  const host = `${job.metadata.name ?? ""}-${completions - 1}`
  if (Names.dnsLabel(host).length > 0) {
    const why = `will not able to create pod with invalid DNS label: ${host}`
    problems.push(invalid("metadata.name", job.metadata.name, why))
  }
}

const FIXED = ["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"]
const DIRECTIVES = ["nodeSelector", "tolerations", "schedulingGates"]

/** What of a template may change while the job is suspended, set back to what it was. */
const withoutDirectives = (template: Fields, old: Fields): Fields => {
  const before = fieldsOf(old["spec"])
  const metadata = { ...fieldsOf(template["metadata"]) }
  for (const field of ["labels", "annotations"]) metadata[field] = fieldsOf(old["metadata"])[field]
  const spec: Record<string, Json | undefined> = { ...fieldsOf(template["spec"]) }
  for (const field of DIRECTIVES) spec[field] = before[field]
  spec["affinity"] = before["affinity"]
  return { ...template, metadata, spec }
}

const checkUpdate = (job: KubeObject, old: KubeObject, problems: Problems): void => {
  const now = fieldsOf(job.spec)
  const before = fieldsOf(old.spec)
  if (now === before) return
  const elastic = now["completionMode"] === "Indexed" && now["completions"] === now["parallelism"]
  if (!elastic) checkImmutable("spec.completions", now["completions"], before["completions"], problems)
  for (const field of FIXED) checkImmutable(`spec.${field}`, now[field], before[field], problems)
  const waiting = before["suspend"] === true && fieldsOf(old.status)["startTime"] === undefined
  const template = fieldsOf(now["template"])
  const compared = waiting ? withoutDirectives(template, fieldsOf(before["template"])) : template
  if (!sameJson(compared, before["template"])) {
    problems.push(invalid("spec.template", template, "field is immutable"))
  }
}

const isTrue = (job: KubeObject, type: string): boolean =>
  itemsOf(fieldsOf(job.status)["conditions"]).some((one) => one["type"] === type && one["status"] === "True")

const checkStatus = (job: KubeObject, _old: KubeObject, problems: Problems): void => {
  const status = fieldsOf(job.status)
  checkCounts(status, "status", ["active", "succeeded", "failed", "ready", "terminating"], problems)
  const complete = isTrue(job, "Complete")
  const failed = isTrue(job, "Failed")
  const met = isTrue(job, "SuccessCriteriaMet")
  const conditions = "status.conditions"
  if (complete && failed)
    problems.push(invalidUnshown(conditions, "cannot set Complete=True and Failed=true conditions"))
  if (status["completionTime"] !== undefined && !complete) {
    const why = "cannot set completionTime when there is no Complete=True condition"
    problems.push(invalid("status.completionTime", status["completionTime"], why))
  }
  if (complete && status["completionTime"] === undefined) {
    problems.push(required("status.completionTime", "completionTime is required for Complete jobs"))
  }
  if (failed && !isTrue(job, "FailureTarget")) {
    const why = "cannot set Failed=True condition without the FailureTarget=true condition"
    problems.push(invalidUnshown(conditions, why))
  }
  if (complete && !met) {
    const why = "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"
    problems.push(invalidUnshown(conditions, why))
  }
  const active = numberOf(status["active"])
  if ((complete || failed) && active > 0) {
    problems.push(invalid("status.active", active, "active>0 is invalid for finished job"))
  }
  if ((complete || failed) && status["startTime"] === undefined) {
    problems.push(required("status.startTime", "startTime is required for finished job"))
  }
  if (numberOf(status["ready"]) > active) {
    problems.push(invalid("status.ready", status["ready"], "cannot set more ready pods than active"))
  }
  if (met && failed) {
    problems.push(invalidUnshown(conditions, "cannot set SuccessCriteriaMet=True and Failed=true conditions"))
  }
}

const STATES = ["Suspended", "FailureTarget", "SuccessCriteriaMet"]

const stateText = (job: KubeObject): string => {
  if (isTrue(job, "Complete")) return "Complete"
  if (isTrue(job, "Failed")) return "Failed"
  if (job.metadata.deletionTimestamp !== undefined) return "Terminating"
  return STATES.find((state) => isTrue(job, state)) ?? "Running"
}

const completionsText = ({ spec, status }: KubeObject): string => {
  const succeeded = numberOf(fieldsOf(status)["succeeded"])
  const { completions, parallelism } = fieldsOf(spec)
  if (completions !== undefined) return `${succeeded}/${numberOf(completions)}`
  return numberOf(parallelism) > 1 ? `${succeeded}/1 of ${numberOf(parallelism)}` : `${succeeded}/1`
}

const lasted = ({ status }: KubeObject, nowMs: number): string => {
  const { completionTime, startTime } = fieldsOf(status)
  if (startTime === undefined) return ""
  const end = completionTime === undefined ? nowMs : (parseRfc3339(textOf(completionTime)) ?? nowMs)
  return durationText(end - (parseRfc3339(textOf(startTime)) ?? end))
}

const columns: ReadonlyArray<Column> = [
  nameColumn,
  column("Status", stateText),
  column("Completions", completionsText),
  column("Duration", lasted),
  ageColumn,
  ...templateColumns,
  wide("Selector", ({ spec }) => selectorText(fieldsOf(spec)["selector"], "<none>"))
]

/** The definition of jobs. */
export const jobs = (): Definition =>
  define("batch", "v1", "Job", {
    defaults: jobDefaults,
    initialStatus: () => ({}),
    prepareForCreate,
    check: checkJob,
    checkUpdate,
    generation: ["spec"],
    status: { check: checkStatus },
    strategy: { defaultPropagation: "Orphan" },
    columns,
    selectableFields: { "status.successful": ({ status }) => String(numberOf(fieldsOf(status)["succeeded"])) }
  })

/** The spec of jobs to be made, as a CronJob holds it. */
export const withJobTemplate = (spec: Fields): Fields =>
  withPart(spec, "jobTemplate", (template) =>
    withField(template, "spec", jobSpecDefaultsOf(fieldsOf(template["spec"])))
  )

// A CronJob's template keeps what its author wrote: only the pods' defaults are filled in.
const jobSpecDefaultsOf = (spec: Fields): Fields =>
  withTemplate(withPart(spec, "podFailurePolicy", (policy) => withItems(policy, "rules", failureRule)))

// Pods get the priority of their class as a number, and only one class is the default of all.
// Owns these two rules; preemption is the scheduler's.
import type { ApiFailure, KubeObject } from "#kube"
import type { AdmissionPlugin, AdmissionRequest } from "../Access.ts"
import type { Api, ResourceView } from "../Api.ts"
import { fieldsOf, numberIn, textOf } from "../resources/Fields.ts"
import { isAbout, refusal, withSpec } from "./Plugin.ts"

interface PodPriority {
  readonly className: string
  readonly value: number
  readonly policy: string
}

const isWrite = ({ operation }: AdmissionRequest): boolean => operation === "CREATE" || operation === "UPDATE"
const isPod = (admission: AdmissionRequest): boolean => isWrite(admission) && isAbout(admission, "", "pods")
const isClass = (admission: AdmissionRequest): boolean =>
  isWrite(admission) && isAbout(admission, "scheduling.k8s.io", "priorityclasses")

/** The class that pods without one get; of several, which a race may make, the lowest. */
const globalDefault = (classes: ResourceView): KubeObject | undefined => {
  let found: KubeObject | undefined
  for (const one of classes.list(""))
    if (one["globalDefault"] === true && (numberIn(one["value"]) ?? 0) < (numberIn(found?.["value"]) ?? Infinity))
      found = one
  return found
}

const established = (classes: ResourceView, name: string): PodPriority | string => {
  const held = name === "" ? globalDefault(classes) : classes.get("", name)
  if (held === undefined && name !== "") return `no PriorityClass with name ${name} was found`
  const policy = textOf(held?.["preemptionPolicy"])
  return {
    className: held?.metadata.name ?? "",
    value: numberIn(held?.["value"]) ?? 0,
    policy: policy === "" ? "PreemptLowerPriority" : policy
  }
}

const KEPT = ["priority", "preemptionPolicy"]

/** An update without what was established at the creation keeps it. */
const kept = (object: KubeObject, oldObject: KubeObject | undefined): KubeObject => {
  const [spec, old] = [fieldsOf(object.spec), fieldsOf(oldObject?.spec)]
  const lost = KEPT.filter((field) => spec[field] === undefined && old[field] !== undefined)
  return lost.length === 0
    ? object
    : withSpec(object, { ...spec, ...Object.fromEntries(lost.map((field) => [field, old[field]])) })
}

const prioritized = (
  classes: ResourceView,
  admission: AdmissionRequest,
  object: KubeObject
): KubeObject | ApiFailure => {
  const spec = fieldsOf(object.spec)
  const found = established(classes, textOf(spec["priorityClassName"]))
  if (typeof found === "string") return refusal(admission, found)
  const { className, policy, value } = found
  const given = numberIn(spec["priority"])
  if (given !== undefined && given !== value)
    return refusal(
      admission,
      `the integer value of priority (${given}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`
    )
  const asked = textOf(spec["preemptionPolicy"])
  if (asked !== "" && asked !== policy)
    return refusal(
      admission,
      `the string value of PreemptionPolicy (${asked}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`
    )
  return withSpec(object, {
    ...spec,
    ...(className === "" ? {} : { priorityClassName: className }),
    priority: value,
    preemptionPolicy: policy
  })
}

/** Priority. */
export const priority = (api: Api): AdmissionPlugin => {
  const classes = api.view("scheduling.k8s.io", "priorityclasses")
  return {
    name: "Priority",
    handles: (admission) => isPod(admission) || isClass(admission),
    mutate: (admission, done) => {
      const { object, oldObject, operation } = admission
      if (object === undefined || !isPod(admission)) return done({ object })
      const changed = operation === "UPDATE" ? kept(object, oldObject) : prioritized(classes, admission, object)
      done(changed instanceof Error ? changed : { object: changed })
    },
    validate: (admission, done) => {
      const { object } = admission
      const other = object?.["globalDefault"] === true && isClass(admission) ? globalDefault(classes) : undefined
      if (other === undefined || other.metadata.name === object?.metadata.name) return done(undefined)
      const why = `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`
      done(refusal(admission, why))
    }
  }
}

// The pods that a Job makes: its template with the tracking finalizer and, where the Job has indexes, with one of them.
// Owns names, labels, annotations and environment of such pods; refuses to create them.
import type { JsonObject, KubeObject } from "#kube"
import { type Fields, fieldsOf, itemsOf } from "../Parts.ts"
import { podFromTemplate, type PodTemplate } from "../PodControl.ts"
import { TRACKING_FINALIZER } from "./JobFacts.ts"
import { indexFailures, indexIgnoredFailures, podAnnotations } from "./JobPods.ts"
import type { JobState } from "./JobState.ts"
import { judgeFailure } from "./PodFailurePolicy.ts"

export const jobKind = { apiVersion: "batch/v1", kind: "Job" } as const

const NAME_MAX = 58
const INDEX_VARIABLE = "JOB_COMPLETION_INDEX"

const withVariable = (container: Fields): Fields => {
  const env = itemsOf(container["env"])
  if (env.some(({ name }) => name === INDEX_VARIABLE)) return container
  const fieldPath = `metadata.labels['${podAnnotations.index}']`
  const variable: JsonObject = { name: INDEX_VARIABLE, valueFrom: { fieldRef: { fieldPath } } }
  return { ...container, env: [...env, variable] }
}

const withIndexVariable = (spec: Fields): Fields => {
  const inits = itemsOf(spec["initContainers"])
  return {
    ...spec,
    ...(inits.length === 0 ? {} : { initContainers: inits.map(withVariable) }),
    containers: itemsOf(spec["containers"]).map(withVariable)
  }
}

const indexedName = (job: string, index: number): string => {
  const suffix = `-${index}-`
  return job.length + suffix.length > NAME_MAX ? job.slice(0, NAME_MAX - suffix.length) + suffix : job + suffix
}

/** The failures of its index that a pod tells on, the one that it replaces among them. */
const failureCounts = ({ spec }: JobState, replaced: KubeObject | undefined): Record<string, string> => {
  if (replaced === undefined) return { [podAnnotations.failures]: "0" }
  const { counts } = judgeFailure(spec.failureRules, replaced)
  const failures = indexFailures(replaced) + (counts ? 1 : 0)
  const ignored = indexIgnoredFailures(replaced) + (counts ? 0 : 1)
  return {
    [podAnnotations.failures]: String(failures),
    ...(ignored > 0 ? { [podAnnotations.ignoredFailures]: String(ignored) } : {})
  }
}

/** A pod of a Job; with an index it is the pod of that index. */
export const jobPod = (state: JobState, index: number | undefined): KubeObject => {
  const { job, kept, spec } = state
  // SAFETY: the server has checked the template against its schema.
  const template = spec.template as unknown as PodTemplate
  const metadata = template.metadata ?? {}
  const given = metadata.finalizers ?? []
  const finalizers = given.includes(TRACKING_FINALIZER) ? given : [...given, TRACKING_FINALIZER]
  const podSpec = fieldsOf(template.spec)
  if (index === undefined)
    return podFromTemplate({ metadata: { ...metadata, finalizers }, spec: podSpec }, job, jobKind)
  const name = job.metadata.name ?? ""
  const own = { [podAnnotations.index]: String(index) }
  const counts = spec.backoffLimitPerIndex === undefined ? {} : failureCounts(state, kept.get(index))
  const pod = podFromTemplate(
    {
      metadata: {
        ...metadata,
        labels: { ...metadata.labels, ...own },
        annotations: { ...metadata.annotations, ...own, ...counts },
        finalizers
      },
      spec: { ...withIndexVariable(podSpec), hostname: `${name}-${index}` }
    },
    job,
    jobKind
  )
  return { ...pod, metadata: { ...pod.metadata, generateName: indexedName(name, index) } }
}

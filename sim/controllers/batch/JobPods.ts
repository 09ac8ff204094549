// What the Job controller asks of a pod: its completion index, its failures, when it ended, whether it is still to be counted.
// Owns these questions, by upstream's rules; refuses to decide what follows from the answers.
import { type KubeObject, parseRfc3339 } from "#kube"
import { type Fields, fieldsOf, itemsOf, numberOf, textOf } from "../Parts.ts"
import { conditionOf, isReady, maxRestarts, nodeNameOf, phaseOf, readySinceMs } from "../PodFacts.ts"
import { type JobSpec, TRACKING_FINALIZER } from "./JobFacts.ts"

export const podAnnotations = {
  index: "batch.kubernetes.io/job-completion-index",
  failures: "batch.kubernetes.io/job-index-failure-count",
  ignoredFailures: "batch.kubernetes.io/job-index-ignored-failure-count"
} as const

const MAX_INT32 = 2_147_483_647
const NUMBER = /^[+-]?\d+$/

/** Whether the pod is still to be counted. */
export const isTracked = ({ metadata }: KubeObject): boolean =>
  metadata.finalizers?.includes(TRACKING_FINALIZER) === true

/** The completion index; −1 when there is none that can be one. */
export const completionIndexOf = ({ metadata }: KubeObject): number => {
  const text = metadata.annotations?.[podAnnotations.index]
  if (text === undefined || !NUMBER.test(text)) return -1
  const index = Number(text)
  return index < 0 ? -1 : index
}

const countIn = ({ metadata }: KubeObject, annotation: string): number => {
  const text = metadata.annotations?.[annotation]
  if (text === undefined || !NUMBER.test(text)) return 0
  const count = Number(text)
  return count < 0 || count > MAX_INT32 ? 0 : count
}

/** The failures of the pod's index before it that count. */
export const indexFailures = (pod: KubeObject): number => countIn(pod, podAnnotations.failures)

/** The failures of the pod's index before it that a policy ignored. */
export const indexIgnoredFailures = (pod: KubeObject): number => countIn(pod, podAnnotations.ignoredFailures)

/** All failures of the pod's index before it. */
export const indexAllFailures = (pod: KubeObject): number => indexFailures(pod) + indexIgnoredFailures(pod)

/** Whether a pod has failed: a deleted one has, unless the Job waits for its end. */
export const isPodFailed = (pod: KubeObject, spec: JobSpec): boolean => {
  const phase = phaseOf(pod)
  if (phase === "Failed") return true
  return !spec.replacesOnlyFailed && pod.metadata.deletionTimestamp !== undefined && phase !== "Succeeded"
}

/** Whether the pod's index is one of the Job's. */
export const hasValidIndex = (pod: KubeObject, spec: JobSpec): boolean => {
  const index = completionIndexOf(pod)
  return index >= 0 && index < (spec.completions ?? 0)
}

const timeIn = (value: unknown): number | undefined => (typeof value === "string" ? parseRfc3339(value) : undefined)

/** The latest end of some containers; undefined when one of them has not ended. */
const latestEnd = (statuses: ReadonlyArray<Fields>, from: number | undefined): number | undefined => {
  let latest = from
  for (const status of statuses) {
    const end = timeIn(fieldsOf(fieldsOf(status["state"])["terminated"])["finishedAt"])
    if (end === undefined) return undefined
    if (latest === undefined || latest < end) latest = end
  }
  return latest
}

const endOfContainers = (pod: KubeObject): number | undefined => {
  const status = fieldsOf(pod.status)
  const ordinary = latestEnd(itemsOf(status["containerStatuses"]), undefined)
  const sidecars = new Set<string>()
  for (const container of itemsOf(fieldsOf(pod.spec)["initContainers"]))
    if (container["restartPolicy"] === "Always") sidecars.add(textOf(container["name"]))
  // Sidecars end last; others of the init containers say nothing of the pod's end.
  const inits = itemsOf(status["initContainerStatuses"]).filter(({ name }) => sidecars.has(textOf(name)))
  return latestEnd(inits, ordinary)
}

const unreadySince = (pod: KubeObject): number | undefined => {
  const ready = conditionOf(pod, "Ready")
  return ready?.status === "False" ? timeIn(ready.lastTransitionTime) : undefined
}

const deletedAt = ({ metadata }: KubeObject): number | undefined => {
  const at = timeIn(metadata.deletionTimestamp)
  return at === undefined ? undefined : at - (metadata.deletionGracePeriodSeconds ?? 0) * 1000
}

/** When a pod ended, in milliseconds since the epoch, as well as anybody knows. */
export const finishedMs = (pod: KubeObject): number =>
  endOfContainers(pod) ?? unreadySince(pod) ?? deletedAt(pod) ?? timeIn(pod.metadata.creationTimestamp) ?? 0

/** The restarts of all containers of a pod. */
export const restartsOf = ({ status }: KubeObject): number => {
  const { containerStatuses, initContainerStatuses } = fieldsOf(status)
  return [...itemsOf(initContainerStatuses), ...itemsOf(containerStatuses)].reduce(
    (sum, { restartCount }) => sum + numberOf(restartCount),
    0
  )
}

const phases: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 }

const younger = (a: number | undefined, b: number | undefined): number => {
  if (a === b) return 0
  if (a === undefined || b === undefined) return a === undefined ? -1 : 1
  return b - a
}

/** The order in which surplus pods of a Job go: those in earlier stages of their life first (upstream's ActivePods). */
export const removalOrder = (a: KubeObject, b: KubeObject): number => {
  const placed = Number(nodeNameOf(a) !== "") - Number(nodeNameOf(b) !== "")
  if (placed !== 0) return placed
  const phase = (phases[phaseOf(a)] ?? 0) - (phases[phaseOf(b)] ?? 0)
  if (phase !== 0) return phase
  const ready = Number(isReady(a)) - Number(isReady(b))
  if (ready !== 0) return ready
  const since = isReady(a) ? younger(readySinceMs(a), readySinceMs(b)) : 0
  if (since !== 0) return since
  const restarts = [maxRestarts(a), maxRestarts(b)] as const
  if (restarts[0].regular !== restarts[1].regular) return restarts[1].regular - restarts[0].regular
  if (restarts[0].sidecar !== restarts[1].sidecar) return restarts[1].sidecar - restarts[0].sidecar
  const made = younger(timeIn(a.metadata.creationTimestamp), timeIn(b.metadata.creationTimestamp))
  // Upstream leaves equal pods in any order; a run that is to repeat itself cannot.
  return made === 0 ? ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1) : made
}

// The stages of a pod's life, compiled: those of a kubelet, which are the default, and the fast ones that equal kwok's.
// Owns when each applies and how long it takes; refuses status texts, which PodStatus.ts writes. Annotations steer single pods.
import { isJsonObject, type JsonObject, type KubeObject } from "#kube"
import { parseGoDuration } from "./GoDuration.ts"
import {
  containersOf,
  crashedStatus,
  crashesOf,
  creatingStatus,
  endedStatus,
  initContainersOf,
  podSpec,
  podStatus,
  pullFailedStatus,
  runningStatus,
  runsNow
} from "./PodStatus.ts"
import type { Stage, StageDelay, StagePlace } from "./Stage.ts"

/** Annotations that steer the life of one pod; durations are Go's, like "30s". */
export const podAnnotations = {
  /** How long images are pulled and containers made. */
  startDelay: "sim.kubewharf.io/start-delay",
  /** How long a Job's pod runs. */
  runDuration: "sim.kubewharf.io/run-duration",
  /** What a Job's pod ends with. */
  exitCode: "sim.kubewharf.io/exit-code",
  /** How long the containers run before they crash, again and again. */
  crashAfter: "sim.kubewharf.io/crash-after",
  /** "fail": its images cannot be pulled. */
  imagePull: "sim.kubewharf.io/image-pull"
} as const

const annotation = (pod: KubeObject, name: string): string | undefined => pod.metadata.annotations?.[name]

const duration = (pod: KubeObject, name: string): StageDelay | undefined => {
  const text = annotation(pod, name)
  const ms = text === undefined ? undefined : parseGoDuration(text)
  return ms === undefined ? undefined : { fromMs: ms, toMs: ms }
}

const isLeaving = (pod: KubeObject): boolean => pod.metadata.deletionTimestamp !== undefined
const phaseOf = (pod: KubeObject): unknown => podStatus(pod)["phase"] ?? "Pending"
const isOfJob = ({ metadata: { ownerReferences } }: KubeObject): boolean =>
  ownerReferences !== undefined && ownerReferences.some(({ kind }) => kind === "Job")
const failsToPull = (pod: KubeObject): boolean => annotation(pod, podAnnotations.imagePull) === "fail"
const hasCondition = (pod: KubeObject, type: string, status: string): boolean => {
  const { conditions } = podStatus(pod)
  return (
    Array.isArray(conditions) &&
    (conditions as ReadonlyArray<JsonObject>).some((one) => one["type"] === type && one["status"] === status)
  )
}

const stage = (name: string, matches: Stage["matches"], delay: Stage["delay"], steps: Stage["steps"]): Stage => ({
  name,
  matches,
  delay,
  steps,
  weight: () => 0,
  immediateNextStage: false
})

const status = (make: (pod: KubeObject, place: StagePlace) => JsonObject): Stage["steps"] => [
  { kind: "status", status: make }
]

const BACK_OFF_SECONDS = 10
const BACK_OFF_MAX_SECONDS = 300
const backOffSeconds = (restarts: number): number => Math.min(BACK_OFF_SECONDS * 2 ** restarts, BACK_OFF_MAX_SECONDS)
const STOP_MAX_MS = 1500

/** What a kubelet does: takes a pod on, starts it, restarts what crashes, ends what is deleted. */
export const kubeletPodStages: ReadonlyArray<Stage> = [
  stage(
    "pod-create",
    (pod) => !isLeaving(pod) && phaseOf(pod) === "Pending" && podStatus(pod)["startTime"] === undefined,
    () => ({ fromMs: 10, toMs: 100 }),
    status(creatingStatus)
  ),
  stage(
    "pod-ready",
    (pod) =>
      !isLeaving(pod) && phaseOf(pod) === "Pending" && podStatus(pod)["startTime"] !== undefined && !failsToPull(pod),
    (pod) => duration(pod, podAnnotations.startDelay) ?? { fromMs: 800, toMs: 3000 },
    status(runningStatus)
  ),
  stage(
    "pod-pull-fails",
    (pod) =>
      !isLeaving(pod) &&
      phaseOf(pod) === "Pending" &&
      podStatus(pod)["startTime"] !== undefined &&
      failsToPull(pod) &&
      !isBackingOff(pod),
    () => ({ fromMs: 1000, toMs: 5000 }),
    status(pullFailedStatus)
  ),
  stage(
    "pod-complete",
    (pod) => !isLeaving(pod) && phaseOf(pod) === "Running" && isOfJob(pod),
    (pod) => duration(pod, podAnnotations.runDuration) ?? { fromMs: 1000, toMs: 5000 },
    status((pod, place) => endedStatus(pod, place, Number(annotation(pod, podAnnotations.exitCode) ?? 0)))
  ),
  stage(
    "pod-crash",
    (pod) => !isLeaving(pod) && annotation(pod, podAnnotations.crashAfter) !== undefined && runsNow(pod),
    (pod) => duration(pod, podAnnotations.crashAfter) ?? { fromMs: 1000, toMs: 1000 },
    status((pod, place) => crashedStatus(pod, place, backOffSeconds(crashesOf(pod).restarts)))
  ),
  stage(
    "pod-restart",
    (pod) => !isLeaving(pod) && phaseOf(pod) === "Running" && crashesOf(pod).waits,
    (pod) => {
      const ms = backOffSeconds(crashesOf(pod).restarts) * 1000
      return { fromMs: ms, toMs: ms }
    },
    status(runningStatus)
  ),
  stage(
    "pod-stop",
    (pod) => isLeaving(pod) && runsNow(pod),
    ({ metadata: { deletionGracePeriodSeconds = 30 } }) => {
      const toMs = Math.min(deletionGracePeriodSeconds * 1000, STOP_MAX_MS)
      return { fromMs: Math.min(200, toMs), toMs }
    },
    status((pod, place) => endedStatus(pod, place, 0))
  ),
  stage(
    "pod-delete",
    (pod) => isLeaving(pod) && !runsNow(pod),
    () => ({ fromMs: 5, toMs: 50 }),
    [{ kind: "delete" }]
  )
]

const isBackingOff = (pod: KubeObject): boolean =>
  (podStatus(pod)["containerStatuses"] as ReadonlyArray<JsonObject> | undefined)?.some(
    ({ state }) =>
      isJsonObject(state) && isJsonObject(state["waiting"]) && state["waiting"]["reason"] === "ImagePullBackOff"
  ) === true

/** kwok's kustomize/stage/pod/fast, compiled: pods are ready at once, Jobs' pods are done at once, and deletions are instant. */
export const fastPodStages: ReadonlyArray<Stage> = [
  stage(
    "pod-complete",
    (pod) => !isLeaving(pod) && podStatus(pod)["phase"] === "Running" && isOfJob(pod),
    () => undefined,
    status(fastDone)
  ),
  stage("pod-delete", isLeaving, () => undefined, [{ kind: "delete" }]),
  stage(
    "pod-ready",
    (pod) => !isLeaving(pod) && podStatus(pod)["phase"] === "Pending" && !hasCondition(pod, "Ready", "True"),
    () => undefined,
    status(fastReady)
  )
]

function fastDone(pod: KubeObject, { now }: StagePlace): JsonObject {
  return {
    ...podStatus(pod),
    containerStatuses: containersOf(pod).map(({ image, name }) => ({
      image,
      name,
      ready: false,
      restartCount: 0,
      started: false,
      state: { terminated: { exitCode: 0, finishedAt: now, reason: "Completed", startedAt: now } }
    })),
    phase: "Succeeded"
  }
}

function fastReady(pod: KubeObject, place: StagePlace): JsonObject {
  const { nodeIp, nodeIps, now } = place
  const { hostNetwork, readinessGates } = podSpec(pod)
  const gates = Array.isArray(readinessGates) ? (readinessGates as ReadonlyArray<JsonObject>) : []
  const types = ["Initialized", "Ready", "ContainersReady", ...gates.map(({ conditionType }) => conditionType)]
  const wanted = types.map((type) => ({ lastTransitionTime: now, status: "True", type }))
  const { conditions } = podStatus(pod)
  const others = (Array.isArray(conditions) ? (conditions as ReadonlyArray<JsonObject>) : []).filter(
    ({ type }) => !types.includes(type)
  )
  const address = hostNetwork === true ? nodeIp : place.podIp(pod)
  const inits = initContainersOf(pod)
  return {
    ...podStatus(pod),
    conditions: [...wanted, ...others],
    containerStatuses: containersOf(pod).map(({ image, name }) => ({
      image,
      name,
      ready: true,
      restartCount: 0,
      state: { running: { startedAt: now } }
    })),
    ...(inits.length === 0 ? {} : { initContainerStatuses: inits.map((one) => fastInit(one, now)) }),
    hostIP: nodeIp,
    hostIPs: nodeIps,
    podIP: address,
    podIPs: [{ ip: address }],
    phase: "Running",
    startTime: now
  }
}

const fastInit = ({ image, name, restartPolicy }: JsonObject, now: string): JsonObject => ({
  image,
  name,
  ready: true,
  restartCount: 0,
  ...(restartPolicy === "Always"
    ? { started: true, state: { running: { startedAt: now } } }
    : { state: { terminated: { exitCode: 0, finishedAt: now, reason: "Completed", startedAt: now } } })
})

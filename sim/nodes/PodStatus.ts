// What a kubelet says of a pod: phases, conditions, and the state of each container.
// Owns that text, as a real kubelet of 1.37 writes it; refuses to decide when, which the stages do.
import { isJsonObject, type Json, type JsonObject, type KubeObject } from "#kube"
import { hashText } from "../time/RandomStream.ts"
import type { StagePlace } from "./Stage.ts"

const objectsOf = (value: Json | undefined): ReadonlyArray<JsonObject> =>
  Array.isArray(value) ? (value as ReadonlyArray<JsonObject>) : []
const fieldsOf = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : {})
/** A text field; empty when it is absent or no text. */
export const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "")

/** A pod's spec and status as objects. */
export const podSpec = (pod: KubeObject): JsonObject => fieldsOf(pod.spec)
export const podStatus = (pod: KubeObject): JsonObject => fieldsOf(pod.status)
export const containersOf = (pod: KubeObject): ReadonlyArray<JsonObject> => objectsOf(podSpec(pod)["containers"])
export const initContainersOf = (pod: KubeObject): ReadonlyArray<JsonObject> =>
  objectsOf(podSpec(pod)["initContainers"])
export const containerStatusesOf = (pod: KubeObject): ReadonlyArray<JsonObject> =>
  objectsOf(podStatus(pod)["containerStatuses"])

const conditionsOf = (pod: KubeObject): ReadonlyArray<JsonObject> => objectsOf(podStatus(pod)["conditions"])

interface Wanted {
  readonly type: string
  readonly status: "True" | "False"
  readonly reason?: string
  readonly message?: string
}

/** Conditions in the kubelet's order; those of others (PodScheduled) stay, and a condition that stands keeps its time. */
const withConditions = (pod: KubeObject, wanted: ReadonlyArray<Wanted>, now: string): ReadonlyArray<JsonObject> => {
  const before = conditionsOf(pod)
  const { generation } = pod.metadata
  const own: Array<JsonObject> = []
  for (const { message, reason, status, type } of wanted) {
    const old = before.find((one) => one["type"] === type)
    const isSame = old !== undefined && old["status"] === status
    const says =
      isSame && old["reason"] === reason && old["message"] === message && old["observedGeneration"] === generation
    if (says && old["lastProbeTime"] === undefined) {
      own.push(old)
      continue
    }
    const since = isSame ? textOf(old["lastTransitionTime"]) : now
    own.push(condition(type, status, since === "" ? now : since, generation, reason, message))
  }
  for (const one of before) if (!wanted.some(({ type }) => type === one["type"])) own.push(one)
  // A copy has no room to grow: every pod keeps one of these.
  return own.slice()
}

/** By the second since when they stand: few in each, so that comparing them is cheaper than a name made of all that they say. */
const conditions = new Map<string, Array<JsonObject>>()
const CONDITIONS_MAX = 4096
/** More are not kept: a search among them must stay short. */
const SINCE_ONE_SECOND_MAX = 32
let conditionCount = 0

/** One object for all pods that say the same since the same second: they come and go together by the thousand. */
const condition = (
  type: string,
  status: string,
  lastTransitionTime: string,
  generation: number | undefined,
  reason: string | undefined,
  message: string | undefined
): JsonObject => {
  const known = conditions.get(lastTransitionTime)
  if (known !== undefined) {
    for (const one of known) {
      const isSame =
        one["type"] === type &&
        one["status"] === status &&
        one["observedGeneration"] === generation &&
        one["reason"] === reason &&
        one["message"] === message
      if (isSame) return one
    }
  }
  const made: JsonObject = {
    type,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    status,
    lastTransitionTime,
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message })
  }
  if (conditionCount >= CONDITIONS_MAX) {
    conditions.clear()
    conditionCount = 0
  }
  const since = conditions.get(lastTransitionTime) ?? []
  if (since.length === SINCE_ONE_SECOND_MAX) return made
  conditionCount++
  since.push(made)
  conditions.set(lastTransitionTime, since)
  return made
}

const base = (pod: KubeObject, place: StagePlace): JsonObject => {
  const { generation } = pod.metadata
  const status = podStatus(pod)
  const isOnHost = status["hostIP"] === place.nodeIp && status["hostIPs"] !== undefined
  return {
    ...status,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    hostIP: place.nodeIp,
    hostIPs: isOnHost ? (status["hostIPs"] ?? []) : place.nodeIps,
    startTime: status["startTime"] ?? place.now
  }
}

const unready = (pod: KubeObject): Pick<Wanted, "reason" | "message"> => ({
  reason: "ContainersNotReady",
  message: unreadyMessage(
    containersOf(pod)
      .map(({ name }) => textOf(name))
      .join(" ")
  )
})

const unreadyMessages = new Map<string, string>()

/** One text for all pods whose containers have these names. */
const unreadyMessage = (names: string): string => {
  let message = unreadyMessages.get(names)
  if (message === undefined) {
    if (unreadyMessages.size >= IMAGES_MAX) unreadyMessages.clear()
    unreadyMessages.set(names, (message = `containers with unready status: [${names}]`))
  }
  return message
}

/** What hundreds of thousands of containers have in common is one object. */
const NO_STATE: JsonObject = {}
let running: JsonObject = {}
let runningSince = ""

/** One state for all containers that started in the same second. */
const runningState = (startedAt: string): JsonObject => {
  if (startedAt !== runningSince) {
    runningSince = startedAt
    running = { running: { startedAt } }
  }
  return running
}

const container = (name: Json | undefined, image: Json | undefined): JsonObject => ({
  name: textOf(name),
  lastState: NO_STATE,
  restartCount: 0,
  image: textOf(image)
})

const idOf = (pod: KubeObject, name: Json | undefined, restarts: number): string => {
  const seed = hashText(`${pod.metadata.uid ?? ""} ${textOf(name)} ${restarts}`)
  const parts = ["containerd://"]
  let id = ""
  for (let part = 0; part < 8; part++) {
    const next = hashText(id, seed + part)
      .toString(16)
      .padStart(8, "0")
    id += next
    parts.push(next)
  }
  // Joined it is one text; added up it would stay its pieces, for as long as the pod lives.
  return parts.join("")
}

const imageIds = new Map<string, string>()
const IMAGES_MAX = 10_000
const imageIdOf = (image: Json | undefined): string => {
  const name = textOf(image)
  let id = imageIds.get(name)
  if (id === undefined) {
    if (imageIds.size >= IMAGES_MAX) imageIds.clear()
    let digest = ""
    for (let part = 0; part < 8; part++) digest += hashText(name, part).toString(16).padStart(8, "0")
    imageIds.set(name, (id = `sha256:${digest}`))
  }
  return id
}

const waiting = (pod: KubeObject, reason: string): ReadonlyArray<JsonObject> =>
  containersOf(pod).map(({ image, name }) => ({
    ...container(name, image),
    state: { waiting: { reason } },
    ready: false,
    imageID: "",
    started: false
  }))

/** The kubelet has taken the pod on and makes its containers. */
export const creatingStatus = (pod: KubeObject, place: StagePlace): JsonObject => {
  const inits = initContainersOf(pod)
  const names = inits.map(({ name }) => textOf(name)).join(" ")
  const initialized: Wanted =
    inits.length === 0
      ? { type: "Initialized", status: "True" }
      : {
          type: "Initialized",
          status: "False",
          reason: "ContainersNotInitialized",
          message: `containers with incomplete status: [${names}]`
        }
  return {
    ...base(pod, place),
    phase: "Pending",
    conditions: withConditions(
      pod,
      [
        { type: "PodReadyToStartContainers", status: "False" },
        initialized,
        { type: "Ready", status: "False", ...unready(pod) },
        { type: "ContainersReady", status: "False", ...unready(pod) },
        { type: "PodScheduled", status: "True" }
      ],
      place.now
    ),
    ...(inits.length === 0
      ? {}
      : {
          initContainerStatuses: inits.map(({ image, name }) => ({
            ...container(name, image),
            state: { waiting: { reason: "PodInitializing" } },
            ready: false,
            imageID: "",
            started: false
          }))
        }),
    containerStatuses: waiting(pod, inits.length === 0 ? "ContainerCreating" : "PodInitializing")
  }
}

/** An image cannot be had. */
export const pullFailedStatus = (pod: KubeObject, place: StagePlace): JsonObject => ({
  ...base(pod, place),
  phase: "Pending",
  conditions: podStatus(pod)["conditions"] ?? [],
  containerStatuses: waiting(pod, "ImagePullBackOff").map((status) => ({
    ...status,
    state: {
      waiting: { reason: "ImagePullBackOff", message: `Back-off pulling image ${JSON.stringify(status["image"])}` }
    }
  }))
})

const readyConditions: ReadonlyArray<Wanted> = [
  { type: "PodReadyToStartContainers", status: "True" },
  { type: "Initialized", status: "True" },
  { type: "Ready", status: "True" },
  { type: "ContainersReady", status: "True" },
  { type: "PodScheduled", status: "True" }
]

/** Every container runs and is ready. Containers that crashed before start anew. */
export const runningStatus = (pod: KubeObject, place: StagePlace): JsonObject => {
  const before = containerStatusesOf(pod)
  const address = podSpec(pod)["hostNetwork"] === true ? place.nodeIp : place.podIp(pod)
  const gates = objectsOf(podSpec(pod)["readinessGates"]).map(({ conditionType }) => textOf(conditionType))
  const gatesHold = gates.every((gate) =>
    conditionsOf(pod).some(({ status, type }) => type === gate && status === "True")
  )
  const wanted = gatesHold
    ? readyConditions
    : readyConditions.map((one): Wanted =>
        one.type === "Ready" ? { type: "Ready", status: "False", reason: "ReadinessGatesNotReady" } : one
      )
  const inits = initContainersOf(pod)
  return {
    ...base(pod, place),
    phase: "Running",
    conditions: withConditions(pod, wanted, place.now),
    podIP: address,
    podIPs: [{ ip: address }],
    ...(inits.length === 0
      ? {}
      : {
          initContainerStatuses: inits.map(({ image, name }) => ({
            ...container(name, image),
            state: {
              terminated: {
                exitCode: 0,
                reason: "Completed",
                startedAt: place.now,
                finishedAt: place.now,
                containerID: idOf(pod, name, 0)
              }
            },
            ready: true,
            imageID: imageIdOf(image),
            containerID: idOf(pod, name, 0),
            started: false
          }))
        }),
    containerStatuses: containersOf(pod).map(({ image, name }) => {
      const old = before.find((one) => one["name"] === name)
      const restarts = restartsOf(old) + (hasCrashed(old) ? 1 : 0)
      return {
        ...container(name, image),
        ...(old?.["lastState"] === undefined ? {} : { lastState: old["lastState"] }),
        state: runningState(place.now),
        ready: true,
        restartCount: restarts,
        imageID: imageIdOf(image),
        containerID: idOf(pod, name, restarts),
        started: true
      }
    })
  }
}

const restartsOf = (status: JsonObject | undefined): number => Number(status?.["restartCount"] ?? 0)
const hasCrashed = (status: JsonObject | undefined): boolean =>
  textOf(fieldsOf(fieldsOf(status?.["state"])["waiting"])["reason"]) === "CrashLoopBackOff"

/** Whether any container of the pod waits to be started again, and how often it has been. */
export const crashesOf = (pod: KubeObject): { readonly waits: boolean; readonly restarts: number } => {
  const statuses = containerStatusesOf(pod)
  return { waits: statuses.some(hasCrashed), restarts: Math.max(0, ...statuses.map(restartsOf)) }
}

/** The containers ended with an exit code and are started again after a while. */
export const crashedStatus = (pod: KubeObject, place: StagePlace, backOffSeconds: number): JsonObject => ({
  ...base(pod, place),
  phase: "Running",
  conditions: withConditions(
    pod,
    [
      { type: "PodReadyToStartContainers", status: "True" },
      { type: "Initialized", status: "True" },
      { type: "Ready", status: "False", ...unready(pod) },
      { type: "ContainersReady", status: "False", ...unready(pod) },
      { type: "PodScheduled", status: "True" }
    ],
    place.now
  ),
  containerStatuses: containerStatusesOf(pod).map((status) => {
    const name = textOf(status["name"])
    const where = `${pod.metadata.name ?? ""}_${pod.metadata.namespace ?? ""}(${pod.metadata.uid ?? ""})`
    return {
      ...status,
      state: {
        waiting: {
          reason: "CrashLoopBackOff",
          message: `back-off ${backOffSeconds}s restarting failed container=${name} pod=${where}`
        }
      },
      lastState: { terminated: terminated(status, 1, "Error", place.now) },
      ready: false,
      started: false
    }
  })
})

const terminated = (status: JsonObject, exitCode: number, reason: string, now: string): JsonObject => ({
  exitCode,
  reason,
  startedAt: fieldsOf(fieldsOf(status["state"])["running"])["startedAt"] ?? now,
  finishedAt: now,
  ...(status["containerID"] === undefined ? {} : { containerID: status["containerID"] })
})

/** Every container has ended: by itself, or because the pod is being deleted. */
export const endedStatus = (pod: KubeObject, place: StagePlace, exitCode: number): JsonObject => {
  const deleted = pod.metadata.deletionTimestamp !== undefined
  const phase = exitCode === 0 ? "Succeeded" : "Failed"
  const why = { reason: exitCode === 0 ? "PodCompleted" : "PodFailed" }
  const ended = deleted && exitCode !== 0 ? unready(pod) : why
  return {
    ...base(pod, place),
    phase: deleted && podSpec(pod)["restartPolicy"] === "Always" ? (podStatus(pod)["phase"] ?? "Running") : phase,
    conditions: withConditions(
      pod,
      [
        { type: "PodReadyToStartContainers", status: "False" },
        { type: "Initialized", status: "True", ...(deleted ? {} : why) },
        { type: "Ready", status: "False", ...ended },
        { type: "ContainersReady", status: "False", ...ended },
        { type: "PodScheduled", status: "True" }
      ],
      place.now
    ),
    containerStatuses: containerStatusesOf(pod).map((status) => ({
      ...status,
      state: { terminated: terminated(status, exitCode, exitCode === 0 ? "Completed" : "Error", place.now) },
      ready: false,
      started: false
    }))
  }
}

/** Whether any container of the pod runs. */
export const runsNow = (pod: KubeObject): boolean =>
  containerStatusesOf(pod).some((status) => fieldsOf(status["state"])["running"] !== undefined)

// A kubelet of tests: gives each pod of a namespace the life that its annotation "life" asks for, and nothing else.
// Owns the patches of pod statuses; refuses to know why. Steps of a life: "run", "ready", "succeed", "fail", "fail=CODE" (an exit code),
// "condition=TYPE", each with an optional "@MS" (milliseconds after the pod was seen). "index N life" and "try N life", divided by
// "|", single out pods of a completion index, or with so many failures of their index.
import { ApiFailure, type Cancel, type Client, type Clockwork, gvr, Informer, type KubeObject, rfc3339 } from "#kube"

const pods = gvr("", "v1", "pods")

const annotationOf = ({ metadata }: KubeObject, name: string): string => metadata.annotations?.[name] ?? ""

/** The life of this very pod. */
const annotatedLife = (pod: KubeObject): string => {
  const index = annotationOf(pod, "batch.kubernetes.io/job-completion-index")
  const failures = annotationOf(pod, "batch.kubernetes.io/job-index-failure-count")
  for (const choice of annotationOf(pod, "life").split("|")) {
    const [kind, which, ...rest] = choice.trim().split(" ")
    if (kind === "index" ? which === index : kind === "try" ? which === failures : true)
      return kind === "index" || kind === "try" ? rest.join(" ") : choice.trim()
  }
  return ""
}

const isOver = ({ status }: KubeObject): boolean =>
  ["Succeeded", "Failed"].includes((status as { phase?: string }).phase ?? "")

type Status = Record<string, unknown>

const ended = (code: number, now: string): ReadonlyArray<unknown> => [
  {
    name: "c",
    image: "i",
    imageID: "",
    ready: false,
    restartCount: 0,
    state: {
      terminated: { exitCode: code, reason: code === 0 ? "Completed" : "Error", finishedAt: now, startedAt: now }
    },
    lastState: {}
  }
]

const condition = (type: string, status: string, now: string) => ({
  type,
  status,
  lastTransitionTime: now,
  lastProbeTime: null
})

const statusOf = (step: string, pod: KubeObject, now: string): Status => {
  const before = pod.status as Status
  const [kind = "", value = ""] = step.split("=")
  const startTime = before["startTime"] ?? now
  const conditions = (before["conditions"] ?? []) as ReadonlyArray<{ type: string }>
  const withReady = (status: string) => [
    ...conditions.filter(({ type }) => type !== "Ready"),
    condition("Ready", status, now)
  ]
  switch (kind) {
    case "run":
      return { ...before, startTime, phase: "Running", conditions: withReady("False") }
    case "ready":
      return { ...before, startTime, phase: "Running", conditions: withReady("True") }
    case "succeed":
      return {
        ...before,
        startTime,
        phase: "Succeeded",
        conditions: withReady("False"),
        containerStatuses: ended(0, now)
      }
    case "fail":
      return {
        ...before,
        startTime,
        phase: "Failed",
        conditions: withReady("False"),
        containerStatuses: ended(value === "" ? 1 : Number(value), now)
      }
    case "condition":
      return { ...before, conditions: [...conditions, { ...condition(value, "True", now), reason: "Test" }] }
    default:
      throw new Error(`no step of a life: ${step}`)
  }
}

/** How long a pod on a node takes to end when it is deleted: as the annotation "leave" says, with the phase it then has. */
const leavingOf = (pod: KubeObject): { readonly ms: number; readonly phase: string } => {
  const [phase = "fail", ms = "0"] = (annotationOf(pod, "leave") || "fail@300").split("@")
  return { ms: Number(ms), phase }
}

/** `lifeOf` says what a pod does; by default what its annotation asks for. */
export const startFakeKubelet = (
  client: Client,
  clockwork: Clockwork,
  namespace: string,
  lifeOf: (pod: KubeObject) => string = annotatedLife
): Cancel => {
  const seen = new Set<string>()
  const left = new Set<string>()
  const informer = new Informer({ client, clockwork, collection: { resource: pods, namespace } })
  const patch = (pod: KubeObject, step: string, then: () => void): void => {
    const target = { resource: pods, namespace, name: pod.metadata.name ?? "", subresource: "status" }
    client.get({ resource: pods, namespace, name: pod.metadata.name ?? "" }, {}, (fresh) => {
      if (fresh instanceof ApiFailure || fresh.metadata.uid !== pod.metadata.uid) return
      // What has ended stays as it is.
      if (isOver(fresh)) return then()
      client.update(
        target,
        { ...fresh, status: statusOf(step, fresh, rfc3339(clockwork.now())) as never },
        {},
        (answer) => {
          if (answer instanceof ApiFailure && answer.code === 409) return patch(pod, step, then)
          then()
        }
      )
    })
  }
  const live = (pod: KubeObject, steps: ReadonlyArray<string>): void => {
    const [first, ...rest] = steps
    if (first === undefined) return
    const [step = "", delay = "50"] = first.split("@")
    clockwork.after(Number(delay), () => patch(pod, step, () => live(pod, rest)))
  }
  const leave = (pod: KubeObject): void => {
    const { ms, phase } = leavingOf(pod)
    if (phase === "stay") return
    clockwork.after(ms, () =>
      patch(pod, phase, () =>
        client.delete(
          { resource: pods, namespace, name: pod.metadata.name ?? "" },
          { gracePeriodSeconds: 0, preconditions: { uid: pod.metadata.uid ?? "" } },
          () => undefined
        )
      )
    )
  }
  const look = (pod: KubeObject): void => {
    const uid = pod.metadata.uid ?? ""
    if (pod.metadata.deletionTimestamp !== undefined && (pod.metadata.deletionGracePeriodSeconds ?? 0) > 0) {
      if (!left.has(uid)) leave(pod)
      left.add(uid)
      return
    }
    if (seen.has(uid)) return
    seen.add(uid)
    live(
      pod,
      lifeOf(pod)
        .split(" ")
        .filter((step) => step !== "")
    )
  }
  informer.addHandler({ added: look, updated: (_, pod) => look(pod) })
  informer.start()
  return () => informer.stop()
}

// What `kubectl get pods` shows: how many containers are ready, what the pod is at, how often it was restarted.
// Owns the reading of a pod's status for people; source: kubernetes pkg/printers/internalversion/printers.go.
import { type KubeObject, parseRfc3339 } from "#kube"
import type { Column } from "../../Definition.ts"
import { ageColumn, column, durationText, nameColumn, wide } from "../Columns.ts"
import { type Fields, fieldsIn, fieldsOf, itemsOf, numberOf, textOf } from "../Fields.ts"

interface Summary {
  readonly ready: string
  readonly reason: string
  readonly restarts: number
  /** Milliseconds since the epoch; 0 when unknown. */
  readonly lastRestartMs: number
}

/** What is counted while the containers are walked. */
interface Tally {
  restarts: number
  lastRestartMs: number
}

const isRestartable = (container: Fields | undefined): boolean => container?.["restartPolicy"] === "Always"

const countRestarts = (tally: Tally, status: Fields): void => {
  tally.restarts += numberOf(status["restartCount"])
  const finishedAt = fieldsOf(fieldsOf(status["lastState"])["terminated"])["finishedAt"]
  const ms = typeof finishedAt === "string" ? (parseRfc3339(finishedAt) ?? 0) : 0
  if (ms > tally.lastRestartMs) tally.lastRestartMs = ms
}

/** The reason in a terminated state, or its signal, or its exit code. */
const endText = (terminated: Fields): string => {
  const reason = textOf(terminated["reason"])
  if (reason !== "") return reason
  const signal = numberOf(terminated["signal"])
  return signal === 0 ? `ExitCode:${numberOf(terminated["exitCode"])}` : `Signal:${signal}`
}

interface Initialization {
  readonly reason: string | undefined
  readonly ready: number
  readonly all: Tally
  readonly sidecars: Tally
}

const initialization = (spec: Fields, status: Fields): Initialization => {
  const byName = new Map(itemsOf(spec["initContainers"]).map((one) => [textOf(one["name"]), one]))
  const all: Tally = { restarts: 0, lastRestartMs: 0 }
  const sidecars: Tally = { restarts: 0, lastRestartMs: 0 }
  const statuses = itemsOf(status["initContainerStatuses"])
  let ready = 0
  for (let at = 0; at < statuses.length; at++) {
    const one = fieldsOf(statuses[at])
    const sidecar = isRestartable(byName.get(textOf(one["name"])))
    countRestarts(all, one)
    if (sidecar) countRestarts(sidecars, one)
    const state = fieldsOf(one["state"])
    const terminated = fieldsIn(state["terminated"])
    if (terminated !== undefined && numberOf(terminated["exitCode"]) === 0) continue
    if (sidecar && one["started"] === true) {
      if (one["ready"] === true) ready++
      continue
    }
    if (terminated !== undefined) return { reason: `Init:${endText(terminated)}`, ready, all, sidecars }
    const waiting = textOf(fieldsOf(state["waiting"])["reason"])
    const reason = waiting !== "" && waiting !== "PodInitializing" ? waiting : `${at}/${byName.size}`
    return { reason: `Init:${reason}`, ready, all, sidecars }
  }
  return { reason: undefined, ready, all, sidecars }
}

const conditionIs = (status: Fields, type: string, value: string): boolean =>
  itemsOf(status["conditions"]).some((one) => one["type"] === type && one["status"] === value)

interface Running {
  readonly reason: string
  readonly ready: number
}

const running = (status: Fields, before: string, tally: Tally): Running => {
  const statuses = itemsOf(status["containerStatuses"])
  let reason = before
  let failure = ""
  let ready = 0
  for (let at = statuses.length - 1; at >= 0; at--) {
    const one = fieldsOf(statuses[at])
    countRestarts(tally, one)
    const state = fieldsOf(one["state"])
    const waiting = textOf(fieldsOf(state["waiting"])["reason"])
    const terminated = fieldsIn(state["terminated"])
    if (waiting !== "") reason = waiting
    else if (terminated !== undefined) {
      reason = endText(terminated)
      if (numberOf(terminated["exitCode"]) !== 0) failure = reason
    } else if (one["ready"] === true && state["running"] !== undefined) ready++
  }
  if (reason !== "Completed") return { reason, ready }
  if (ready > 0 && conditionIs(status, "Ready", "True")) return { reason: "Running", ready }
  return { reason: failure !== "" ? failure : ready > 0 ? "NotReady" : reason, ready }
}

/** What a pod is at, as kubectl says it. */
export const summarizePod = (pod: KubeObject): Summary => {
  const spec = fieldsOf(pod.spec)
  const status = fieldsOf(pod.status)
  const phase = textOf(status["phase"])
  const initContainers = itemsOf(spec["initContainers"])
  const total = itemsOf(spec["containers"]).length + initContainers.filter(isRestartable).length
  const gated = itemsOf(status["conditions"]).some(
    (one) => one["type"] === "PodScheduled" && one["reason"] === "SchedulingGated"
  )
  const start = gated ? "SchedulingGated" : textOf(status["reason"]) || phase
  const init = initialization(spec, status)
  let tally = init.all
  let reason = init.reason ?? start
  let ready = init.ready
  if (init.reason === undefined || conditionIs(status, "Initialized", "True")) {
    tally = init.sidecars
    const now = running(status, reason, tally)
    reason = now.reason
    ready += now.ready
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (status["reason"] === "NodeLost") reason = "Unknown"
    else if (phase !== "Failed" && phase !== "Succeeded") reason = "Terminating"
  }
  return { ready: `${ready}/${total}`, reason, restarts: tally.restarts, lastRestartMs: tally.lastRestartMs }
}

const restartsText = ({ lastRestartMs, restarts }: Summary, nowMs: number): string =>
  restarts !== 0 && lastRestartMs !== 0 ? `${restarts} (${durationText(nowMs - lastRestartMs)} ago)` : String(restarts)

const orNone = (value: unknown): string => textOf(value) || "<none>"

const readinessGates = (pod: KubeObject): string => {
  const gates = itemsOf(fieldsOf(pod.spec)["readinessGates"])
  if (gates.length === 0) return "<none>"
  const conditions = itemsOf(fieldsOf(pod.status)["conditions"])
  const met = gates.filter(
    (gate) => conditions.find((one) => one["type"] === gate["conditionType"])?.["status"] === "True"
  )
  return `${met.length}/${gates.length}`
}

/** The columns of pods. */
export const podColumns: ReadonlyArray<Column> = [
  nameColumn,
  column("Ready", (pod) => summarizePod(pod).ready),
  column("Status", (pod) => summarizePod(pod).reason),
  column("Restarts", (pod, nowMs) => restartsText(summarizePod(pod), nowMs)),
  ageColumn,
  wide("IP", ({ status }) => orNone(itemsOf(fieldsOf(status)["podIPs"])[0]?.["ip"])),
  wide("Node", ({ spec }) => orNone(fieldsOf(spec)["nodeName"])),
  wide("Nominated Node", ({ status }) => orNone(fieldsOf(status)["nominatedNodeName"])),
  wide("Readiness Gates", readinessGates)
]

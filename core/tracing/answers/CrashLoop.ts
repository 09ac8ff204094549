// A Pod whose container ends and is started again and again.
// Owns the judgement from the kubelet's events and the Pod's status; refuses containers that run again.
import type { Json } from "#kube"
import { answer, type Answer, type Asking, evidenceOf, objectWords } from "./Answer.ts"
import { at, countOf, listAt, messageOf, type ObjectLife, textAt } from "./ObjectLife.ts"

/** The kubelet waits five minutes between starts at most; twice that without a word means that it is over. */
const QUIET_US = 600_000_000
const BACK_OFF = /Back-off restarting/i

export const crashLoop = (life: ObjectLife, asking: Asking): Answer | undefined => {
  const { audits, body, bodyAtUs, events, gone, object, root, uid } = life
  if (object.resource !== "pods" || object.group !== "" || gone) return undefined
  const statuses = [...listAt(body, "status", "initContainerStatuses"), ...listAt(body, "status", "containerStatuses")]
  const waiting = statuses.find((status) => textAt(status, "state", "waiting", "reason") === "CrashLoopBackOff")
  const backOffs = events.filter((span) => span.name === "BackOff" && BACK_OFF.test(messageOf(span)))
  const last = backOffs.at(-1)
  const isRecent = last !== undefined && asking.nowUs - last.startUs <= QUIET_US
  const ready = statuses.length > 0 && statuses.every((status) => at(status, "ready") === true)
  const isWell = ready && last !== undefined && bodyAtUs > last.startUs
  if (waiting === undefined && (!isRecent || isWell)) return undefined
  const status = waiting ?? statuses.find((one) => restarts(one) > 0)
  const write = audits.at(-1)
  const evidence = backOffs.length > 0 ? [evidenceOf(backOffs[0], "BackOff, the first")] : []
  if (last !== undefined && last !== backOffs[0]) evidence.push(evidenceOf(last, `BackOff, ${countOf(last)} times`))
  if (evidence.length === 0 && write !== undefined) evidence.push(evidenceOf(write, "CrashLoopBackOff in its status"))
  if (evidence.length === 0 && root !== undefined) evidence.push(evidenceOf(root, "CrashLoopBackOff in its status"))
  const reason = [
    last === undefined ? textAt(waiting, "state", "waiting", "message") : messageOf(last),
    status === undefined ? "" : endText(status)
  ]
    .filter((text) => text !== "")
    .join("; ")
  const sinceUs = backOffs[0]?.startUs ?? bodyAtUs
  return answer(
    asking,
    { kind: "crashLoop", object, uid, sinceUs, reason, reasonAtUs: last?.startUs, evidence },
    (age) => `${objectWords(object)} has crashed again and again for ${age}: ${reason}`
  )
}

const restarts = (status: Json): number => {
  const count = at(status, "restartCount")
  return typeof count === "number" ? count : 0
}

const endText = (status: Json): string => {
  const ended = at(status, "lastState", "terminated")
  const code = at(ended, "exitCode")
  const how = typeof code === "number" ? `, last with exit code ${code}` : ""
  return `container ${textAt(status, "name")} was restarted ${restarts(status)} times${how}`
}

// A Pod that no node was found for: why the scheduler says so, and for how long.
// Owns the judgement; refuses Pods that are bound, over or gone.
import { Attribute, type Span } from "../model/Span.ts"
import { answer, type Answer, type Asking, ageText, evidenceOf, objectWords } from "./Answer.ts"
import {
  countOf,
  createdUs,
  listAt,
  messageOf,
  type ObjectLife,
  subresourceOf,
  succeeded,
  textAt,
  verbOf
} from "./ObjectLife.ts"

/** A Pod that nobody has judged yet is no answer for so long. */
const UNSEEN_US = 30_000_000

export const unscheduled = (life: ObjectLife, asking: Asking): Answer | undefined => {
  const { audits, body, events, gone, object, uid } = life
  if (object.resource !== "pods" || object.group !== "" || gone || isBound(life) || isOver(life)) return undefined
  const failed = events.filter(({ name }) => name === "FailedScheduling")
  const last = failed.reduce<Span | undefined>(
    (newest, span) => (newest === undefined || isLater(span, newest) ? span : newest),
    undefined
  )
  const create = audits.find((span) => verbOf(span) === "create" && subresourceOf(span) === "")
  const sinceUs = createdUs(life)
  const words = objectWords(object)
  const made = create === undefined ? [] : [evidenceOf(create, "created")]
  if (last !== undefined) {
    const count = Math.max(...failed.map(countOf))
    const times = count === 1 ? "once" : `${count} times`
    const ago = ageText(Math.max((asking.nowUs - last.startUs) / 1000, 0))
    const reason = messageOf(last)
    const evidence = [...made, evidenceOf(last, `FailedScheduling, ${times}`)]
    return answer(
      asking,
      { kind: "unscheduled", object, uid, sinceUs, reason, reasonAtUs: last.startUs, evidence },
      (age) => `${words} has waited ${age} for a node: ${reason} (FailedScheduling, ${times}, last ${ago} ago)`
    )
  }
  if (create === undefined || asking.nowUs - sinceUs < UNSEEN_US) return undefined
  const gates = listAt(body, "spec", "schedulingGates").map((gate) => textAt(gate, "name"))
  const reason =
    gates.length > 0
      ? `held by the scheduling gates ${gates.join(", ")}`
      : `no scheduler has judged it (schedulerName ${textAt(body, "spec", "schedulerName") || "unknown"})`
  return answer(
    asking,
    { kind: "unscheduled", object, uid, sinceUs, reason, reasonAtUs: undefined, evidence: made },
    (age) => `${words} has waited ${age} for a node: ${reason}`
  )
}

/** Bound by a request, by its spec, by what the scheduler said, or in a kubelet's hands already. */
const isBound = ({ audits, body, events }: ObjectLife): boolean =>
  textAt(body, "spec", "nodeName") !== "" ||
  events.some(({ name }) => name === "Scheduled") ||
  audits.some((span) => {
    if (!succeeded(span)) return false
    if (subresourceOf(span) === "binding") return true
    return subresourceOf(span) === "status" && (span.attributes[Attribute.username] ?? "").startsWith("system:node:")
  })

const isOver = ({ body }: ObjectLife): boolean => ["Succeeded", "Failed"].includes(textAt(body, "status", "phase"))

/** Events tell whole seconds: of one second the one that was counted last. */
const isLater = (one: Span, other: Span): boolean =>
  one.startUs === other.startUs ? countOf(one) >= countOf(other) : one.startUs > other.startUs

// A node that stopped reporting or was taken away, and a Pod that is still said to be on it.
// Owns the judgement from the node's events and status; refuses nodes that report again.
import { answer, type Answer, type Asking, type Evidence, evidenceOf, objectWords } from "./Answer.ts"
import { listAt, type ObjectLife, succeeded, textAt, timeAt, verbOf } from "./ObjectLife.ts"

interface Loss {
  readonly sinceUs: number
  readonly reason: string
  readonly evidence: ReadonlyArray<Evidence>
}

/** Of a node itself. */
export const nodeGone = (life: ObjectLife, asking: Asking): Answer | undefined => {
  const { gone, object, uid } = life
  if (object.resource !== "nodes" || object.group !== "" || gone) return undefined
  const loss = lossOf(life)
  if (loss === undefined) return undefined
  return answer(
    asking,
    { kind: "nodeGone", object, uid, ...loss, reasonAtUs: loss.evidence.at(-1)?.atUs },
    (age) => `${objectWords(object)} has been gone for ${age}: ${loss.reason}`
  )
}

/** Of a Pod by the life of its node. */
export const nodeOfPodGone = (pod: ObjectLife, node: ObjectLife | undefined, asking: Asking): Answer | undefined => {
  const { events, gone, object, uid } = pod
  if (node === undefined || gone || object.resource !== "pods") return undefined
  const loss = lossOf(node)
  if (loss === undefined) return undefined
  const said = events.filter(({ name }) => name === "NodeNotReady" || name === "TaintManagerEviction")
  const evidence = [...loss.evidence, ...said.slice(-1).map((span) => evidenceOf(span, span.name))]
  return answer(
    asking,
    { kind: "nodeGone", object, uid, sinceUs: loss.sinceUs, reason: loss.reason, reasonAtUs: loss.sinceUs, evidence },
    (age) => `${objectWords(object)} is on ${objectWords(node.object)}, which has been gone for ${age}: ${loss.reason}`
  )
}

const lossOf = (node: ObjectLife): Loss | undefined => {
  const { audits, body, bodyAtUs, events, gone, root } = node
  const deleted = audits.findLast((span) => verbOf(span) === "delete" && succeeded(span))
  if (gone) {
    const span = deleted ?? root
    if (span === undefined) return undefined
    const sinceUs = deleted?.startUs ?? bodyAtUs
    return { sinceUs, reason: "it was taken out of the cluster", evidence: [evidenceOf(span, "deleted")] }
  }
  const lost = events.findLast(({ name }) => name === "NodeNotReady")
  const back = events.findLast(({ name }) => name === "NodeReady")
  const condition = listAt(body, "status", "conditions").find((one) => textAt(one, "type") === "Ready")
  const status = textAt(condition, "status")
  const isNewer = lost === undefined || bodyAtUs >= lost.startUs
  if (condition !== undefined && status === "True" && isNewer) return undefined
  if (condition !== undefined && status !== "True") {
    const writer = audits.findLast((span) => succeeded(span) && verbOf(span) !== "get")
    const evidence = [lost ?? writer ?? root].flatMap((span) =>
      span === undefined ? [] : [evidenceOf(span, "not ready")]
    )
    const reason = textAt(condition, "message") || textAt(condition, "reason") || "it does not report"
    return { sinceUs: timeAt(condition, "lastTransitionTime") ?? lost?.startUs ?? bodyAtUs, reason, evidence }
  }
  if (lost === undefined || (back !== undefined && back.startUs > lost.startUs)) return undefined
  return { sinceUs: lost.startUs, reason: "it does not report", evidence: [evidenceOf(lost, "NodeNotReady")] }
}

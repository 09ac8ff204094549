// An object that is to go and does not, because a finalizer was never taken away.
// Owns the judgement; refuses objects whose deletion is young, and Pods in their grace period.
import { answer, type Answer, type Asking, evidenceOf, objectWords } from "./Answer.ts"
import { at, listAt, type ObjectLife, subresourceOf, succeeded, timeAt, verbOf } from "./ObjectLife.ts"

/** Deletion takes so long in good health. */
const PATIENCE_US = 30_000_000

export const finalizer = (life: ObjectLife, asking: Asking): Answer | undefined => {
  const { audits, body, gone, object, root, uid } = life
  if (gone || body === undefined) return undefined
  // Deletion's time is when the grace period ends.
  const deletedUs = timeAt(body, "metadata", "deletionTimestamp")
  if (deletedUs === undefined || asking.nowUs - deletedUs < PATIENCE_US) return undefined
  const held = [
    ...listAt(body, "metadata", "finalizers"),
    ...(object.resource === "namespaces" ? listAt(body, "spec", "finalizers") : [])
  ].filter((name) => typeof name === "string")
  if (held.length === 0) return undefined
  const grace = at(body, "metadata", "deletionGracePeriodSeconds")
  const asked = audits.findLast((span) => verbOf(span) === "delete" && subresourceOf(span) === "" && succeeded(span))
  const sinceUs = asked?.startUs ?? deletedUs - (typeof grace === "number" ? grace * 1e6 : 0)
  const later = audits.findLast((span) => span.startUs > sinceUs && succeeded(span) && span !== asked)
  const evidence = [asked, later].flatMap((span) =>
    span === undefined ? [] : [evidenceOf(span, span === asked ? "asked to go" : "written since, finalizers kept")]
  )
  if (evidence.length === 0 && root !== undefined) evidence.push(evidenceOf(root, "versions seen"))
  const names = held.join(", ")
  return answer(
    asking,
    { kind: "finalizer", object, uid, sinceUs, reason: names, reasonAtUs: undefined, evidence },
    (age) => `${objectWords(object)} has been about to go for ${age}: nobody takes away ${names}`
  )
}

// A controller that may not make its Pods because a quota is used up.
// Owns the judgement from the controller's events and status; refuses other reasons for which a create failed.
import type { Span } from "../model/Span.ts"
import { answer, type Answer, type Asking, ageText, evidenceOf, objectWords } from "./Answer.ts"
import { at, countOf, listAt, messageOf, type ObjectLife, textAt } from "./ObjectLife.ts"

const QUOTA = /exceeded quota/

export const quota = (life: ObjectLife, asking: Asking): Answer | undefined => {
  const { events, gone, object, uid } = life
  if (gone || object.resource === "pods") return undefined
  const refused = events.filter((span) => span.name === "FailedCreate" && QUOTA.test(messageOf(span)))
  const last = newest(refused)
  if (last === undefined) return undefined
  const made = newest(events.filter(({ name }) => name === "SuccessfulCreate"))
  if (made !== undefined && made.startUs > last.startUs) return undefined
  if (recovered(life, last.startUs)) return undefined
  const first = refused.find(({ startUs }) => made === undefined || startUs > made.startUs) ?? last
  const reason = messageOf(last)
  const count = refused.reduce((most, span) => Math.max(most, countOf(span)), refused.length)
  const ago = ageText(Math.max((asking.nowUs - last.startUs) / 1000, 0))
  const evidence = [evidenceOf(last, `FailedCreate, ${count} times`)]
  if (first !== last) evidence.push(evidenceOf(first, "FailedCreate, the first"))
  return answer(
    asking,
    { kind: "quota", object, uid, sinceUs: first.startUs, reason, reasonAtUs: last.startUs, evidence },
    (age) => `${objectWords(object)} has been refused Pods by a quota for ${age}: ${reason} (last ${ago} ago)`
  )
}

/** A newer version that has what it wants and complains no more. */
const recovered = ({ body, bodyAtUs }: ObjectLife, sinceUs: number): boolean => {
  if (body === undefined || bodyAtUs < Math.floor(sinceUs / 1e6) * 1e6) return false
  const complains = listAt(body, "status", "conditions").some(
    (condition) => textAt(condition, "type") === "ReplicaFailure" && textAt(condition, "status") === "True"
  )
  if (complains) return false
  const wanted = at(body, "spec", "replicas")
  const have = at(body, "status", "replicas") ?? 0
  return typeof wanted === "number" && typeof have === "number" && have >= wanted
}

const newest = (spans: ReadonlyArray<Span>): Span | undefined =>
  spans.reduce<Span | undefined>(
    (last, span) => (last === undefined || span.startUs >= last.startUs ? span : last),
    undefined
  )

// Why an object does not get on: everything that holds it, what it made, and what it stands on.
// Owns which objects are looked at and the order of answers; refuses to read time, which the caller gives.
import { type ObjectKey, objectText } from "../model/ObjectKey.ts"
import type { SpanStore } from "../store/SpanStore.ts"
import { type Answer, answerKinds, type Asking } from "./Answer.ts"
import { crashLoop } from "./CrashLoop.ts"
import { finalizer } from "./Finalizer.ts"
import { nodeGone, nodeOfPodGone } from "./NodeGone.ts"
import { lifeOf, type ObjectLife, textAt } from "./ObjectLife.ts"
import { quota } from "./Quota.ts"
import { unscheduled } from "./Unscheduled.ts"
import { fieldFight, hotLoop } from "./Writers.ts"

/** Objects below one object that are looked at. */
export const FAMILY_MAX = 2000
const DEPTH_MAX = 3

const finders = [unscheduled, quota, finalizer, crashLoop, nodeGone, hotLoop, fieldFight]

/** One object with what it made, as far as it is known. */
export interface Member {
  readonly life: ObjectLife
  readonly answers: ReadonlyArray<Answer>
  readonly children: ReadonlyArray<Member>
}

export interface Why {
  readonly object: ObjectKey
  /** False when nothing is known of the object. */
  readonly known: boolean
  /** The worst first. */
  readonly answers: ReadonlyArray<Answer>
  readonly member: Member | undefined
  /** Objects below that were not looked at. */
  readonly leftOut: number
}

/** Of one life alone, and of the node of a Pod. */
export const answersOf = (store: SpanStore, life: ObjectLife, nowUs: number): ReadonlyArray<Answer> => {
  const asking: Asking = { nowUs }
  const answers = finders.flatMap((find) => find(life, asking) ?? [])
  const node = nodeOf(life)
  const lost = node === undefined ? undefined : nodeOfPodGone(life, lifeOf(store, node, nowUs), asking)
  return lost === undefined ? answers : [...answers, lost]
}

const nodeOf = ({ body, links, object }: ObjectLife): ObjectKey | undefined => {
  if (object.resource !== "pods" || object.group !== "") return undefined
  const name = textAt(body, "spec", "nodeName")
  if (name !== "") return { cluster: object.cluster, group: "", resource: "nodes", namespace: "", name }
  return links.find(({ class: kind, role }) => kind === "node" && role === "parent")?.object
}

/** An object, what it made and what that made in turn. */
export const why = (store: SpanStore, object: ObjectKey, nowUs: number): Why => {
  const seen = new Set([objectText(object)])
  const all: Array<Answer> = []
  let leftOut = 0
  const memberOf = (key: ObjectKey, depth: number): Member | undefined => {
    const life = lifeOf(store, key, nowUs)
    if (life === undefined) return undefined
    const answers = answersOf(store, life, nowUs)
    all.push(...answers)
    const children: Array<Member> = []
    for (const link of depth < DEPTH_MAX ? life.links : []) {
      if (link.role !== "child" || link.class !== "children" || seen.has(objectText(link.object))) continue
      if (seen.size >= FAMILY_MAX) {
        leftOut++
        continue
      }
      seen.add(objectText(link.object))
      const child = memberOf(link.object, depth + 1)
      if (child !== undefined) children.push(child)
    }
    return { life, answers, children: children.sort(byName) }
  }
  const member = memberOf(object, 0)
  return { object, known: member !== undefined, answers: sortAnswers(all), member, leftOut }
}

const byName = (a: Member, b: Member): number =>
  a.life.object.resource === b.life.object.resource
    ? a.life.object.name < b.life.object.name
      ? -1
      : 1
    : a.life.object.resource < b.life.object.resource
      ? -1
      : 1

/** By kind, then the oldest first. */
export const sortAnswers = (answers: ReadonlyArray<Answer>): ReadonlyArray<Answer> =>
  answers.toSorted(
    (a, b) =>
      answerKinds.indexOf(a.kind) - answerKinds.indexOf(b.kind) ||
      a.sinceUs - b.sinceUs ||
      (objectText(a.object) < objectText(b.object) ? -1 : 1)
  )

// What is stuck in some clusters: every object with a sign of trouble lately, judged one by one.
// Owns where to look and how far, and lets others run between two objects; refuses to judge, which the finders do.
import type { Clockwork } from "#kube"
import { type ObjectKey, objectText } from "../model/ObjectKey.ts"
import { Attribute } from "../model/Span.ts"
import type { SpanStore, TraceQuery } from "../store/SpanStore.ts"
import type { Answer } from "./Answer.ts"
import { lifeOf, LOOKBACK_US } from "./ObjectLife.ts"
import { answersOf, sortAnswers } from "./Why.ts"

/** Traces that each of the searches for signs looks at, the newest. */
const SIGNS_MAX = 2000
/** Objects that are judged before others may run. */
const AT_ONCE = 20

export interface Stuck {
  readonly answers: ReadonlyArray<Answer>
  /** Objects that were judged. */
  readonly judged: number
  /** Whether a search for signs found more than it may look at. */
  readonly cut: boolean
}

export interface StuckOptions {
  readonly clockwork: Pick<Clockwork, "defer">
  readonly nowUs: number
  /** Only of this cluster. */
  readonly cluster?: string
}

/** `done` is not called before the call returned. */
export const stuck = (store: SpanStore, options: StuckOptions, done: (found: Stuck) => void): void => {
  const { cluster, clockwork, nowUs } = options
  const within = cluster === undefined ? {} : { [Attribute.cluster]: cluster }
  const range = { fromUs: nowUs - LOOKBACK_US, toUs: nowUs + 1, limit: SIGNS_MAX }
  const signs: ReadonlyArray<TraceQuery> = [
    { ...range, service: "event", attributes: { ...within, [Attribute.type]: "Warning" } },
    { ...range, service: "audit", attributes: { ...within, [Attribute.verb]: "delete" } },
    { ...range, service: "audit", attributes: { ...within, [Attribute.verb]: "create", [Attribute.resource]: "pods" } },
    { ...range, service: "audit", attributes: within, fromUs: nowUs - RECENT_US }
  ]
  const objects = new Map<string, ObjectKey>()
  let cut = false
  const look = (at: number): void => {
    const sign = signs[at]
    if (sign === undefined) return judge([...objects.values()])
    store.search(sign, (found) => {
      cut ||= found.length >= SIGNS_MAX
      for (const { object } of found) objects.set(objectText(object), object)
      look(at + 1)
    })
  }
  const answers: Array<Answer> = []
  const judge = (queue: ReadonlyArray<ObjectKey>, from = 0): void => {
    for (const object of queue.slice(from, from + AT_ONCE)) {
      const life = lifeOf(store, object, nowUs)
      if (life !== undefined) answers.push(...answersOf(store, life, nowUs))
    }
    if (from + AT_ONCE < queue.length) return clockwork.defer(() => judge(queue, from + AT_ONCE))
    done({ answers: sortAnswers(answers), judged: queue.length, cut })
  }
  look(0)
}

/** Loops and fights are only told while they last. */
const RECENT_US = 600_000_000

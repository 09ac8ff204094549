// A straight answer to why an object does not get on: what holds it, since when, and the spans that say so.
// Owns the shape and its words for people; refuses to find answers, which one file for each kind does.
import type { ObjectKey } from "../model/ObjectKey.ts"
import type { Span } from "../model/Span.ts"

export const answerKinds = [
  "unscheduled",
  "quota",
  "finalizer",
  "crashLoop",
  "nodeGone",
  "hotLoop",
  "fieldFight"
] as const
export type AnswerKind = (typeof answerKinds)[number]

/** A span that an answer rests on. */
export interface Evidence {
  readonly traceId: string
  readonly spanId: string
  readonly atUs: number
  /** What the span says for the answer, like "FailedScheduling, 12 times". */
  readonly says: string
}

export interface Answer {
  readonly kind: AnswerKind
  readonly object: ObjectKey
  /** Of the incarnation; empty when unknown. */
  readonly uid: string
  /** Since when it holds. */
  readonly sinceUs: number
  /** From then until the time of asking. */
  readonly ageMs: number
  /** The reason as its component words it; empty where nobody said one. */
  readonly reason: string
  /** When the reason was said last; undefined where nobody said one. */
  readonly reasonAtUs: number | undefined
  /** All of it in one sentence, ages included. */
  readonly sentence: string
  /** Oldest first; never empty. */
  readonly evidence: ReadonlyArray<Evidence>
}

/** What every finder is given: the object's life and the time of asking. */
export interface Asking {
  readonly nowUs: number
}

export const evidenceOf = ({ spanId, startUs, traceId }: Span, says: string): Evidence => ({
  traceId,
  spanId,
  atUs: startUs,
  says
})

const units = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1000, "s"]
] as const

/** Like kubectl's: two units at most, seconds below 10 minutes only. */
export const ageText = (ms: number): string => {
  if (ms < 1000) return "0s"
  const at = units.findIndex(([length]) => ms >= length)
  const [length, name] = units[at]
  const whole = Math.floor(ms / length)
  const next = units[at + 1]
  const rest = next === undefined || whole >= 10 ? 0 : Math.floor((ms % length) / next[0])
  return rest === 0 || next === undefined ? `${whole}${name}` : `${whole}${name}${rest}${next[1]}`
}

const singular: Readonly<Record<string, string>> = {
  pods: "Pod",
  replicasets: "ReplicaSet",
  deployments: "Deployment",
  statefulsets: "StatefulSet",
  daemonsets: "DaemonSet",
  jobs: "Job",
  nodes: "Node",
  namespaces: "Namespace",
  persistentvolumeclaims: "PersistentVolumeClaim"
}

/** Like "Pod default/web-0". */
export const objectWords = ({ group, name, namespace, resource }: ObjectKey): string => {
  const kind = singular[resource] ?? (group === "" ? resource : `${resource}.${group}`)
  return `${kind} ${namespace === "" ? name : `${namespace}/${name}`}`
}

/** An answer with its age. */
export const answer = (
  { nowUs }: Asking,
  { sinceUs, ...rest }: Omit<Answer, "ageMs" | "sentence">,
  sentence: (age: string) => string
): Answer => {
  const ageMs = Math.max(Math.floor((nowUs - sinceUs) / 1000), 0)
  const evidence = rest.evidence.toSorted((a, b) => a.atUs - b.atUs || (a.spanId < b.spanId ? -1 : 1))
  return { ...rest, evidence, sinceUs, ageMs, sentence: sentence(ageText(ageMs)) }
}

// What a delete does to an object: gone at once, or marked and kept while grace runs or finalizers hold it.
// Owns that decision (k8s.io/apiserver's BeforeDelete and its store's finalizers); refuses to carry it out.
import { parseRfc3339, rfc3339, type KubeObject } from "#kube"
import type { Draft, Strategy } from "../Definition.ts"
import type { RequestOptions } from "../Request.ts"
import { FOREGROUND, ORPHAN } from "./MetadataRules.ts"

export type DeletionPlan =
  /** The object goes now. */
  | { readonly kind: "gone" }
  /** It is marked, or its mark changes, and it stays. */
  | { readonly kind: "marked"; readonly draft: Draft }
  /** It is being deleted already, and this request changes nothing. */
  | { readonly kind: "pending" }

/** What the request's delete does to the object; `draft` is a fresh one of it. */
export const planDeletion = (
  object: KubeObject,
  draft: Draft,
  options: RequestOptions,
  strategy: Strategy,
  nowMs: number
): DeletionPlan => {
  const graceful = applyGrace(draft, options, strategy, nowMs)
  if (graceful === "pending") return { kind: "pending" }
  const finalizers = finalizersAfter(object, options, strategy)
  if (finalizers !== undefined) draft.metadata.finalizers = finalizers
  const isHeld = (draft.metadata.finalizers ?? []).length > 0 || strategy.heldBack?.(object) === true
  if (graceful === "none") {
    if (!isHeld) return { kind: "gone" }
    mark(draft, nowMs)
    return { kind: "marked", draft }
  }
  const waits = isHeld || (draft.metadata.deletionGracePeriodSeconds ?? 0) > 0
  return waits ? { kind: "marked", draft } : { kind: "gone" }
}

/** Negative asks count as a second. */
const atLeast = (seconds: number | undefined): number | undefined =>
  seconds !== undefined && seconds < 0 ? 1 : seconds

/** Sets timestamp and period where the kind knows grace; says whether it did, or that a deletion goes on as it was. */
const applyGrace = (
  draft: Draft,
  options: RequestOptions,
  strategy: Strategy,
  nowMs: number
): "none" | "graceful" | "pending" => {
  if (strategy.graceSeconds === undefined) return "none"
  const { metadata } = draft
  const asked = atLeast(options.gracePeriodSeconds)
  if (metadata.deletionTimestamp !== undefined) return shorten(draft, asked, nowMs)
  const seconds = strategy.graceSeconds(draft, asked)
  metadata.deletionTimestamp = rfc3339(nowMs + seconds * 1000)
  metadata.deletionGracePeriodSeconds = seconds
  raiseGeneration(draft)
  return "graceful"
}

/** Grace that runs can only become shorter. */
const shorten = ({ metadata }: Draft, asked: number | undefined, nowMs: number): "none" | "graceful" | "pending" => {
  const running = atLeast(metadata.deletionGracePeriodSeconds) ?? 0
  if (running === 0) return "none"
  if (asked === undefined || asked >= running) return "pending"
  const startMs = (parseRfc3339(metadata.deletionTimestamp ?? "") ?? nowMs) - running * 1000
  const endMs = startMs + asked * 1000
  const isPast = endMs < nowMs
  metadata.deletionTimestamp = rfc3339(isPast ? nowMs : endMs)
  // Whoever carries out the grace must still see it.
  metadata.deletionGracePeriodSeconds = isPast && asked !== 0 ? 1 : asked
  return "graceful"
}

const raiseGeneration = ({ metadata }: Draft): void => {
  if ((metadata.generation ?? 0) > 0) metadata.generation = (metadata.generation ?? 0) + 1
}

/** Marks an object that only finalizers hold. */
const mark = (draft: Draft, nowMs: number): void => {
  const { metadata } = draft
  const marked = metadata.deletionTimestamp
  if (marked === undefined) raiseGeneration(draft)
  if (marked === undefined || (parseRfc3339(marked) ?? 0) > nowMs) metadata.deletionTimestamp = rfc3339(nowMs)
  metadata.deletionGracePeriodSeconds = 0
}

/** The finalizers with those that the garbage collector answers put right; undefined when nothing changes. */
const finalizersAfter = (
  { metadata }: KubeObject,
  { propagationPolicy }: RequestOptions,
  { defaultPropagation }: Strategy
): ReadonlyArray<string> | undefined => {
  const given = metadata.finalizers ?? []
  const policy = propagationPolicy ?? policyOf(given) ?? defaultPropagation ?? "Background"
  const kept = given.filter((one) => one !== ORPHAN && one !== FOREGROUND)
  if (policy === "Orphan") kept.push(ORPHAN)
  if (policy === "Foreground") kept.push(FOREGROUND)
  const same = kept.length === given.length && kept.every((one) => given.includes(one))
  return same ? undefined : kept
}

const policyOf = (finalizers: ReadonlyArray<string>): "Orphan" | "Foreground" | undefined => {
  const found = finalizers.find((one) => one === ORPHAN || one === FOREGROUND)
  return found === undefined ? undefined : found === ORPHAN ? "Orphan" : "Foreground"
}

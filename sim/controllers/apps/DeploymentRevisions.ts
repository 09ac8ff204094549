// Revisions of a Deployment, which live in annotations of its ReplicaSets: their numbers, their history, and what else is copied.
// Owns these annotations, on which kubectl's rollout history and undo stand; refuses to write objects.
import { LAST_APPLIED } from "#kube"
import { DESIRED_REPLICAS, MAX_REPLICAS, maxSurgeOf } from "./RolloutMath.ts"
import { type Deployment, type ReplicaSet, replicasOf } from "./Workloads.ts"

export const REVISION = "deployment.kubernetes.io/revision"
const HISTORY = "deployment.kubernetes.io/revision-history"
const ROLLBACK_TO = "deprecated.deployment.rollback.to"
/** About 100 numbers. */
const HISTORY_CHARS_MAX = 2000

const own = new Set([LAST_APPLIED, REVISION, HISTORY, DESIRED_REPLICAS, MAX_REPLICAS, ROLLBACK_TO])

export type Annotations = Readonly<Record<string, string>>

const noAnnotations: Annotations = {}

/** The number in a revision's text, of 64 bits; undefined when it is none. An absent one is 0. */
const revisionNumber = (text: string | undefined): bigint | undefined =>
  text === undefined || text === "" ? 0n : /^[+-]?\d+$/.test(text) ? BigInt(text.replace(/^\+/, "")) : undefined

/** A set's revision; undefined when its annotation is no number. */
export const revisionOf = ({ metadata }: ReplicaSet): bigint | undefined =>
  revisionNumber(metadata.annotations?.[REVISION])

/** The highest revision of sets. */
export const maxRevision = (sets: ReadonlyArray<ReplicaSet>): bigint =>
  sets.reduce((most, set) => {
    const revision = revisionOf(set) ?? 0n
    return revision > most ? revision : most
  }, 0n)

/** The second highest. */
export const lastRevision = (sets: ReadonlyArray<ReplicaSet>): bigint => {
  const revisions = sets.map((set) => revisionOf(set) ?? 0n).sort((a, b) => (a < b ? 1 : a > b ? -1 : 0))
  return revisions[1] ?? 0n
}

/** The revision that the deprecated field asks to go back to: 0 is the one before. */
export const rollbackTo = ({ metadata }: Deployment): bigint | undefined => {
  const text = metadata.annotations?.[ROLLBACK_TO]
  return text === undefined || text === "" ? undefined : revisionNumber(text)
}

/** A Deployment's annotations after it went back, or could not. */
export const withoutRollback = (annotations: Annotations = noAnnotations): Annotations => {
  const { [ROLLBACK_TO]: _, ...others } = annotations
  return others
}

/** The annotations of a Deployment that goes back to a set: the set's, but those that are the Deployment's own. */
export const annotationsOfRollback = (deployment: Deployment, set: ReplicaSet): Annotations => {
  const kept = Object.entries(deployment.metadata.annotations ?? noAnnotations).filter(([name]) => own.has(name))
  const copied = Object.entries(set.metadata.annotations ?? noAnnotations).filter(([name]) => !own.has(name))
  return withoutRollback(Object.fromEntries([...kept, ...copied]))
}

/** The history with one more revision; the oldest go when it becomes too long. */
const lengthened = (history: string | undefined, revision: string): string | undefined => {
  if (history === undefined || history === "") return revision
  const revisions = history.split(",")
  let length = history.length + revision.length + 1
  let from = 0
  while (length > HISTORY_CHARS_MAX && from < revisions.length) length -= (revisions[from++] ?? "").length + 1
  return length > HISTORY_CHARS_MAX ? history : [...revisions.slice(from), revision].join(",")
}

/** How many replicas a Deployment wants and may have, as its sets remember it. */
export const replicaAnnotations = (deployment: Deployment): Annotations => ({
  [DESIRED_REPLICAS]: String(replicasOf(deployment)),
  [MAX_REPLICAS]: String(replicasOf(deployment) + maxSurgeOf(deployment))
})

/** Annotations with others laid over them; the same object when that changes nothing. */
export const withAnnotations = (annotations: Annotations | undefined, over: Annotations): Annotations =>
  annotations !== undefined && Object.keys(over).every((name) => annotations[name] === over[name])
    ? annotations
    : { ...annotations, ...over }

/**
 * The annotations of the newest set: those of its Deployment, its revision, and the revisions that it had before when a rollback brought
 * it back. The same object when nothing changes.
 */
export const newSetAnnotations = (
  deployment: Deployment,
  annotations: Annotations | undefined,
  revision: bigint
): Annotations => {
  const copied = Object.entries(deployment.metadata.annotations ?? noAnnotations).filter(([name]) => !own.has(name))
  const merged = withAnnotations(annotations ?? noAnnotations, Object.fromEntries(copied))
  const text = merged[REVISION]
  const before = revisionNumber(text)
  if (before === undefined || before >= revision) return merged
  const history = text === undefined ? undefined : lengthened(merged[HISTORY], text)
  return {
    ...merged,
    [REVISION]: String(revision),
    ...(history === undefined ? {} : { [HISTORY]: history })
  }
}

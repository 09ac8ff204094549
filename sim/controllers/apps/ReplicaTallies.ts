// How many pods each owner has, counted as they come, change and go: a set of 30,000 pods is not walked through for each of them.
// Owns the counts; refuses to decide who owns a pod. A pod that is odd (its labels do not match, or its owner is not known yet) makes
// its owner one that must be counted anew, pod by pod, until nothing is odd any more.
import { controllerOf, type Informer, type KubeObject } from "#kube"
import { conditionOf, isActive, isTerminating } from "../PodFacts.ts"

/** The pods of one owner. */
export interface Tally {
  active: number
  ready: number
  terminating: number
  /** Active ready pods by the second in which they became ready; the time as the API writes it. */
  readonly readyAt: Map<string, number>
}

/** How a pod counts; texts are the second since which it is ready. */
type Mark = "none" | "terminating" | "active" | { readonly since: string }

const markOf = (pod: KubeObject): Mark => {
  if (!isActive(pod)) return isTerminating(pod) ? "terminating" : "none"
  const ready = conditionOf(pod, "Ready")
  return ready?.status === "True" ? { since: ready.lastTransitionTime ?? "" } : "active"
}

const isSameMark = (a: Mark, b: Mark): boolean =>
  a === b || (typeof a === "object" && typeof b === "object" && a.since === b.since)

export const emptyTally = (): Tally => ({ active: 0, ready: 0, terminating: 0, readyAt: new Map() })

const mark = (tally: Tally, how: Mark, by: 1 | -1): void => {
  if (how === "none") return
  if (how === "terminating") {
    tally.terminating += by
    return
  }
  tally.active += by
  if (how === "active") return
  tally.ready += by
  const count = (tally.readyAt.get(how.since) ?? 0) + by
  if (count === 0) tally.readyAt.delete(how.since)
  else tally.readyAt.set(how.since, count)
}

/** Counts a pod in. */
export const tallyPod = (tally: Tally, pod: KubeObject): void => mark(tally, markOf(pod), 1)

/** Ready pods that have been so since a time (as the API writes it), or longer. */
export const readySince = ({ readyAt }: Tally, time: string): number => {
  let count = 0
  for (const [since, pods] of readyAt) if (since !== "" && since <= time) count += pods
  return count
}

/** The first time after another at which a pod became ready; undefined when none did. */
export const nextReady = ({ readyAt }: Tally, time: string): string | undefined => {
  let next: string | undefined
  for (const since of readyAt.keys()) if (since > time && (next === undefined || since < next)) next = since
  return next
}

export class ReplicaTallies {
  readonly #tallies = new Map<string, Tally>()
  /** Owners, by uid, that must be counted pod by pod. */
  readonly #odd = new Set<string>()

  /** Counts the pods of an informer. `isRegular` says of a pod whether it is its owner's in every respect. */
  constructor(pods: Informer, kind: string, isRegular: (pod: KubeObject, ownerUid: string) => boolean) {
    const change = (before: KubeObject | undefined, after: KubeObject | undefined): void => {
      const from = before === undefined ? undefined : ownerOf(before, kind)
      const to = after === undefined ? undefined : ownerOf(after, kind)
      if (after !== undefined && to !== undefined && isNews(before, after) && !isRegular(after, to)) this.#odd.add(to)
      const was = before === undefined || from === undefined ? "none" : markOf(before)
      const is = after === undefined || to === undefined ? "none" : markOf(after)
      if (from === to && isSameMark(was, is)) return
      if (from !== undefined) this.#mark(from, was, -1)
      if (to !== undefined) this.#mark(to, is, 1)
    }
    pods.addHandler({
      added: (pod) => change(undefined, pod),
      updated: change,
      deleted: (pod) => change(pod, undefined)
    })
  }

  /** The counts of an owner that is regular; undefined when it must be counted pod by pod. */
  of(uid: string): Tally | undefined {
    return this.#odd.has(uid) ? undefined : (this.#tallies.get(uid) ?? noTally)
  }

  /** Whether a pod or the owner itself is out of the ordinary. */
  setOdd(uid: string, isOdd: boolean): void {
    if (isOdd) this.#odd.add(uid)
    else this.#odd.delete(uid)
  }

  /** The owner is no more; the counts of pods that outlive it stay. */
  forget(uid: string): void {
    this.#odd.delete(uid)
  }

  #mark(uid: string, how: Mark, by: 1 | -1): void {
    if (how === "none") return
    let tally = this.#tallies.get(uid)
    if (tally === undefined) this.#tallies.set(uid, (tally = emptyTally()))
    mark(tally, how, by)
    if (tally.active === 0 && tally.terminating === 0) this.#tallies.delete(uid)
  }
}

const noTally: Tally = emptyTally()

const ownerOf = (pod: KubeObject, kind: string): string | undefined => {
  const owner = controllerOf(pod)
  return owner?.kind === kind ? owner.uid : undefined
}

/** Whether labels or owners may be other than before. */
const isNews = (before: KubeObject | undefined, after: KubeObject): boolean => {
  if (before === undefined) return true
  const { labels, ownerReferences } = before.metadata
  return (
    !sameLabels(labels, after.metadata.labels) ||
    controllerOf(before)?.uid !== controllerOf(after)?.uid ||
    ownerReferences?.length !== after.metadata.ownerReferences?.length
  )
}

const sameLabels = (a: Readonly<Record<string, string>> = {}, b: Readonly<Record<string, string>> = {}): boolean => {
  if (a === b) return true
  let count = 0
  for (const name in a) {
    if (a[name] !== b[name]) return false
    count++
  }
  for (const name in b) if (b[name] !== undefined) count--
  return count === 0
}

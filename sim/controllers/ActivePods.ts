// Which pods of a set go first when there are too many, in upstream's order of preference (ActivePodsWithRanks).
// Owns the order; refuses to delete. Facts are read once per pod, and only as many pods are sorted out as are asked for.
import { type KubeObject, parseRfc3339 } from "#kube"
import { conditionOf, isActive, maxRestarts, nodeNameOf, phaseOf } from "./PodFacts.ts"

const COST = "controller.kubernetes.io/pod-deletion-cost"
const NANOS_PER_MS = 1_000_000

/** A pod with what most comparisons ask; the rest is read when two are alike in all of that. */
interface Ranked {
  readonly pod: KubeObject
  /** Whether it has a node, its phase and whether it is ready, in one number: the lower goes first. */
  readonly state: number
  readonly cost: number
  /** Active pods of related sets on its node. */
  readonly neighbours: number
  /** Since when it is ready, as the API writes it. */
  readonly readySince: string | undefined
  restarts: { readonly regular: number; readonly sidecar: number } | undefined
}

const phases: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 }

const int32Pattern = /^(0|[+-]?[1-9]\d*)$/

/** What deleting a pod costs, by its annotation; 0 when it has none or one that is no 32-bit number. */
export const deletionCost = (pod: KubeObject): number => {
  const text = pod.metadata.annotations?.[COST]
  if (text === undefined || !int32Pattern.test(text) || text.startsWith("+")) return 0
  const cost = Number(text)
  return cost >= -2_147_483_648 && cost <= 2_147_483_647 ? cost : 0
}

const timeOf = (text: string | undefined): number | undefined => (text === undefined ? undefined : parseRfc3339(text))

const PLACED = 6
const PHASE = 2

const ranked = (pod: KubeObject, node: string, neighbours: number): Ranked => {
  const ready = conditionOf(pod, "Ready")
  const isReady = ready?.status === "True"
  const state = (node === "" ? 0 : PLACED) + (phases[phaseOf(pod)] ?? 0) * PHASE + (isReady ? 1 : 0)
  const readySince = isReady ? ready.lastTransitionTime : undefined
  return { pod, state, cost: deletionCost(pod), neighbours, readySince, restarts: undefined }
}

/** How long ago, as a power of two of nanoseconds: times of about the same age count as the same. */
const ageRank = (timeMs: number, nowMs: number): number =>
  nowMs > timeMs ? Math.floor(Math.log2((nowMs - timeMs) * NANOS_PER_MS)) : -1

/** The younger first; a time that nobody knows is the youngest. Undefined when they are the same. */
const byTime = (
  x: string | undefined,
  y: string | undefined,
  a: Ranked,
  b: Ranked,
  nowMs: number
): number | undefined => {
  if (x === y) return undefined
  const [from, to] = [timeOf(x), timeOf(y)]
  if (from === undefined || to === undefined) return from === to ? undefined : from === undefined ? -1 : 1
  const difference = ageRank(from, nowMs) - ageRank(to, nowMs)
  return difference === 0 ? byUid(a, b) : difference
}

const byUid = ({ pod: a }: Ranked, { pod: b }: Ranked): number =>
  (a.metadata.uid ?? "") < (b.metadata.uid ?? "") ? -1 : 1

const compare = (a: Ranked, b: Ranked, nowMs: number): number => {
  if (a.state !== b.state) return a.state - b.state
  if (a.cost !== b.cost) return a.cost - b.cost
  if (a.neighbours !== b.neighbours) return b.neighbours - a.neighbours
  if (a.state % PHASE === 1) {
    const since = byTime(a.readySince, b.readySince, a, b, nowMs)
    if (since !== undefined) return since
  }
  a.restarts ??= maxRestarts(a.pod)
  b.restarts ??= maxRestarts(b.pod)
  if (a.restarts.regular !== b.restarts.regular) return b.restarts.regular - a.restarts.regular
  if (a.restarts.sidecar !== b.restarts.sidecar) return b.restarts.sidecar - a.restarts.sidecar
  const { creationTimestamp: x } = a.pod.metadata
  const { creationTimestamp: y } = b.pod.metadata
  // Upstream leaves equal pods in any order; a run that is to repeat itself cannot.
  return byTime(x, y, a, b, nowMs) ?? byUid(a, b)
}

/**
 * The pods to delete first, `count` of them. `related` are the pods of all sets that belong together: of two pods, the one goes first
 * whose node has more active ones of these.
 */
export const podsToDelete = (
  pods: ReadonlyArray<KubeObject>,
  count: number,
  related: Iterable<KubeObject>,
  nowMs: number
): ReadonlyArray<KubeObject> => {
  if (count >= pods.length) return pods
  const onNode = new Map<string, number>()
  for (const pod of related) {
    const node = nodeNameOf(pod)
    if (node !== "" && isActive(pod)) onNode.set(node, (onNode.get(node) ?? 0) + 1)
  }
  const all = pods.map((pod) => {
    const node = nodeNameOf(pod)
    return ranked(pod, node, onNode.get(node) ?? 0)
  })
  return firstOf(all, count, (a, b) => compare(a, b, nowMs)).map(({ pod }) => pod)
}

/** The first `count` in order, for which not all need be sorted: a heap of the best so far, the worst of them on top. */
const firstOf = <A>(items: ReadonlyArray<A>, count: number, order: (a: A, b: A) => number): ReadonlyArray<A> => {
  if (count * 8 > items.length) return items.toSorted(order).slice(0, count)
  const heap: Array<A> = items.slice(0, count).sort((a, b) => order(b, a))
  for (let at = count; at < items.length; at++) {
    const item = items[at]
    const worst = heap[0]
    if (item === undefined || worst === undefined || order(item, worst) >= 0) continue
    sink(heap, item, order)
  }
  return heap.sort(order)
}

/** Puts an item in the place of the top and moves it down to where it belongs. */
const sink = <A>(heap: Array<A>, item: A, order: (a: A, b: A) => number): void => {
  let hole = 0
  for (;;) {
    const left = heap[2 * hole + 1]
    if (left === undefined) break
    const right = heap[2 * hole + 2]
    const isRight = right !== undefined && order(right, left) > 0
    const child = isRight ? right : left
    if (order(child, item) <= 0) break
    heap[hole] = child
    hole = 2 * hole + (isRight ? 2 : 1)
  }
  heap[hole] = item
}

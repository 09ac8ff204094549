// Which pods of a set go first when there are too many, in upstream's order of preference (ActivePodsWithRanks).
// Owns the order; refuses to delete. Facts are read once per pod, and only as many pods are sorted out as are asked for.
import { type KubeObject, parseRfc3339 } from "#kube"
import { isActive, isReady, maxRestarts, nodeNameOf, phaseOf, readySinceMs } from "./PodFacts.ts"

const COST = "controller.kubernetes.io/pod-deletion-cost"
const NANOS_PER_MS = 1_000_000

interface Ranked {
  readonly pod: KubeObject
  readonly uid: string
  /** 0 without a node, 1 with. */
  readonly placed: number
  /** Pending 0, Unknown 1, Running 2. */
  readonly phase: number
  readonly ready: number
  readonly cost: number
  /** Active pods of related sets on its node. */
  readonly neighbours: number
  readonly readyMs: number | undefined
  readonly createdMs: number | undefined
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

const ranked = (pod: KubeObject, neighbours: number): Ranked => ({
  pod,
  uid: pod.metadata.uid ?? "",
  placed: nodeNameOf(pod) === "" ? 0 : 1,
  phase: phases[phaseOf(pod)] ?? 0,
  ready: isReady(pod) ? 1 : 0,
  cost: deletionCost(pod),
  neighbours,
  readyMs: readySinceMs(pod),
  createdMs: timeOf(pod.metadata.creationTimestamp),
  restarts: undefined
})

/** How long ago, as a power of two of nanoseconds: times of about the same age count as the same. */
const ageRank = (timeMs: number, nowMs: number): number =>
  nowMs > timeMs ? Math.floor(Math.log2((nowMs - timeMs) * NANOS_PER_MS)) : -1

/** The younger first; a time that nobody knows is the youngest. Undefined when they are the same. */
const byTime = (
  a: number | undefined,
  b: number | undefined,
  uids: readonly [string, string],
  nowMs: number
): number | undefined => {
  if (a === b) return undefined
  if (a === undefined || b === undefined) return a === undefined ? -1 : 1
  const difference = ageRank(a, nowMs) - ageRank(b, nowMs)
  return difference === 0 ? (uids[0] < uids[1] ? -1 : 1) : difference
}

const compare = (a: Ranked, b: Ranked, nowMs: number): number => {
  if (a.placed !== b.placed) return a.placed - b.placed
  if (a.phase !== b.phase) return a.phase - b.phase
  if (a.ready !== b.ready) return a.ready - b.ready
  if (a.cost !== b.cost) return a.cost - b.cost
  if (a.neighbours !== b.neighbours) return b.neighbours - a.neighbours
  const uids = [a.uid, b.uid] as const
  if (a.ready === 1) {
    const since = byTime(a.readyMs, b.readyMs, uids, nowMs)
    if (since !== undefined) return since
  }
  a.restarts ??= maxRestarts(a.pod)
  b.restarts ??= maxRestarts(b.pod)
  if (a.restarts.regular !== b.restarts.regular) return b.restarts.regular - a.restarts.regular
  if (a.restarts.sidecar !== b.restarts.sidecar) return b.restarts.sidecar - a.restarts.sidecar
  // Upstream leaves equal pods in any order; a run that is to repeat itself cannot.
  return byTime(a.createdMs, b.createdMs, uids, nowMs) ?? (a.uid < b.uid ? -1 : 1)
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
  const all = pods.map((pod) => ranked(pod, onNode.get(nodeNameOf(pod)) ?? 0))
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

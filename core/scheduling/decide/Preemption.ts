// Which pods would have to go for a more important one: DefaultPreemption's search for candidates and its choice among them.
// Owns the dry run (fewest victims, budgets respected where possible) and the order of choice; refuses to evict, which the scheduler does.
import type { KubeObject } from "#kube"
import type { PlacedPod } from "../cluster/Cluster.ts"
import { nominatedNodeOf, podSpecOf, podStatusOf, priorityOf } from "../pod/PodFields.ts"
import type { ViewParts } from "./ClassView.ts"
import type { Decider } from "./Decider.ts"
import { Diagnosis, type Ruled } from "./Diagnosis.ts"
import { type Budget, splitByBudgets } from "./Budgets.ts"
import { Trial } from "./Trial.ts"
import { FITS } from "./Verdicts.ts"

export interface Candidate {
  readonly node: number
  readonly name: string
  /** Most important first. */
  readonly victims: ReadonlyArray<PlacedPod>
  /** Budgets that evicting the victims would break. */
  readonly violations: number
}

export interface PreemptionParts {
  readonly decider: Decider
  readonly budgets: () => ReadonlyArray<Budget>
  readonly random: () => number
  /** When a pod began, milliseconds; now for pods that have not. */
  readonly startedAt: (pod: KubeObject) => number
}

/** What came of it: candidates to choose from, or what is said of there being none (with what it means for an older promise). */
export type Search =
  | { readonly candidates: ReadonlyArray<Candidate> }
  | { readonly message: string; readonly clearsPromise: boolean }

export class Preemption {
  private readonly parts: PreemptionParts

  constructor(parts: PreemptionParts) {
    this.parts = parts
  }

  /** All candidates that the profile's bounds let it look for. */
  search(pod: KubeObject, diagnosis: Diagnosis): Search {
    const { decider } = this.parts
    // What kube-scheduler says when DynamicResources misses what it would have noted of the pod: preemption is not asked any more.
    if (diagnosis.before !== undefined && decider.profile.asksForClaims)
      return { message: "not found", clearsPromise: false }
    const refusal = this.refusal(pod, diagnosis)
    if (refusal !== undefined) return { message: `preemption: ${refusal}`, clearsPromise: false }
    const potential = this.potentialNodes(diagnosis)
    if (potential.length === 0) return { message: this.notHelpful(new Map()), clearsPromise: true }
    const { candidatesMin, candidatesPercent } = decider.profile.preemption
    const wanted = Math.min(
      potential.length,
      Math.max(candidatesMin, Math.floor((potential.length * candidatesPercent) / 100))
    )
    const offset = Math.floor(this.parts.random() * potential.length)
    const shape = decider.cluster.shapes.of(pod)
    const view: ViewParts = diagnosis.isNarrow ? decider.parts(pod, shape, false) : decider.view(pod, shape)
    const unbroken: Array<Candidate> = []
    const breaking: Array<Candidate> = []
    const failures = new Map<number, number>()
    const budgets = this.parts.budgets()
    for (let turn = 0; turn < potential.length; turn++) {
      const node = potential[(offset + turn) % potential.length]
      const found = this.dryRun(pod, node, view, budgets)
      if (typeof found === "number") failures.set(node, found)
      else if (found.violations === 0) unbroken.push(found)
      else breaking.push(found)
      if (unbroken.length > 0 && unbroken.length + breaking.length >= wanted) break
    }
    const candidates = [...unbroken, ...breaking]
    return candidates.length === 0 ? { message: this.notHelpful(failures), clearsPromise: true } : { candidates }
  }

  /** The candidate that harms least (pickOneNodeForPreemption). */
  choose(candidates: ReadonlyArray<Candidate>): Candidate {
    const cost: ReadonlyArray<(candidate: Candidate) => number> = [
      ({ violations }) => violations,
      ({ victims }) => victims[0].priority,
      ({ victims }) => victims.reduce((sum, { priority }) => sum + priority + 2 ** 31, 0),
      ({ victims }) => victims.length,
      (candidate) => -this.earliestStart(candidate)
    ]
    let left = candidates
    for (const of of cost) {
      if (left.length === 1) break
      // Asked once: for a pod that has not begun the answer is the moment of asking.
      const costs = left.map(of)
      const least = Math.min(...costs)
      left = left.filter((_, at) => costs[at] === least)
    }
    return left.length === 1 ? left[0] : left[Math.floor(this.parts.random() * left.length)]
  }

  private refusal(pod: KubeObject, diagnosis: Diagnosis): string | undefined {
    const { cluster } = this.parts.decider
    if (podSpecOf(pod).preemptionPolicy === "Never") return "not eligible due to preemptionPolicy=Never."
    const node = cluster.find(nominatedNodeOf(pod))
    if (node === undefined || !diagnosis.isResolvable(node)) return undefined
    const priority = priorityOf(pod)
    for (const placed of cluster.rows[node].pods.values())
      if (placed.priority < priority && isEndingByPreemption(placed.pod))
        return "not eligible due to a terminating pod on the nominated node."
    return undefined
  }

  private potentialNodes(diagnosis: Diagnosis): ReadonlyArray<number> {
    const { cluster } = this.parts.decider
    const found: Array<number> = []
    if (diagnosis.before !== undefined && !diagnosis.before.resolvable) return found
    for (let node = 0; node < cluster.rows.length; node++)
      if (cluster.present[node] === 1 && diagnosis.isResolvable(node)) found.push(node)
    return found
  }

  /** The fewest pods that must leave a node, or the verdict that no eviction helps. */
  private dryRun(pod: KubeObject, node: number, view: ViewParts, budgets: ReadonlyArray<Budget>): Candidate | number {
    const { decider } = this.parts
    const { cluster, verdicts } = decider
    const priority = priorityOf(pod)
    const potential: Array<PlacedPod> = []
    for (const placed of cluster.rows[node].pods.values()) if (placed.priority < priority) potential.push(placed)
    if (potential.length === 0)
      return verdicts.id("DefaultPreemption", false, ["No preemption victims found for incoming pod"])
    const trial = new Trial(cluster, view, node)
    const ahead = decider.search.promisedTo(node, pod)
    const verdict = (): number => {
      const with_ = ahead.length === 0 ? FITS : trial.verdictWith(ahead)
      return with_ === FITS ? trial.verdict() : with_
    }
    for (const placed of potential) trial.remove(placed)
    const emptied = verdict()
    const gone = new Set<PlacedPod>(potential)
    let violations = 0
    const victims: Array<PlacedPod> = []
    if (emptied === FITS) {
      const reprieve = (placed: PlacedPod): boolean => {
        trial.add(placed)
        gone.delete(placed)
        if (verdict() === FITS) return true
        trial.remove(placed)
        gone.add(placed)
        victims.push(placed)
        return false
      }
      const { breaking, harmless } = splitByBudgets(this.byImportance(potential), budgets)
      for (const placed of breaking) if (!reprieve(placed)) violations++
      for (const placed of harmless) reprieve(placed)
    }
    for (const placed of gone) trial.add(placed)
    if (emptied !== FITS) return emptied
    if (victims.length === 0)
      return verdicts.id("DefaultPreemption", false, ["expected at least one victim pod on the node"])
    return { node, name: cluster.rows[node].name, victims: this.byImportance(victims), violations }
  }

  private byImportance(pods: ReadonlyArray<PlacedPod>): ReadonlyArray<PlacedPod> {
    if (pods.length < 2) return pods
    return pods
      .map((placed) => ({ placed, start: this.parts.startedAt(placed.pod) }))
      .sort((a, b) => b.placed.priority - a.placed.priority || a.start - b.start)
      .map(({ placed }) => placed)
  }

  /** When the oldest of the most important victims began. */
  private earliestStart({ victims }: Candidate): number {
    const most = Math.max(...victims.map(({ priority }) => priority))
    return Math.min(...victims.filter(({ priority }) => priority === most).map(({ pod }) => this.parts.startedAt(pod)))
  }

  private notHelpful(failures: ReadonlyMap<number, number>): string {
    const { cluster, verdicts } = this.parts.decider
    const ruled: Array<Ruled> = [...failures.values()].map((verdict) => ({ verdict, nodes: 1 }))
    const rest = verdicts.id("", false, ["Preemption is not helpful for scheduling"])
    ruled.push({ verdict: rest, nodes: cluster.nodeCount - failures.size })
    return `preemption: ${new Diagnosis({ verdicts, nodeCount: cluster.nodeCount, ruled }).text}`
  }
}

const isEndingByPreemption = (pod: KubeObject): boolean => {
  if (pod.metadata.deletionTimestamp === undefined) return false
  const target = podStatusOf(pod).conditions?.find(({ type }) => type === "DisruptionTarget")
  return target?.status === "True" && target.reason === "PreemptionByScheduler"
}

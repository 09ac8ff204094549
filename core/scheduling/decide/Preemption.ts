// Which pods would have to go for a more important one: DefaultPreemption's search for candidates and its choice among them.
// Owns which nodes are tried and the order of choice; refuses to evict, which the scheduler does. DryRuns.ts tries one node.
import type { KubeObject } from "#kube"
import { nominatedNodeOf, podSpecOf, podStatusOf, priorityOf } from "../pod/PodFields.ts"
import type { Budget } from "./Budgets.ts"
import type { Decider } from "./Decider.ts"
import { Diagnosis, type Ruled } from "./Diagnosis.ts"
import { type Candidate, DryRuns } from "./DryRuns.ts"

export interface PreemptionParts {
  readonly decider: Decider
  /** The same list while they are what they were. */
  readonly budgets: () => ReadonlyArray<Budget>
  readonly random: () => number
}

/** What came of it: candidates to choose from, or what is said of there being none (with what it means for an older promise). */
export type Search =
  | { readonly candidates: ReadonlyArray<Candidate> }
  | { readonly message: string; readonly clearsPromise: boolean }

export class Preemption {
  private readonly parts: PreemptionParts
  private readonly dryRuns: DryRuns

  constructor(parts: PreemptionParts) {
    this.parts = parts
    this.dryRuns = new DryRuns(parts.decider)
  }

  /** All candidates that the profile's bounds let it look for. */
  search(pod: KubeObject, diagnosis: Diagnosis): Search {
    const { decider } = this.parts
    // What kube-scheduler says when DynamicResources misses what it would have noted of the pod: preemption is not asked any more.
    if (diagnosis.before !== undefined && decider.profile.asksForClaims)
      return { message: "not found", clearsPromise: false }
    const refusal = this.refusal(pod, diagnosis)
    if (refusal !== undefined) return { message: `preemption: ${refusal}`, clearsPromise: false }
    const potential = diagnosis.resolvableNodes
    if (potential === 0) return { message: this.notHelpful(new Map()), clearsPromise: true }
    const { candidatesMin, candidatesPercent } = decider.profile.preemption
    const wanted = Math.min(potential, Math.max(candidatesMin, Math.floor((potential * candidatesPercent) / 100)))
    const unbroken: Array<Candidate> = []
    const breaking: Array<Candidate> = []
    /** Nodes by verdict. */
    const failures = new Map<number, number>()
    const dryRun = this.dryRuns.of(pod, diagnosis, this.parts.budgets())
    const { length } = decider.cluster.rows
    const start = Math.floor(this.parts.random() * length)
    for (let turn = 0; turn < length; turn++) {
      const found = dryRun((start + turn) % length)
      if (found === undefined) continue
      if (typeof found === "number") failures.set(found, (failures.get(found) ?? 0) + 1)
      else if (found.violations === 0) unbroken.push(found)
      else breaking.push(found)
      if (unbroken.length > 0 && unbroken.length + breaking.length >= wanted) break
    }
    const candidates = breaking.length === 0 ? unbroken : [...unbroken, ...breaking]
    return candidates.length === 0 ? { message: this.notHelpful(failures), clearsPromise: true } : { candidates }
  }

  /** The candidate that harms least (pickOneNodeForPreemption). */
  choose(candidates: ReadonlyArray<Candidate>): Candidate {
    const cost: ReadonlyArray<(candidate: Candidate) => number> = [
      ({ violations }) => violations,
      ({ victims }) => victims[0].priority,
      ({ victims }) => victims.reduce((sum, { priority }) => sum + priority + 2 ** 31, 0),
      ({ victims }) => victims.length,
      ({ sinceMs }) => -sinceMs
    ]
    let left = candidates
    for (const of of cost) {
      if (left.length === 1) break
      let least = Infinity
      for (const candidate of left) least = Math.min(least, of(candidate))
      left = left.filter((candidate) => of(candidate) === least)
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

  private notHelpful(failures: ReadonlyMap<number, number>): string {
    const { cluster, verdicts } = this.parts.decider
    const ruled: Array<Ruled> = Array.from(failures, ([verdict, nodes]) => ({ verdict, nodes }))
    const failed = ruled.reduce((sum, { nodes }) => sum + nodes, 0)
    const rest = verdicts.id("", false, ["Preemption is not helpful for scheduling"])
    ruled.push({ verdict: rest, nodes: cluster.nodeCount - failed })
    return `preemption: ${new Diagnosis({ verdicts, nodeCount: cluster.nodeCount, ruled }).text}`
  }
}

const isEndingByPreemption = (pod: KubeObject): boolean => {
  if (pod.metadata.deletionTimestamp === undefined) return false
  const target = podStatusOf(pod).conditions?.find(({ type }) => type === "DisruptionTarget")
  return target?.status === "True" && target.reason === "PreemptionByScheduler"
}

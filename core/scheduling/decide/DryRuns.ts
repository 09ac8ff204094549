// What would have to go from one node for a pod to come: tried on the snapshot and undone, and remembered as long as nothing changes there.
// Owns the dry run (fewest victims, budgets respected where possible) and what it found; refuses to walk over nodes and to choose.
// Bound: MEMORIES_MAX memories of one number or candidate by node, the longest unused forgotten.
import type { KubeObject } from "#kube"
import type { PlacedPod } from "../cluster/Cluster.ts"
import { priorityOf, startedMsOf } from "../pod/PodFields.ts"
import { type Budget, splitByBudgets } from "./Budgets.ts"
import type { ViewParts } from "./ClassView.ts"
import type { Decider } from "./Decider.ts"
import type { Diagnosis } from "./Diagnosis.ts"
import { Trial } from "./Trial.ts"
import { FITS } from "./Verdicts.ts"

export interface Candidate {
  readonly node: number
  readonly name: string
  /** Most important first. */
  readonly victims: ReadonlyArray<PlacedPod>
  /** Budgets that evicting the victims would break. */
  readonly violations: number
  /** When the oldest of the most important victims began, milliseconds; Infinity when none has. */
  readonly sinceMs: number
}

/** Pods that wait for preemption have few priorities and needs at a time. */
const MEMORIES_MAX = 4

/** What was found for pods of one priority that one view is for. */
interface Memory {
  readonly parts: ViewParts
  readonly priority: number
  readonly budgets: ReadonlyArray<Budget>
  /** The version of the node at which it was found; 0, which no node has, for nothing. */
  readonly versions: Uint32Array
  readonly found: Array<Candidate | number | undefined>
}

/**
 * Dry runs for one pod: the fewest pods that must leave a node, or the verdict that no eviction helps; undefined for nodes that preemption
 * has no business with.
 */
export type DryRun = (node: number) => Candidate | number | undefined

export class DryRuns {
  private readonly decider: Decider
  private readonly noLesserPods: number
  private readonly noVictims: number
  private memories: ReadonlyArray<Memory> = []

  constructor(decider: Decider) {
    const { verdicts } = decider
    this.decider = decider
    this.noLesserPods = verdicts.id("DefaultPreemption", false, ["No preemption victims found for incoming pod"])
    this.noVictims = verdicts.id("DefaultPreemption", false, ["expected at least one victim pod on the node"])
  }

  /** Runs for a pod, until anything else happens. */
  of(pod: KubeObject, diagnosis: Diagnosis, budgets: ReadonlyArray<Budget>): DryRun {
    const { decider } = this
    const { present, shapes, versions } = decider.cluster
    const { isNarrow } = diagnosis
    const shape = shapes.of(pod)
    const parts: ViewParts = isNarrow ? decider.parts(pod, shape, false) : decider.view(pod, shape)
    const run: DryRun = (node) =>
      present[node] === 1 && diagnosis.isResolvable(node) ? this.run(pod, node, parts, budgets) : undefined
    // What other nodes' pods mean to the pod, and what volumes say, changes without a trace on the node itself.
    if (isNarrow || shape.volumes.length > 0 || !parts.rules.isLenient) return run
    const memory = this.memory(parts, priorityOf(pod), budgets)
    const own = decider.search.promisedNode(pod)
    return (node) => {
      // Nobody else's run leaves this pod's promise out.
      if (node === own) return run(node)
      if (memory.versions[node] === versions[node]) return memory.found[node]
      const found = run(node)
      memory.versions[node] = versions[node]
      memory.found[node] = found
      return found
    }
  }

  private memory(parts: ViewParts, priority: number, budgets: ReadonlyArray<Budget>): Memory {
    const size = this.decider.cluster.versions.length
    const known = this.memories.find(
      (one) =>
        one.parts === parts && one.priority === priority && one.budgets === budgets && one.versions.length === size
    )
    // Of its full length at once: filled from somewhere in the middle, an array becomes a hash table.
    const memory = known ?? {
      parts,
      priority,
      budgets,
      versions: new Uint32Array(size),
      found: Array.from({ length: size })
    }
    // Of other budgets there will be no more.
    const others = this.memories.filter((one) => one !== memory && one.budgets === budgets)
    this.memories = [memory, ...others.slice(0, MEMORIES_MAX - 1)]
    return memory
  }

  private run(pod: KubeObject, node: number, parts: ViewParts, budgets: ReadonlyArray<Budget>): Candidate | number {
    const { cluster, search } = this.decider
    const priority = priorityOf(pod)
    const lesser: Array<PlacedPod> = []
    for (const placed of cluster.rows[node].pods.values()) if (placed.priority < priority) lesser.push(placed)
    if (lesser.length === 0) return this.noLesserPods
    const trial = new Trial(cluster, parts, node)
    const ahead = search.promisedTo(node, pod)
    const verdict = (): number => {
      const with_ = ahead.length === 0 ? FITS : trial.verdictWith(ahead)
      return with_ === FITS ? trial.verdict() : with_
    }
    for (const placed of lesser) trial.remove(placed)
    const emptied = verdict()
    const gone = new Set<PlacedPod>(lesser)
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
      const { breaking, harmless } = splitByBudgets(byImportance(lesser), budgets)
      for (const placed of breaking) if (!reprieve(placed)) violations++
      for (const placed of harmless) reprieve(placed)
    }
    for (const placed of gone) trial.add(placed)
    if (emptied !== FITS) return emptied
    if (victims.length === 0) return this.noVictims
    return candidateOf({ node, name: cluster.rows[node].name }, byImportance(victims), violations)
  }
}

/** A node as a candidate, with its victims, the most important first. */
export const candidateOf = (
  { name, node }: Pick<Candidate, "name" | "node">,
  victims: ReadonlyArray<PlacedPod>,
  violations: number
): Candidate => {
  const most = victims[0]?.priority
  let sinceMs = Infinity
  for (const { pod, priority } of victims) if (priority === most) sinceMs = Math.min(sinceMs, startedMsOf(pod))
  return { node, name, victims, violations, sinceMs }
}

/** The most important first; equals by their uids, since a trial leaves a node's pods in another order. */
const byImportance = (pods: ReadonlyArray<PlacedPod>): ReadonlyArray<PlacedPod> => {
  if (pods.length < 2) return pods
  return pods
    .map((placed) => ({ placed, sinceMs: startedMsOf(placed.pod) }))
    .sort(
      (a, b) =>
        b.placed.priority - a.placed.priority || compare(a.sinceMs, b.sinceMs) || compare(a.placed.uid, b.placed.uid)
    )
    .map(({ placed }) => placed)
}

const compare = <A extends number | string>(a: A, b: A): number => (a < b ? -1 : a > b ? 1 : 0)

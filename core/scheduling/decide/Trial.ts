// What if: one node with some pods more or less, judged and then put back as it was.
// Owns the undoing; a trial touches the cluster's columns and the rules' counts, and nothing sees it between begin and undo.
import type { Cluster, PlacedPod } from "../cluster/Cluster.ts"
import { type Coordinates, PREFERENCE, TAINTS } from "./DomainRules.ts"
import type { ViewParts } from "./ClassView.ts"
import { FITS } from "./Verdicts.ts"

export class Trial {
  private readonly cluster: Cluster
  private readonly parts: ViewParts
  private readonly node: number
  private readonly coordinates: Coordinates = []

  constructor(cluster: Cluster, parts: ViewParts, node: number) {
    this.cluster = cluster
    this.parts = parts
    this.node = node
  }

  add(placed: PlacedPod): void {
    this.cluster.drop(placed)
    this.count(placed, 1)
  }

  remove(placed: PlacedPod): void {
    this.cluster.lift(placed)
    this.count(placed, -1)
  }

  /** Why the node will not do as it is now, or FITS. */
  verdict(): number {
    const { judge, rules } = this.parts
    const own = judge.fixed(this.node)
    if (own !== FITS) return own
    const changing = judge.changing(this.node)
    if (changing !== FITS || rules.isLenient) return changing
    return rules.verdict(this.locate())
  }

  /** The verdict with pods added besides; they are gone again afterwards. */
  verdictWith(extra: ReadonlyArray<PlacedPod>): number {
    for (const placed of extra) this.add(placed)
    const verdict = this.verdict()
    for (const placed of extra) this.remove(placed)
    return verdict
  }

  locate(): Coordinates {
    const { judge, rules } = this.parts
    rules.reviewLabels()
    this.coordinates[TAINTS] = judge.taintScore(this.node)
    this.coordinates[PREFERENCE] = judge.affinityScore(this.node)
    rules.locate(this.node, this.coordinates)
    return this.coordinates
  }

  /** A pod on its way out was never counted for spreading, and is taken off all the same: so kube-scheduler tries it. */
  private count({ kin }: PlacedPod, by: 1 | -1): void {
    const { affinity, spread } = this.parts.rules
    affinity?.apply(kin, this.node, by)
    spread?.apply(kin, this.node, by)
  }
}

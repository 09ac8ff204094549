// Pods that match a pod's spread constraints, counted by domain over the nodes that count.
// Owns the counts for one shape and keeps them by deltas; refuses to judge nodes, which SpreadRules.ts does.
import type { Cluster, NodeRow } from "../cluster/Cluster.ts"
import type { Domains } from "../cluster/Topology.ts"
import { bump, type Kin } from "../pod/Kin.ts"
import type { PodShape } from "../pod/PodShape.ts"
import { HOST_KEY, type SpreadConstraint } from "../pod/SpreadConstraint.ts"
import { hasUntolerated } from "../pod/Tolerations.ts"
import type { Touched } from "./AffinityCounts.ts"

export interface SpreadTally {
  readonly constraint: SpreadConstraint
  readonly domains: Domains
  /** Matching pods by domain, on nodes that count; empty where they are counted by node. */
  readonly counts: Int32Array
  /** Nodes that count, by domain. */
  nodes: Int32Array
  /** 1 for nodes that count; the cluster's own list of nodes where all do. */
  counted: Uint8Array
  /** Matching pods by node, counted on every node: what a soft constraint by host goes by. Nodes without one are left out. */
  readonly onNode: Map<number, number> | undefined
  /** Whether the pod itself matches. */
  readonly matchesItself: boolean
  /** Domains with at least one node that counts. */
  domainCount: number
  /** The fewest pods of such a domain; undefined when it must be looked for. */
  least: number | undefined
}

export interface SpreadSet {
  readonly hard: ReadonlyArray<SpreadConstraint>
  readonly soft: ReadonlyArray<SpreadConstraint>
  /** Whether a node must have every label of the soft constraints to count and to score. */
  readonly needsAllSoft: boolean
}

const NONE: ReadonlyArray<SpreadTally> = []
const NOTHING = new Int32Array(0)
const NOBODY = new Uint8Array(0)

export class SpreadCounts {
  readonly hard: ReadonlyArray<SpreadTally>
  readonly soft: ReadonlyArray<SpreadTally>
  readonly needsAllSoft: boolean
  private readonly cluster: Cluster
  private readonly shape: PodShape
  private readonly matching = new Map<number, ReadonlyArray<SpreadTally>>()

  constructor(cluster: Cluster, shape: PodShape, set: SpreadSet) {
    this.cluster = cluster
    this.shape = shape
    this.needsAllSoft = set.needsAllSoft
    this.hard = set.hard.map((constraint) => this.tally(constraint, false))
    this.soft = set.soft.map((constraint) => this.tally(constraint, constraint.topologyKey === HOST_KEY))
    this.countNodes(this.hard, true)
    this.countNodes(this.soft, set.needsAllSoft)
    for (const kin of cluster.shapes.kin.standingIn(shape.namespace)) {
      const tallies = this.match(kin)
      // Those of others are noted when they move: counts are made anew with each change of a node, and few move in between.
      if (tallies.length === 0) continue
      this.matching.set(kin.id, tallies)
      for (const [node, count] of kin.placed) this.add(tallies, node, count - (kin.ending.get(node) ?? 0))
    }
  }

  /** Pods of a kin that are not being deleted came to a node, or left it. */
  apply(kin: Kin, node: number, by: number, touched?: Touched): void {
    const tallies = this.matchedBy(kin)
    if (tallies.length > 0) this.add(tallies, node, by, touched)
  }

  /** The fewest matching pods of any domain that counts; 0 while there are fewer domains than the constraint asks for. */
  leastOf(tally: SpreadTally): number {
    if (tally.domainCount < tally.constraint.minDomains) return 0
    if (tally.least !== undefined) return tally.least
    let least = Infinity
    for (let domain = 0; domain < tally.counts.length; domain++)
      if (tally.nodes[domain] > 0 && tally.counts[domain] < least) least = tally.counts[domain]
    tally.least = least
    return least
  }

  private tally(constraint: SpreadConstraint, byNode: boolean): SpreadTally {
    const domains = this.cluster.domains(constraint.topologyKey)
    return {
      constraint,
      domains,
      counts: byNode ? NOTHING : new Int32Array(domains.count),
      nodes: NOTHING,
      counted: NOBODY,
      onNode: byNode ? new Map() : undefined,
      matchesItself: constraint.selector.matches(this.shape.labels),
      domainCount: 0,
      least: undefined
    }
  }

  private countNodes(all: ReadonlyArray<SpreadTally>, needsAll: boolean): void {
    const { cluster } = this
    // Nodes and domains that count matter to what is counted by domain alone.
    const tallies = all.filter(({ onNode }) => onNode === undefined)
    if (tallies.length === 0) return
    const needed = needsAll ? all.map(({ domains }) => domains) : []
    if (this.countsEveryNode(tallies, needed)) {
      for (const tally of tallies) {
        // Lent: whoever counts is made anew when nodes come or go.
        tally.counted = cluster.present
        tally.nodes = tally.domains.sizes
        tally.domainCount = tally.domains.inhabited
      }
      return
    }
    for (const tally of tallies) {
      tally.nodes = new Int32Array(tally.domains.count)
      tally.counted = new Uint8Array(cluster.present.length)
    }
    for (const row of cluster.rows) if (row.object !== undefined) this.countNode(row, tallies, needed)
  }

  /** Whether no node is left out: then the domains' own numbers are the answer, and no node has to be looked at. */
  private countsEveryNode(tallies: ReadonlyArray<SpreadTally>, needed: ReadonlyArray<Domains>): boolean {
    return (
      needed.every(({ labelled }) => labelled === this.cluster.nodeCount) &&
      tallies.every(
        ({ constraint: { honorsAffinity, honorsTaints } }) =>
          !honorsTaints && (!honorsAffinity || this.shape.required.anywhere)
      )
    )
  }

  /** A node counts where it has all labels that are needed, those of constraints by host too. */
  private countNode(row: NodeRow, tallies: ReadonlyArray<SpreadTally>, needed: ReadonlyArray<Domains>): void {
    const { index, labels, name, taints } = row
    for (const { of } of needed) if (of[index] < 0) return
    for (const tally of tallies) {
      const { honorsAffinity, honorsTaints } = tally.constraint
      if (honorsAffinity && !this.shape.required.matches(name, labels)) continue
      if (honorsTaints && hasUntolerated(this.shape.tolerations, taints)) continue
      const domain = tally.domains.of[index]
      tally.counted[index] = 1
      if (domain >= 0 && tally.nodes[domain]++ === 0) tally.domainCount++
    }
  }

  private matchedBy(kin: Kin): ReadonlyArray<SpreadTally> {
    if (kin.namespace !== this.shape.namespace) return NONE
    const known = this.matching.get(kin.id)
    if (known !== undefined) return known
    const fresh = this.match(kin)
    this.matching.set(kin.id, fresh)
    return fresh
  }

  private match({ labels }: Kin): ReadonlyArray<SpreadTally> {
    const matches = ({ constraint: { selector } }: SpreadTally): boolean => !selector.empty && selector.matches(labels)
    const hard = this.hard.filter(matches)
    const soft = this.soft.filter(matches)
    return hard.length === 0 && soft.length === 0 ? NONE : [...hard, ...soft]
  }

  private add(tallies: ReadonlyArray<SpreadTally>, node: number, by: number, touched?: Touched): void {
    if (by === 0) return
    for (const tally of tallies) {
      const domain = tally.domains.of[node]
      if (tally.onNode !== undefined) {
        bump(tally.onNode, node, by)
        if (domain >= 0) touched?.(tally.domains, domain)
        continue
      }
      if (domain < 0 || tally.counted[node] !== 1) continue
      const before = tally.counts[domain]
      tally.counts[domain] += by
      if (tally.least !== undefined && (by < 0 ? before + by < tally.least : before === tally.least))
        tally.least = undefined
      touched?.(tally.domains, domain)
    }
  }
}

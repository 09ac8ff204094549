// What pods that are placed mean to one shape of pods: its rules between pods, kept by deltas.
// Owns the keeping, and which nodes were touched by it; refuses to judge nodes, which ClassView.ts does for all shapes with the same needs.
// Made anew when labels count differently, a node is another one, or following the log would cost more.
import { Change } from "../cluster/ChangeLog.ts"
import type { Cluster } from "../cluster/Cluster.ts"
import type { Domains } from "../cluster/Topology.ts"
import { HOST_KEY } from "../pod/SpreadConstraint.ts"
import type { DomainRules } from "./DomainRules.ts"

/** Changes up to which reading them is cheaper than counting anew, for rules that few nodes stand out by. */
const FOLLOWED_MAX = 1024

export class ShapeRules {
  /** Another object whenever the counts were made anew. */
  rules: DomainRules
  private readonly cluster: Cluster
  private readonly make: () => DomainRules
  private readonly moved: Array<number> = []
  private cursor = 0
  private epoch = -1
  private nodeEpoch = -1
  private outerEpoch = -1
  private sweeps = -1
  private isNew = true
  private keyed = { outline: "", isLocal: false, isMarked: false, key: "" }

  /** To be synced before anything else happens. */
  constructor(cluster: Cluster, make: () => DomainRules) {
    this.cluster = cluster
    this.make = make
    this.rules = make()
  }

  /** Learns of everything that has happened; `outerEpoch` moves with facts that the cluster does not hold. */
  sync(outerEpoch: number): void {
    const { cluster } = this
    const { head } = cluster.log
    this.moved.length = 0
    const fresh =
      this.epoch === cluster.epoch &&
      this.nodeEpoch === cluster.nodeEpoch &&
      this.outerEpoch === outerEpoch &&
      this.sweeps === cluster.shapes.kin.sweeps &&
      cluster.log.reaches(this.cursor) &&
      (head - this.cursor <= FOLLOWED_MAX || !this.rules.isLocal)
    if (fresh) {
      if (this.cursor !== head) this.follow()
    } else if (!this.isNew) this.rules = this.make()
    this.isNew = false
    this.cursor = head
    this.epoch = cluster.epoch
    this.nodeEpoch = cluster.nodeEpoch
    this.outerEpoch = outerEpoch
    this.sweeps = cluster.shapes.kin.sweeps
  }

  /** Nodes that are other than before by what the last look has read. */
  get touched(): ReadonlyArray<number> {
    return this.moved
  }

  /** The key of the view that the rules go with; made again only when the rules or the mark are others than at the last call. */
  viewKey(isMarked: boolean, make: (outline: string, isLocal: boolean) => string): string {
    const { isLocal, outline } = this.rules
    const { keyed } = this
    if (keyed.key !== "" && keyed.outline === outline && keyed.isLocal === isLocal && keyed.isMarked === isMarked)
      return keyed.key
    const key = make(outline, isLocal)
    this.keyed = { outline, isLocal, isMarked, key }
    return key
  }

  private readonly onTouched = (domains: Domains, domain: number): void => {
    // Other labels' domains are coordinates: their counts are read when groups are judged.
    if (domains.key !== HOST_KEY) return
    for (const node of domains.membersOf(domain)) this.moved.push(node)
  }

  private follow(): void {
    const { cluster, rules } = this
    const { affinity, spread } = rules
    if (affinity === undefined && spread === undefined) return
    cluster.log.read(this.cursor, (kind, node, kinId, ending) => {
      const kin = kinId < 0 ? undefined : cluster.shapes.kin.get(kinId)
      if (kin === undefined) return
      if (kind === Change.placed) {
        affinity?.apply(kin, node, 1, this.onTouched)
        if (!ending) spread?.apply(kin, node, 1, this.onTouched)
      } else if (kind === Change.removed) {
        affinity?.apply(kin, node, -1, this.onTouched)
        if (!ending) spread?.apply(kin, node, -1, this.onTouched)
      } else if (kind === Change.ending) spread?.apply(kin, node, -1, this.onTouched)
    })
    rules.reviewLabels()
  }
}

// All nodes as one shape of pods sees them: verdicts, groups and scores, kept by deltas so that a run of alike pods costs what changed.
// Owns the keeping; refuses to know rules (NodeJudge, DomainRules) and to choose (Ranking). Rebuilt when static facts changed or the log
// no longer reaches back.
import { Change } from "../cluster/ChangeLog.ts"
import type { Cluster } from "../cluster/Cluster.ts"
import type { Domains } from "../cluster/Topology.ts"
import { type Coordinates, type DomainRules, PREFERENCE, TAINTS } from "./DomainRules.ts"
import type { NodeJudge } from "./NodeJudge.ts"
import { NodeGroups } from "./NodeGroups.ts"
import { FITS } from "./Verdicts.ts"

/** Makes what a view needs, from the cluster as it is now. */
export interface ViewParts {
  readonly judge: NodeJudge
  readonly rules: DomainRules
}

/** Not a verdict: the number has no node. */
const ABSENT = 0xffff

export class ClassView {
  judge: NodeJudge
  rules: DomainRules
  groups = new NodeGroups()
  /** What the node itself says, by node: a verdict's number, FITS, or ABSENT. */
  verdicts = new Uint16Array(0)
  /** Nodes of each verdict. */
  tally: Array<number> = []
  private fixed = new Uint16Array(0)
  private taints = new Int32Array(0)
  private preference = new Int32Array(0)
  private dirty = new Uint8Array(0)
  private readonly pending: Array<number> = []
  private readonly cluster: Cluster
  private readonly make: () => ViewParts
  /** Whether judge and rules were made for the first look, which follows at once. */
  private isNew = true
  private cursor = 0
  private epoch = -1
  private imageEpoch = -1
  private outerEpoch = -1
  private sweeps = -1
  private layout = -1
  private readonly coordinates: Coordinates = []

  /** To be synced before anything else happens. */
  constructor(cluster: Cluster, make: () => ViewParts) {
    this.cluster = cluster
    this.make = make
    const { judge, rules } = make()
    this.judge = judge
    this.rules = rules
  }

  /** Learns of everything that has happened; `outerEpoch` moves with facts that the cluster does not hold. */
  sync(outerEpoch: number): void {
    const { cluster } = this
    const stale =
      this.epoch !== cluster.epoch ||
      this.outerEpoch !== outerEpoch ||
      this.sweeps !== cluster.shapes.kin.sweeps ||
      !cluster.log.reaches(this.cursor)
    if (stale) this.rebuild(outerEpoch)
    else if (this.cursor !== cluster.log.head) this.follow()
    if (this.imageEpoch !== cluster.images.epoch) {
      this.imageEpoch = cluster.images.epoch
      if (!stale && this.judge.room.seesImages) this.regroup()
    }
    this.settle()
  }

  /** Groups follow the rules when those have learned to tell more nodes apart. */
  settle(): void {
    if (this.layout !== this.rules.layout) this.regroup()
  }

  /** Takes a node out until it is refreshed. */
  exclude(node: number, verdict: number): void {
    this.groups.remove(node)
    this.setVerdict(node, verdict)
  }

  /** Judges a node anew. */
  refresh(node: number): void {
    const { cluster, coordinates } = this
    if (cluster.present[node] === 0) {
      this.groups.remove(node)
      this.setVerdict(node, ABSENT)
      return
    }
    const fixed = this.fixed[node]
    const verdict = fixed === FITS ? this.judge.changing(node) : fixed
    if (verdict !== this.verdicts[node]) this.setVerdict(node, verdict)
    if (verdict !== FITS) {
      this.groups.remove(node)
      return
    }
    coordinates[TAINTS] = this.taints[node]
    coordinates[PREFERENCE] = this.preference[node]
    this.rules.locate(node, coordinates)
    this.groups.put(node, coordinates, this.judge.score(node))
  }

  private setVerdict(node: number, verdict: number): void {
    const before = this.verdicts[node]
    if (before === verdict) return
    if (before !== ABSENT) this.tally[before]--
    if (verdict !== ABSENT) this.tally[verdict] = (this.tally[verdict] ?? 0) + 1
    this.verdicts[node] = verdict
  }

  private rebuild(outerEpoch: number): void {
    const { cluster } = this
    const parts: ViewParts = this.isNew ? this : this.make()
    this.isNew = false
    const { judge, rules } = parts
    this.judge = judge
    this.rules = rules
    const size = cluster.present.length
    this.verdicts = new Uint16Array(size).fill(ABSENT)
    this.fixed = new Uint16Array(size)
    this.taints = new Int32Array(size)
    this.preference = new Int32Array(size)
    this.dirty = new Uint8Array(size)
    this.pending.length = 0
    this.tally = []
    for (let node = 0; node < cluster.rows.length; node++) {
      if (cluster.present[node] === 0) continue
      const fixed = judge.fixed(node)
      this.fixed[node] = fixed
      if (fixed !== FITS) continue
      this.taints[node] = judge.taintScore(node)
      this.preference[node] = judge.affinityScore(node)
    }
    this.regroup()
    this.cursor = cluster.log.head
    this.epoch = cluster.epoch
    this.outerEpoch = outerEpoch
    this.sweeps = cluster.shapes.kin.sweeps
  }

  private regroup(): void {
    this.groups = new NodeGroups()
    this.layout = this.rules.layout
    for (let node = 0; node < this.cluster.rows.length; node++) this.refresh(node)
  }

  private readonly touched = (domains: Domains, domain: number): void => {
    // Other labels' domains are coordinates: their counts are read when groups are judged.
    if (domains.key !== HOST_KEY) return
    for (const node of domains.membersOf(domain)) this.mark(node)
  }

  private mark(node: number): void {
    if (this.dirty[node] === 1) return
    this.dirty[node] = 1
    this.pending.push(node)
  }

  private follow(): void {
    const { cluster, rules } = this
    const { affinity, spread } = rules
    cluster.log.read(this.cursor, (kind, node, kinId, ending) => {
      this.mark(node)
      const kin = kinId < 0 ? undefined : cluster.shapes.kin.get(kinId)
      if (kin === undefined) return
      if (kind === Change.placed) {
        affinity?.apply(kin, node, 1, this.touched)
        if (!ending) spread?.apply(kin, node, 1, this.touched)
      } else if (kind === Change.removed) {
        affinity?.apply(kin, node, -1, this.touched)
        if (!ending) spread?.apply(kin, node, -1, this.touched)
      } else if (kind === Change.ending) spread?.apply(kin, node, -1, this.touched)
    })
    this.cursor = cluster.log.head
    rules.reviewLabels()
    for (const node of this.pending) {
      this.dirty[node] = 0
      this.refresh(node)
    }
    this.pending.length = 0
  }
}

const HOST_KEY = "kubernetes.io/hostname"

// All nodes as pods with the same needs see them: verdicts, groups and scores, kept by deltas so that a run of pods costs what changed.
// What pods mean to one another is one shape's own: the view takes on the rules of the shape that asks, and where few nodes stand out by
// them, moves only those. Owns the keeping; refuses to know rules (NodeJudge, DomainRules, ShapeRules) and to choose (Ranking).
import { Change } from "../cluster/ChangeLog.ts"
import type { Cluster, PlacedPod } from "../cluster/Cluster.ts"
import { type Coordinates, type DomainRules, PREFERENCE, TAINTS } from "./DomainRules.ts"
import { NodeGroups } from "./NodeGroups.ts"
import type { NodeJudge } from "./NodeJudge.ts"
import { NodeSet } from "./NodeSet.ts"
import { Trial } from "./Trial.ts"
import { FITS } from "./Verdicts.ts"

/** What a pod is judged by. */
export interface ViewParts {
  readonly judge: NodeJudge
  readonly rules: DomainRules
}

/** Pods that are promised nodes and come before the one that asks: the same for all of one priority, but for their own promises. */
export interface Ahead {
  readonly of: (node: number) => ReadonlyArray<PlacedPod>
  /** The node that the pod itself is promised, -1 for none. */
  readonly own: number
}

export const nobodyAhead: Ahead = { of: () => [], own: -1 }

/** Not a verdict: the number has no node. */
const ABSENT = 0xffff

export class ClassView implements ViewParts {
  judge: NodeJudge
  /** Those of the shape that asked last. */
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
  /** Nodes that stand out by the rules; kept where those are local. */
  private strays = new NodeSet()
  private spare = new NodeSet()
  private readonly cluster: Cluster
  private readonly make: () => NodeJudge
  private cursor = 0
  private nodeEpoch = -1
  private imageEpoch = -1
  private outerEpoch = -1
  private layout = -1
  private outline = ""
  private ahead = nobodyAhead
  private readonly coordinates: Coordinates = []

  /** To be synced before anything else happens. */
  constructor(cluster: Cluster, make: () => NodeJudge, rules: DomainRules) {
    this.cluster = cluster
    this.make = make
    this.judge = make()
    this.rules = rules
  }

  /**
   * Learns of everything that has happened and takes on a shape's rules, which are up to date; `touched` nodes are other than before by
   * them. `outerEpoch` moves with facts that the cluster does not hold. All pods of one view have the same ones `ahead`.
   */
  sync(rules: DomainRules, touched: ReadonlyArray<number>, outerEpoch: number, ahead: Ahead): void {
    const { cluster } = this
    const left = this.ahead.own
    this.ahead = ahead
    const stale =
      this.outerEpoch !== outerEpoch ||
      this.verdicts.length !== cluster.present.length ||
      !cluster.log.reaches(this.cursor) ||
      (this.judge.room.seesImages && (this.imageEpoch !== cluster.images.epoch || this.nodeEpoch !== cluster.nodeEpoch))
    if (stale) this.rebuild(rules, outerEpoch)
    else {
      this.readLog()
      for (const node of touched) this.mark(node)
      if (left >= 0) this.mark(left)
      if (ahead.own >= 0) this.mark(ahead.own)
      if (this.rules !== rules) this.takeOn(rules)
      this.settle()
      for (const node of this.pending) {
        this.dirty[node] = 0
        this.refresh(node)
      }
      this.pending.length = 0
    }
    this.imageEpoch = cluster.images.epoch
    this.nodeEpoch = cluster.nodeEpoch
  }

  /** Groups follow the rules when those have learned to tell more nodes apart. */
  settle(): void {
    this.rules.reviewLabels()
    if (this.layout !== this.rules.layout) this.regroup()
  }

  /** Takes a node out until it is refreshed. */
  exclude(node: number, verdict: number): void {
    this.groups.remove(node)
    this.setVerdict(node, verdict)
  }

  /** Judges a node anew. */
  refresh(node: number): void {
    if (this.cluster.present[node] === 0) {
      this.groups.remove(node)
      this.setVerdict(node, ABSENT)
      return
    }
    let verdict = this.fixed[node]
    if (verdict === FITS) verdict = this.judge.changing(node)
    if (verdict === FITS) verdict = this.crowded(node)
    if (verdict !== this.verdicts[node]) this.setVerdict(node, verdict)
    if (verdict !== FITS) {
      this.groups.remove(node)
      return
    }
    this.put(this.groups, node, this.judge.score(node))
  }

  /** Why the node will not do once pods that are promised to it have come, or FITS. */
  private crowded(node: number): number {
    if (this.ahead === nobodyAhead) return FITS
    const pods = this.ahead.of(node)
    return pods.length === 0 ? FITS : new Trial(this.cluster, this, node).verdictWith(pods)
  }

  private put(groups: NodeGroups, node: number, level: number): void {
    const { coordinates, rules } = this
    coordinates[TAINTS] = this.taints[node]
    coordinates[PREFERENCE] = this.preference[node]
    rules.locate(node, coordinates)
    groups.put(node, coordinates, level)
    if (rules.isStray(node)) this.strays.add(node)
  }

  private setVerdict(node: number, verdict: number): void {
    const before = this.verdicts[node]
    if (before === verdict) return
    if (before !== ABSENT) this.tally[before]--
    if (verdict !== ABSENT) this.tally[verdict] = (this.tally[verdict] ?? 0) + 1
    this.verdicts[node] = verdict
  }

  private rebuild(rules: DomainRules, outerEpoch: number): void {
    const { cluster } = this
    // What the volumes say is asked for with the judge.
    if (this.outerEpoch !== -1) this.judge = this.make()
    this.rules = rules
    const size = cluster.present.length
    this.verdicts = new Uint16Array(size).fill(ABSENT)
    this.fixed = new Uint16Array(size)
    this.taints = new Int32Array(size)
    this.preference = new Int32Array(size)
    this.dirty = new Uint8Array(size)
    this.pending.length = 0
    this.tally = []
    this.begin()
    for (let node = 0; node < cluster.rows.length; node++) {
      this.look(node)
      this.refresh(node)
    }
    this.cursor = cluster.log.head
    this.outerEpoch = outerEpoch
  }

  /** What seldom changes of a node. */
  private look(node: number): void {
    if (this.cluster.present[node] === 0) return
    const { judge } = this
    const fixed = judge.fixed(node)
    this.fixed[node] = fixed
    if (fixed !== FITS) return
    this.taints[node] = judge.taintScore(node)
    this.preference[node] = judge.affinityScore(node)
  }

  private begin(): void {
    this.groups = new NodeGroups()
    this.strays.clear()
    this.layout = this.rules.layout
    this.outline = this.rules.outline
  }

  /** Nodes keep what they were judged to be, and are grouped by the rules as they are now. */
  private regroup(): void {
    const before = this.groups
    this.begin()
    for (let node = 0; node < this.cluster.rows.length; node++)
      if (before.has(node)) this.put(this.groups, node, before.level(node))
  }

  private takeOn(rules: DomainRules): void {
    this.rules = rules
    if (!rules.isLocal || rules.outline !== this.outline) {
      this.regroup()
      return
    }
    this.layout = rules.layout
    const before = this.strays
    this.strays = this.spare
    this.spare = before
    before.each(this.move)
    before.clear()
    rules.eachStray(this.move)
  }

  private readonly move = (node: number): void => {
    if (this.groups.has(node)) this.put(this.groups, node, this.groups.level(node))
  }

  private mark(node: number): void {
    if (this.dirty[node] === 1) return
    this.dirty[node] = 1
    this.pending.push(node)
  }

  private readLog(): void {
    const { log } = this.cluster
    if (this.cursor === log.head) return
    log.read(this.cursor, (kind, node) => {
      if (kind === Change.node) this.look(node)
      this.mark(node)
    })
    this.cursor = log.head
  }
}

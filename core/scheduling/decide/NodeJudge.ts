// What one profile thinks of one node for one shape of pods, apart from what domains say: filters that look at the node alone, its score,
// and the coordinates by which DomainRules.ts judges whole groups of nodes at once.
// Owns NodeUnschedulable, TaintToleration and NodeAffinity; refuses to keep results, which ClassView.ts does.
import type { Cluster, NodeRow } from "../cluster/Cluster.ts"
import type { Profile } from "../config/Profile.ts"
import type { PodShape } from "../pod/PodShape.ts"
import { countUntolerated, hasUntolerated } from "../pod/Tolerations.ts"
import { RoomCheck } from "./RoomCheck.ts"
import { FITS, type Verdicts } from "./Verdicts.ts"
import type { VolumeCheck } from "./VolumeCheck.ts"

export const UNSCHEDULABLE = "node(s) were unschedulable"
export const UNTOLERATED = "node(s) had untolerated taint(s)"
export const AFFINITY_DIFFERS = "node(s) didn't match Pod's node affinity/selector"
export const ENFORCED_DIFFERS = "node(s) didn't match scheduler-enforced node affinity"

export interface JudgeParts {
  readonly cluster: Cluster
  readonly shape: PodShape
  readonly profile: Profile
  readonly verdicts: Verdicts
  /** Absent for pods without volumes that decide. */
  readonly volumes: VolumeCheck | undefined
}

export class NodeJudge {
  readonly room: RoomCheck
  readonly volumes: VolumeCheck | undefined
  private readonly cluster: Cluster
  private readonly shape: PodShape
  private readonly profile: Profile
  private readonly verdicts: Verdicts
  private readonly volumeWeight: number

  constructor({ cluster, profile, shape, verdicts, volumes }: JudgeParts) {
    this.cluster = cluster
    this.shape = shape
    this.profile = profile
    this.verdicts = verdicts
    this.volumes = volumes
    this.room = new RoomCheck(cluster, shape, profile, verdicts)
    this.volumeWeight = profile.weights.get("VolumeBinding") ?? 0
  }

  /** The first filter that rules the node out by what seldom changes: its labels and taints. */
  fixed(node: number): number {
    const { filters } = this.profile
    const row = this.cluster.rows[node]
    if (row.unschedulable && !this.shape.toleratesUnschedulable && filters.has("NodeUnschedulable"))
      return this.verdicts.id("NodeUnschedulable", false, [UNSCHEDULABLE])
    if (row.taints.length > 0 && filters.has("TaintToleration") && hasUntolerated(this.shape.tolerations, row.taints))
      return this.verdicts.id("TaintToleration", false, [UNTOLERATED])
    return filters.has("NodeAffinity") ? this.affinity(row) : FITS
  }

  /** The first filter that rules it out by what changes with every pod: ports, resources, volumes. */
  changing(node: number): number {
    const room = this.room.verdict(node)
    if (room !== FITS || this.volumes === undefined) return room
    return this.volumes.verdict(node)
  }

  /** PreferNoSchedule taints that the pod does not tolerate. */
  taintScore(node: number): number {
    const { taints } = this.cluster.rows[node]
    if (taints.length === 0 || !this.profile.weights.has("TaintToleration")) return 0
    return countUntolerated(this.shape.soft, taints)
  }

  /** Weights of the preferred node terms that match. */
  affinityScore(node: number): number {
    const { preferred } = this.shape
    const added = this.profile.addedAffinity.preferred
    if ((preferred === undefined && added === undefined) || !this.profile.weights.has("NodeAffinity")) return 0
    const { labels, name } = this.cluster.rows[node]
    return (added?.score(name, labels) ?? 0) + (preferred?.score(name, labels) ?? 0)
  }

  /** The part of the score that needs no look at other nodes. */
  score(node: number): number {
    const room = this.room.score(node)
    return this.volumes === undefined || this.volumeWeight === 0
      ? room
      : room + this.volumeWeight * this.volumes.score(node)
  }

  private affinity({ labels, name }: NodeRow): number {
    const added = this.profile.addedAffinity.required
    if (added !== undefined && !added.matches(name, labels))
      return this.verdicts.id("NodeAffinity", false, [ENFORCED_DIFFERS])
    const { required } = this.shape
    if (required.anywhere || required.matches(name, labels)) return FITS
    return this.verdicts.id("NodeAffinity", false, [AFFINITY_DIFFERS])
  }
}

// Where a pod goes: one profile's decision for one pod, from the snapshot as it stands.
// Owns the order of the steps (what the pod rules out itself, a promised node, named nodes, all nodes) and what it keeps: a view of all
// nodes for pods with the same needs, rules between pods for those of one shape. Refuses to change anything: assuming, binding and
// evicting are the scheduler's. Bound: VIEWS_MAX views and RULES_MAX rules, the longest unused forgotten.
import type { KubeObject } from "#kube"
import type { Cluster } from "../cluster/Cluster.ts"
import type { Selectors } from "../cluster/Selectors.ts"
import type { Profile } from "../config/Profile.ts"
import { nodeNameOf, nominatedNodeOf, priorityOf } from "../pod/PodFields.ts"
import type { PodShape } from "../pod/PodShape.ts"
import { spreadConstraintsOf } from "../pod/SpreadConstraint.ts"
import { AffinityCounts } from "./AffinityCounts.ts"
import { ClassView, nobodyAhead, type ViewParts } from "./ClassView.ts"
import { Diagnosis } from "./Diagnosis.ts"
import { explainNowhere, explainRanking, type Explanation } from "./Explanation.ts"
import { DomainRules } from "./DomainRules.ts"
import { NodeJudge } from "./NodeJudge.ts"
import { needsText } from "./NodeNeeds.ts"
import { NodeSearch, type Survey } from "./NodeSearch.ts"
import type { Nominations } from "./Nominations.ts"
import { ShapeRules } from "./ShapeRules.ts"
import { SpreadCounts, type SpreadSet } from "./SpreadCounts.ts"
import { FITS, type Verdict, Verdicts } from "./Verdicts.ts"
import type { VolumePlan } from "../volumes/VolumePlan.ts"
import type { VolumeCheck } from "./VolumeCheck.ts"

/** What the pods' volumes say; volumes/ provides it. */
export interface VolumeSource {
  /** Moves when any answer may be different. */
  readonly epoch: number
  /** The check of a pod's volumes, why it can be nowhere, or undefined when its volumes decide nothing. */
  readonly check: (pod: KubeObject, shape: PodShape) => VolumeCheck | { readonly before: Verdict } | undefined
  /** What binding the pod's volumes on a node takes; undefined when nothing does. */
  readonly plan: (pod: KubeObject, shape: PodShape, node: number) => VolumePlan | undefined
}

/** For pods whose volumes decide nothing, and for tests of everything else. */
export const noVolumes: VolumeSource = { epoch: 0, check: () => undefined, plan: () => undefined }

export interface DeciderParts {
  readonly cluster: Cluster
  readonly profile: Profile
  readonly nominations: Nominations
  readonly selectors: Selectors
  readonly volumes: (verdicts: Verdicts, profile: Profile) => VolumeSource
  /** In [0, 1): breaks ties. */
  readonly random: () => number
}

export interface Chosen {
  readonly node: number
  readonly name: string
  /** Nodes that were judged. */
  readonly evaluated: number
  readonly feasible: number
}

export type Decision = Chosen | Diagnosis

/** Feasible nodes with their totals, and what ruled out the others. */
export interface Shortlist {
  readonly totals: ReadonlyMap<number, number>
  readonly diagnosis: Diagnosis
}

const VIEWS_MAX = 48
const RULES_MAX = 512
/** Named nodes up to which judging them one by one beats keeping a view of all. */
const FEW_NODES = 16

const noSpread: SpreadSet = { hard: [], soft: [], needsAllSoft: false }

export class Decider {
  readonly verdicts = new Verdicts()
  readonly cluster: Cluster
  readonly profile: Profile
  readonly search: NodeSearch
  private readonly selectors: Selectors
  private readonly volumes: VolumeSource
  private readonly random: () => number
  private readonly views = new Map<string, ClassView>()
  private readonly shapeRules = new Map<PodShape, ShapeRules>()
  private generation = 0

  constructor({ cluster, nominations, profile, random, selectors, volumes }: DeciderParts) {
    this.cluster = cluster
    this.profile = profile
    this.search = new NodeSearch({ cluster, profile, nominations, verdicts: this.verdicts })
    this.selectors = selectors
    selectors.onKeys((keys) => cluster.shapes.kin.learn(keys))
    this.random = random
    this.volumes = volumes(this.verdicts, profile)
  }

  /** The node for a pod, or why there is none. */
  decide(pod: KubeObject): Decision {
    const shape = this.cluster.shapes.of(pod)
    const before = this.ruledOut(pod, shape)
    if (before !== undefined) return this.nowhere(before)
    const promised = nominatedNodeOf(pod)
    if (promised !== "") {
      const kept = this.promisedNode(pod, shape, promised)
      if (kept !== undefined) return kept
    }
    const { diagnose, evaluated, ranking, release } = this.survey(pod, shape)
    const best = ranking.best(this.random)
    const decision =
      best === undefined
        ? diagnose()
        : { node: best, name: this.cluster.rows[best].name, evaluated, feasible: ranking.feasibleNodes }
    release()
    return decision
  }

  /** All nodes that will do with their totals, for those who have a say beside the profile; or why there is none. */
  shortlist(pod: KubeObject): Shortlist | Diagnosis {
    const shape = this.cluster.shapes.of(pod)
    const before = this.ruledOut(pod, shape)
    if (before !== undefined) return this.nowhere(before)
    const { diagnose, ranking, release } = this.survey(pod, shape)
    const totals = new Map<number, number>()
    for (const group of ranking.feasible) {
      const shared = ranking.shared(group)
      for (const [own, members] of group.levels.entries())
        for (const node of members ?? []) totals.set(node, own + shared)
    }
    const diagnosis = diagnose()
    const verdicts = new Map<number, number>()
    for (let node = 0; node < this.cluster.rows.length; node++)
      if (this.cluster.present[node] === 1) verdicts.set(node, diagnosis.verdictOf(node))
    release()
    return totals.size === 0
      ? this.frozen(diagnosis, verdicts)
      : { totals, diagnosis: this.frozen(diagnosis, verdicts) }
  }

  /** A diagnosis whose verdicts by node stay what they were. */
  private frozen(diagnosis: Diagnosis, verdicts: ReadonlyMap<number, number>): Diagnosis {
    return new Diagnosis({
      verdicts: this.verdicts,
      nodeCount: diagnosis.nodeCount,
      ruled: diagnosis.ruled,
      verdictOf: (node) => verdicts.get(node) ?? FITS,
      narrowing: diagnosis.narrowing
    })
  }

  /** The diagnosis with nodes turned down by others besides. */
  withObjections(
    diagnosis: Diagnosis,
    objections: ReadonlyMap<string, { readonly reason: string; readonly resolvable: boolean }>,
    plugin: string
  ): Diagnosis {
    const more = new Map<number, number>()
    for (const [name, { reason, resolvable }] of objections) {
      const node = this.cluster.find(name)
      if (node !== undefined) more.set(node, this.verdicts.id(plugin, resolvable, [reason]))
    }
    return new Diagnosis({
      verdicts: this.verdicts,
      nodeCount: diagnosis.nodeCount,
      ruled: [
        ...diagnosis.ruled.filter(({ verdict }) => verdict !== FITS),
        ...Array.from(more.values(), (verdict) => ({ verdict, nodes: 1 }))
      ],
      verdictOf: (node) => more.get(node) ?? diagnosis.verdictOf(node),
      narrowing: [...diagnosis.narrowing, plugin]
    })
  }

  /** Why a pod would go where it would, or nowhere; `limit` of the best nodes are told. */
  explain(pod: KubeObject, limit: number): Explanation {
    const shape = this.cluster.shapes.of(pod)
    const before = this.ruledOut(pod, shape)
    if (before !== undefined) return explainNowhere(this.nowhere(before))
    const { diagnose, judge, ranking, release } = this.survey(pod, shape)
    const explanation = explainRanking({ diagnosis: diagnose(), judge, ranking, cluster: this.cluster, limit })
    release()
    return explanation
  }

  /** The nodes that the pod itself names, and the plugins by which it does; few enough are judged one by one. */
  private narrowed(
    pod: KubeObject,
    { named }: PodShape
  ): { readonly names: ReadonlySet<string> | undefined; readonly plugins: ReadonlyArray<string> } {
    const { filters } = this.profile
    const only = filters.has("NodeName") ? nodeNameOf(pod) : ""
    const affine = filters.has("NodeAffinity") ? named : undefined
    if (only === "") return { names: affine, plugins: ["NodeAffinity"] }
    const names = new Set([only])
    return affine === undefined
      ? { names, plugins: ["NodeName"] }
      : { names: names.intersection(affine), plugins: ["NodeAffinity", "NodeName"] }
  }

  /** What the pod's shape sees of all nodes, up to date until the next one is asked for. */
  view(pod: KubeObject, shape: PodShape): ClassView {
    // Shapes are others since more labels count.
    if (this.generation !== this.cluster.shapes.kin.generation) {
      this.generation = this.cluster.shapes.kin.generation
      this.views.clear()
      this.shapeRules.clear()
    }
    const own = this.rulesFor(shape)
    const { rules, touched } = own
    const hasVolumes = shape.volumes.length > 0
    const seen = this.seesImages(shape)
    const ahead = rules.isLenient ? this.search.ahead(pod) : nobodyAhead
    const needs = own.viewKey(seen, (outline, isLocal) => {
      const alone = hasVolumes || !isLocal ? shape.id : ""
      return `${alone}/${outline}/${seen ? shape.images.join() : ""}/${needsText(shape)}`
    })
    const key = ahead === nobodyAhead ? needs : `${needs}@${priorityOf(pod)}`
    let view = this.views.get(key)
    if (view === undefined) {
      // Images that no node has are none: other pods' views are the same.
      const judged = seen ? shape : { ...shape, images: [] }
      view = new ClassView(this.cluster, () => this.judge(pod, judged), rules)
    }
    keep(this.views, key, view, VIEWS_MAX)
    view.sync(rules, touched, hasVolumes ? this.volumes.epoch : 0, ahead)
    return view
  }

  private rulesFor(shape: PodShape): ShapeRules {
    const own = this.shapeRules.get(shape) ?? new ShapeRules(this.cluster, () => this.rules(shape, true))
    keep(this.shapeRules, shape, own, RULES_MAX)
    const spreads = (shape.spec.topologySpreadConstraints?.length ?? 0) === 0
    own.sync(spreads ? this.selectors.epoch : 0)
    return own
  }

  private seesImages({ images }: PodShape): boolean {
    return (
      this.profile.weights.has("ImageLocality") && images.some((image) => this.cluster.images.get(image) !== undefined)
    )
  }

  /** What binding a pod's volumes on its node takes. */
  volumePlan(pod: KubeObject, node: number): VolumePlan | undefined {
    const shape = this.cluster.shapes.of(pod)
    return shape.volumes.length === 0 ? undefined : this.volumes.plan(pod, shape, node)
  }

  /** Judge and rules for a shape; soft spreading, which only scores, may be left out. */
  parts(pod: KubeObject, shape: PodShape, scores: boolean): ViewParts {
    return { judge: this.judge(pod, shape), rules: this.rules(shape, scores) }
  }

  private judge(pod: KubeObject, shape: PodShape): NodeJudge {
    const { cluster, profile, verdicts } = this
    const found = this.volumes.check(pod, shape)
    const volumes = found === undefined || "before" in found ? undefined : found
    return new NodeJudge({ cluster, shape, profile, verdicts, volumes })
  }

  private rules(shape: PodShape, scores: boolean): DomainRules {
    const { cluster, profile, verdicts } = this
    const set = this.spreadSet(shape, scores)
    const spread = set.hard.length === 0 && set.soft.length === 0 ? undefined : new SpreadCounts(cluster, shape, set)
    const usesAffinity = profile.filters.has("InterPodAffinity") || profile.weights.has("InterPodAffinity")
    const affinity = usesAffinity ? new AffinityCounts(cluster, shape.kin, profile.affinity) : undefined
    return new DomainRules(affinity, spread, verdicts, profile.filters)
  }

  private spreadSet(shape: PodShape, scores: boolean): SpreadSet {
    const { filters, spread, weights } = this.profile
    const own = shape.spec.topologySpreadConstraints ?? []
    const filtering = filters.has("PodTopologySpread")
    const scoring = scores && weights.has("PodTopologySpread")
    if (own.length > 0)
      return {
        hard: filtering ? spreadConstraintsOf(own, shape.labels, "DoNotSchedule") : [],
        soft: scoring ? spreadConstraintsOf(own, shape.labels, "ScheduleAnyway") : [],
        needsAllSoft: true
      }
    if (spread.constraints.length === 0 || !(filtering || scoring)) return noSpread
    const selector = this.selectors.of(shape)
    if (selector.empty) return noSpread
    return {
      hard: filtering ? spreadConstraintsOf(spread.constraints, shape.labels, "DoNotSchedule", selector) : [],
      soft: scoring ? spreadConstraintsOf(spread.constraints, shape.labels, "ScheduleAnyway", selector) : [],
      needsAllSoft: !spread.isSystem
    }
  }

  /** What rules the pod out whatever the nodes are (PreFilter). */
  private ruledOut(pod: KubeObject, shape: PodShape): Verdict | undefined {
    if (this.profile.filters.has("NodeAffinity") && shape.named?.size === 0)
      return this.verdicts.get(this.verdicts.id("NodeAffinity", false, ["pod affinity terms conflict"]))
    const volumes = this.volumes.check(pod, shape)
    return volumes !== undefined && "before" in volumes ? volumes.before : undefined
  }

  private nowhere(before: Verdict): Diagnosis {
    return new Diagnosis({ verdicts: this.verdicts, nodeCount: this.cluster.nodeCount, before })
  }

  private promisedNode(pod: KubeObject, shape: PodShape, name: string): Chosen | undefined {
    const node = this.cluster.find(name)
    if (node === undefined) return undefined
    return this.search.judgeAlone(node, pod, this.parts(pod, shape, false)) === FITS
      ? { node, name, evaluated: 1, feasible: 1 }
      : undefined
  }

  /** The nodes that come into question, judged. */
  private survey(pod: KubeObject, shape: PodShape): Survey {
    const { names, plugins } = this.narrowed(pod, shape)
    if (names === undefined || names.size > FEW_NODES) return this.search.all(pod, this.view(pod, shape))
    const nodes = [...names].flatMap((name) => this.cluster.find(name) ?? [])
    return this.search.named(pod, nodes, this.parts(pod, shape, nodes.length > 1), plugins)
  }
}

/** Puts what was used just now last, and forgets the first where there are too many. */
const keep = <K, V>(kept: Map<K, V>, key: K, value: V, most: number): void => {
  kept.delete(key)
  kept.set(key, value)
  if (kept.size <= most) return
  for (const oldest of kept.keys()) {
    kept.delete(oldest)
    break
  }
}

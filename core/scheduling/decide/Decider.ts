// Where a pod goes: one profile's decision for one pod, from the snapshot as it stands.
// Owns the order of the steps (what the pod rules out itself, a promised node, named nodes, all nodes) and the views it keeps.
// Refuses to change anything: assuming, binding and evicting are the scheduler's. Bound: VIEWS_MAX views, the longest unused forgotten.
import type { KubeObject } from "#kube"
import type { Cluster, PlacedPod } from "../cluster/Cluster.ts"
import type { Selectors } from "../cluster/Selectors.ts"
import type { Profile } from "../config/Profile.ts"
import { nodeNameOf, nominatedNodeOf } from "../pod/PodFields.ts"
import type { PodShape } from "../pod/PodShape.ts"
import { spreadConstraintsOf } from "../pod/SpreadConstraint.ts"
import { AffinityCounts } from "./AffinityCounts.ts"
import { ClassView, type ViewParts } from "./ClassView.ts"
import { Diagnosis, type Ruled } from "./Diagnosis.ts"
import { explainNowhere, explainRanking, type Explanation } from "./Explanation.ts"
import { DomainRules } from "./DomainRules.ts"
import { NodeGroups } from "./NodeGroups.ts"
import { NodeJudge } from "./NodeJudge.ts"
import type { Nominations } from "./Nominations.ts"
import { Ranking } from "./Ranking.ts"
import { SpreadCounts, type SpreadSet } from "./SpreadCounts.ts"
import { Trial } from "./Trial.ts"
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

/** Nodes judged for one pod, until they are released. */
interface Survey {
  readonly judge: NodeJudge
  readonly ranking: Ranking
  readonly evaluated: number
  readonly diagnose: () => Diagnosis
  readonly release: () => void
}

const VIEWS_MAX = 48
/** Named nodes up to which judging them one by one beats keeping a view of all. */
const FEW_NODES = 16

const nobody: ReadonlyMap<number, number> = new Map()
const noSpread: SpreadSet = { hard: [], soft: [], needsAllSoft: false }

export class Decider {
  readonly verdicts = new Verdicts()
  readonly cluster: Cluster
  readonly profile: Profile
  readonly nominations: Nominations
  private readonly selectors: Selectors
  private readonly volumes: VolumeSource
  private readonly random: () => number
  private readonly views = new Map<PodShape, ClassView>()

  constructor({ cluster, nominations, profile, random, selectors, volumes }: DeciderParts) {
    this.cluster = cluster
    this.profile = profile
    this.nominations = nominations
    this.selectors = selectors
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

  /** What the pod's shape sees of all nodes, up to date. */
  view(pod: KubeObject, shape: PodShape): ClassView {
    let view = this.views.get(shape)
    if (view === undefined) {
      view = new ClassView(this.cluster, () => this.parts(pod, shape, true))
      if (this.views.size >= VIEWS_MAX)
        for (const oldest of this.views.keys()) {
          this.views.delete(oldest)
          break
        }
    } else this.views.delete(shape)
    this.views.set(shape, view)
    const volumes = shape.volumes.length === 0 ? 0 : this.volumes.epoch
    const spreads = (shape.spec.topologySpreadConstraints?.length ?? 0) === 0
    view.sync(volumes + (spreads ? this.selectors.epoch : 0))
    return view
  }

  /** What binding a pod's volumes on its node takes. */
  volumePlan(pod: KubeObject, node: number): VolumePlan | undefined {
    const shape = this.cluster.shapes.of(pod)
    return shape.volumes.length === 0 ? undefined : this.volumes.plan(pod, shape, node)
  }

  /** Judge and rules for a shape; soft spreading, which only scores, may be left out. */
  parts(pod: KubeObject, shape: PodShape, scores: boolean): ViewParts {
    const { cluster, profile, verdicts } = this
    const volumes = this.volumes.check(pod, shape)
    const judge = new NodeJudge({
      cluster,
      shape,
      profile,
      verdicts,
      volumes: volumes === undefined || "before" in volumes ? undefined : volumes
    })
    const set = this.spreadSet(shape, scores)
    const spread = set.hard.length === 0 && set.soft.length === 0 ? undefined : new SpreadCounts(cluster, shape, set)
    const usesAffinity = profile.filters.has("InterPodAffinity") || profile.weights.has("InterPodAffinity")
    const affinity = usesAffinity ? new AffinityCounts(cluster, shape.kin, profile.affinity) : undefined
    return { judge, rules: new DomainRules(affinity, spread, verdicts, profile.filters) }
  }

  /** Pods promised to a node that must be counted as if they were there. */
  promisedTo(node: number, pod: KubeObject): ReadonlyArray<PlacedPod> {
    if (this.nominations.isEmpty) return []
    return this.nominations
      .ahead(this.cluster.rows[node].name, pod)
      .filter((one) => this.cluster.placedPod(one.metadata.uid ?? "") === undefined)
      .map((one) => this.cluster.wouldBe(one, node))
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
    return this.judgeAlone(node, pod, this.parts(pod, shape, false)) === FITS
      ? { node, name, evaluated: 1, feasible: 1 }
      : undefined
  }

  /** A node's verdict, pods that are promised to it counted; without them as well, since they may never come. */
  judgeAlone(node: number, pod: KubeObject, parts: ViewParts): number {
    const trial = new Trial(this.cluster, parts, node)
    const ahead = this.promisedTo(node, pod)
    const with_ = ahead.length === 0 ? FITS : trial.verdictWith(ahead)
    return with_ === FITS ? trial.verdict() : with_
  }

  /** The nodes that come into question, judged. */
  private survey(pod: KubeObject, shape: PodShape): Survey {
    const { names, plugins } = this.narrowed(pod, shape)
    return names !== undefined && names.size <= FEW_NODES
      ? this.surveyNamed(pod, shape, names, plugins)
      : this.surveyAll(pod, shape)
  }

  private surveyNamed(
    pod: KubeObject,
    shape: PodShape,
    names: ReadonlySet<string>,
    plugins: ReadonlyArray<string>
  ): Survey {
    const { cluster, profile, verdicts } = this
    const nodes = [...names].flatMap((name) => cluster.find(name) ?? [])
    const parts = this.parts(pod, shape, nodes.length > 1)
    const groups = new NodeGroups()
    const judged = new Map<number, number>()
    for (const node of nodes) judged.set(node, this.judgeAlone(node, pod, parts))
    for (const [node, verdict] of judged)
      if (verdict === FITS) groups.put(node, new Trial(cluster, parts, node).locate(), parts.judge.score(node))
    const others = verdicts.id("", false, [`node(s) didn't satisfy plugin(s) [${plugins.join(" ")}]`])
    return {
      judge: parts.judge,
      ranking: new Ranking(groups.all(), parts.rules, profile),
      evaluated: nodes.length,
      diagnose: () => {
        const ruled: Array<Ruled> = [...judged.values()].map((verdict) => ({ verdict, nodes: 1 }))
        ruled.push({ verdict: others, nodes: cluster.nodeCount - nodes.length })
        return new Diagnosis({
          verdicts,
          nodeCount: cluster.nodeCount,
          ruled,
          verdictOf: (node) => judged.get(node) ?? others,
          narrowing: plugins
        })
      },
      release: () => undefined
    }
  }

  private surveyAll(pod: KubeObject, shape: PodShape): Survey {
    const view = this.view(pod, shape)
    const excluded = this.nominations.isEmpty ? nobody : this.excludeCrowded(pod, view)
    view.settle()
    return {
      judge: view.judge,
      ranking: new Ranking(view.groups.all(), view.rules, this.profile),
      evaluated: this.cluster.nodeCount,
      diagnose: () => this.diagnose(view, excluded),
      release: () => {
        for (const node of excluded.keys()) view.refresh(node)
      }
    }
  }

  /** Takes out nodes that would not do once pods that are promised to them have come. */
  private excludeCrowded(pod: KubeObject, view: ClassView): ReadonlyMap<number, number> {
    const excluded = new Map<number, number>()
    for (const name of this.nominations.nodes()) {
      const node = this.cluster.find(name)
      if (node === undefined || !view.groups.has(node)) continue
      const ahead = this.promisedTo(node, pod)
      if (ahead.length === 0) continue
      const verdict = new Trial(this.cluster, view, node).verdictWith(ahead)
      if (verdict === FITS) continue
      view.exclude(node, verdict)
      excluded.set(node, verdict)
    }
    return excluded
  }

  /** Counts by verdict are read at once, a node's verdict when preemption asks, before anything else happens. */
  private diagnose(view: ClassView, excluded: ReadonlyMap<number, number>): Diagnosis {
    const { cluster, verdicts } = this
    const ruled: Array<Ruled> = []
    for (let verdict = 1; verdict < view.tally.length; verdict++)
      if ((view.tally[verdict] ?? 0) > 0) ruled.push({ verdict, nodes: view.tally[verdict] })
    for (const { coordinates, size } of view.groups.all())
      if (size > 0) ruled.push({ verdict: view.rules.verdict(coordinates), nodes: size })
    return new Diagnosis({
      verdicts,
      nodeCount: cluster.nodeCount,
      ruled,
      verdictOf: (node) => {
        const crowded = excluded.get(node)
        if (crowded !== undefined) return crowded
        const group = view.groups.of(node)
        return group === undefined ? view.verdicts[node] : view.rules.verdict(group.coordinates)
      }
    })
  }
}

// The nodes that come into question for a pod, judged: all of them by a view, or the few that the pod names one by one.
// Owns what promises to other pods mean for a node, sampling, and the diagnosis; refuses to choose, which Ranking.ts does.
import type { KubeObject } from "#kube"
import type { Cluster, PlacedPod } from "../cluster/Cluster.ts"
import type { Profile } from "../config/Profile.ts"
import { type Ahead, type ClassView, nobodyAhead, type ViewParts } from "./ClassView.ts"
import { Diagnosis, type Ruled } from "./Diagnosis.ts"
import { uidOf } from "../pod/PodFields.ts"
import { NodeGroups } from "./NodeGroups.ts"
import type { NodeJudge } from "./NodeJudge.ts"
import type { Nominations } from "./Nominations.ts"
import { Ranking } from "./Ranking.ts"
import { Trial } from "./Trial.ts"
import { FITS, type Verdicts } from "./Verdicts.ts"

/** Nodes judged for one pod, until they are released. */
export interface Survey {
  readonly judge: NodeJudge
  readonly ranking: Ranking
  readonly evaluated: number
  readonly diagnose: () => Diagnosis
  readonly release: () => void
}

export interface NodeSearchParts {
  readonly cluster: Cluster
  readonly profile: Profile
  readonly verdicts: Verdicts
  readonly nominations: Nominations
}

/** Nodes that are always looked for, however few percent are asked for. */
const SAMPLE_MIN = 100

const nobody: ReadonlyMap<number, number> = new Map()

export class NodeSearch {
  private readonly cluster: Cluster
  private readonly profile: Profile
  private readonly verdicts: Verdicts
  private readonly nominations: Nominations
  private nextStart = 0

  constructor({ cluster, nominations, profile, verdicts }: NodeSearchParts) {
    this.cluster = cluster
    this.nominations = nominations
    this.profile = profile
    this.verdicts = verdicts
  }

  /** The node that a pod is promised, -1 for none. */
  promisedNode(pod: KubeObject): number {
    const name = this.nominations.promised(uidOf(pod))
    return name === undefined ? -1 : (this.cluster.find(name) ?? -1)
  }

  /** Who comes before a pod, for views that keep what that means. */
  ahead(pod: KubeObject): Ahead {
    if (this.nominations.isEmpty) return nobodyAhead
    return { of: (node) => this.promisedTo(node, pod), own: this.promisedNode(pod) }
  }

  /** Pods promised to a node that must be counted as if they were there. */
  promisedTo(node: number, pod: KubeObject): ReadonlyArray<PlacedPod> {
    if (this.nominations.isEmpty) return []
    return this.nominations
      .ahead(this.cluster.rows[node].name, pod)
      .filter((one) => this.cluster.placedPod(one.metadata.uid ?? "") === undefined)
      .map((one) => this.cluster.wouldBe(one, node))
  }

  /** A node's verdict, pods that are promised to it counted; without them as well, since they may never come. */
  judgeAlone(node: number, pod: KubeObject, parts: ViewParts): number {
    const trial = new Trial(this.cluster, parts, node)
    const ahead = this.promisedTo(node, pod)
    const with_ = ahead.length === 0 ? FITS : trial.verdictWith(ahead)
    return with_ === FITS ? trial.verdict() : with_
  }

  /** Judges a few nodes one by one; all others are turned down by the plugins that named these. */
  named(pod: KubeObject, nodes: ReadonlyArray<number>, parts: ViewParts, plugins: ReadonlyArray<string>): Survey {
    const { cluster, profile, verdicts } = this
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

  /** Takes all nodes as a view has judged them. */
  all(pod: KubeObject, view: ClassView): Survey {
    // A view keeps what promises mean for the nodes themselves; what the pods mean to one another is asked each time.
    const excluded = this.nominations.isEmpty || view.rules.isLenient ? nobody : this.excludeCrowded(pod, view)
    view.settle()
    const wanted = this.wantedNodes()
    const groups = wanted < view.groups.size ? this.sample(view, wanted) : view.groups
    return {
      judge: view.judge,
      ranking: new Ranking(groups.all(), view.rules, this.profile),
      evaluated: this.cluster.nodeCount,
      diagnose: () => this.diagnose(view, excluded),
      release: () => {
        for (const node of excluded.keys()) view.refresh(node)
      }
    }
  }

  /** Feasible nodes after which the profile has seen enough (numFeasibleNodesToFind). */
  private wantedNodes(): number {
    const { nodesPercent } = this.profile
    const { nodeCount } = this.cluster
    if (nodesPercent === undefined || nodeCount < SAMPLE_MIN) return Infinity
    return Math.max(SAMPLE_MIN, Math.floor((nodeCount * nodesPercent) / 100))
  }

  /** The first so many feasible nodes from where the last search ended, as upstream takes turns. */
  private sample(view: ClassView, wanted: number): NodeGroups {
    const groups = new NodeGroups()
    const { length } = this.cluster.rows
    let turn = 0
    for (; turn < length && groups.size < wanted; turn++) {
      const node = (this.nextStart + turn) % length
      const group = view.groups.of(node)
      if (group !== undefined && view.rules.verdict(group.coordinates) === FITS)
        groups.put(node, group.coordinates, view.groups.level(node))
    }
    this.nextStart = (this.nextStart + turn) % length
    return groups
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
    const counts = new Map<number, number>()
    const count = (verdict: number, nodes: number): void => {
      if (nodes > 0) counts.set(verdict, (counts.get(verdict) ?? 0) + nodes)
    }
    for (let verdict = 1; verdict < view.tally.length; verdict++) count(verdict, view.tally[verdict] ?? 0)
    for (const { coordinates, size } of view.groups.all()) count(view.rules.verdict(coordinates), size)
    const ruled: ReadonlyArray<Ruled> = Array.from(counts, ([verdict, nodes]) => ({ verdict, nodes }))
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

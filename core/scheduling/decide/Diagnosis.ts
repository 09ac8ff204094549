// Why no node will do for a pod: how many nodes each reason rules out, which plugins said so, and whether evicting others could help.
// Owns the counts and the text (kube-scheduler's FitError); what it is made from is read when it is asked, not before.
import { fitErrorText, type Verdict, type Verdicts } from "./Verdicts.ts"

export interface Ruled {
  readonly verdict: number
  readonly nodes: number
}

export class Diagnosis {
  readonly nodeCount: number
  /** Set when the pod itself cannot be scheduled anywhere, before any node was looked at. */
  readonly before: Verdict | undefined
  /** What preemption had to say; added to the text. */
  afterText = ""
  /** Reasons of extenders by node: not counted among the plugins' verdicts. */
  readonly ruled: ReadonlyArray<Ruled>
  private readonly verdicts: Verdicts
  /** The verdict of one node; needed for preemption alone. */
  readonly verdictOf: (node: number) => number
  /** Plugins beyond those of the verdicts: the ones that left only some nodes to look at. */
  readonly narrowing: ReadonlyArray<string>

  constructor(options: {
    readonly verdicts: Verdicts
    readonly nodeCount: number
    readonly before?: Verdict
    readonly ruled?: ReadonlyArray<Ruled>
    readonly verdictOf?: (node: number) => number
    readonly narrowing?: ReadonlyArray<string>
  }) {
    this.verdicts = options.verdicts
    this.nodeCount = options.nodeCount
    this.before = options.before
    this.ruled = options.ruled ?? []
    this.verdictOf = options.verdictOf ?? (() => options.before?.id ?? 0)
    this.narrowing = options.narrowing ?? []
  }

  /** Whether the pod itself left only some nodes to look at. */
  get isNarrow(): boolean {
    return this.narrowing.length > 0
  }

  /** Nodes from which evicting pods could help. */
  get resolvableNodes(): number {
    if (this.before !== undefined) return this.before.resolvable ? this.nodeCount : 0
    let sum = 0
    for (const { nodes, verdict } of this.ruled) if (this.verdicts.get(verdict).resolvable) sum += nodes
    return sum
  }

  /** Whether evicting pods from a node could help. */
  isResolvable(node: number): boolean {
    return this.verdicts.get(this.verdictOf(node)).resolvable
  }

  /** The plugins that turned nodes down: what the queue's hints go by. */
  get plugins(): ReadonlySet<string> {
    const found = new Set(this.narrowing)
    if (this.before !== undefined) found.add(this.before.plugin)
    for (const { nodes, verdict } of this.ruled) {
      const { plugin } = this.verdicts.get(verdict)
      if (nodes > 0 && plugin !== "") found.add(plugin)
    }
    return found
  }

  /** Nodes by plugin and reason, most first. */
  get reasons(): ReadonlyArray<{ readonly plugin: string; readonly reason: string; readonly nodes: number }> {
    return this.ruled
      .filter(({ nodes }) => nodes > 0)
      .flatMap(({ nodes, verdict }) => {
        const { plugin, reasons } = this.verdicts.get(verdict)
        return reasons.map((reason) => ({ plugin, reason, nodes }))
      })
      .sort((a, b) => b.nodes - a.nodes || (`${a.plugin} ${a.reason}` < `${b.plugin} ${b.reason}` ? -1 : 1))
  }

  /** "0/5 nodes are available: 3 Insufficient cpu, 2 node(s) were unschedulable. preemption: ..." */
  get text(): string {
    const head =
      this.before === undefined
        ? fitErrorText(this.nodeCount, this.counts())
        : `0/${this.nodeCount} nodes are available: ${this.before.reasons.join(", ")}.`
    return this.afterText === "" ? head : `${head} ${this.afterText}`
  }

  private counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const { nodes, verdict } of this.ruled) {
      if (nodes === 0) continue
      for (const reason of this.verdicts.get(verdict).reasons) counts.set(reason, (counts.get(reason) ?? 0) + nodes)
    }
    return counts
  }
}

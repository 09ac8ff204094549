// Our scheduler's answer for one pod on the objects that a real API server stores, with the whole set of nodes that would do as well.
// Owns the feeding of the snapshot by differences, as watches feed it; refuses to write anything.
import { type KubeObject, objectKey } from "#kube"
import {
  budgetOf,
  type Candidate,
  Cluster,
  Decider,
  defaultProfile,
  Diagnosis,
  type Explanation,
  Nominations,
  Preemption,
  Selectors
} from "#scheduling"
import { StorageObjects } from "../../../core/scheduling/volumes/StorageObjects.ts"
import { VolumeChecks } from "../../../core/scheduling/volumes/VolumeChecks.ts"

/** Kinds that are fed, and in which order. */
export const fedKinds = [
  "Namespace",
  "Service",
  "PodDisruptionBudget",
  "StorageClass",
  "CSINode",
  "PersistentVolume",
  "PersistentVolumeClaim",
  "Node",
  "Pod"
] as const
export type FedKind = (typeof fedKinds)[number]

export interface Answer {
  readonly explanation: Explanation
  /** Nodes that share the best total. */
  readonly best: ReadonlySet<string>
  /** What is said of a pod that no node takes; without the node and the number of victims when there are candidates. */
  readonly message: string
  readonly candidates: ReadonlyArray<Candidate>
}

const podSpec = ({ spec }: KubeObject): { readonly nodeName?: string } => (spec ?? {}) as { readonly nodeName?: string }

export class OurScheduler {
  private readonly cluster = new Cluster()
  private readonly selectors = new Selectors()
  private readonly storage = new StorageObjects()
  private readonly decider: Decider
  private readonly preemption: Preemption
  private readonly known = new Map<FedKind, Map<string, KubeObject>>()

  constructor() {
    const { cluster, selectors, storage } = this
    this.decider = new Decider({
      cluster,
      profile: defaultProfile,
      nominations: new Nominations(this.cluster),
      selectors,
      volumes: (verdicts, profile) => new VolumeChecks({ cluster, objects: storage, verdicts, profile }),
      random: () => 0.5
    })
    this.preemption = new Preemption({
      decider: this.decider,
      budgets: () => [...(this.known.get("PodDisruptionBudget")?.values() ?? [])].flatMap((one) => budgetOf(one) ?? []),
      // The first of equals: `isBest` relies on it.
      random: () => 0
    })
  }

  /** Makes the snapshot what these lists say. */
  feed(kind: FedKind, objects: ReadonlyArray<KubeObject>): void {
    const before = this.known.get(kind) ?? new Map<string, KubeObject>()
    const after = new Map(objects.map((one) => [`${objectKey(one)} ${one.metadata.uid}`, one]))
    for (const [key, one] of before) if (!after.has(key)) this.gone(kind, one)
    for (const [key, one] of after)
      if (before.get(key)?.metadata.resourceVersion !== one.metadata.resourceVersion) this.seen(kind, one)
    this.known.set(kind, after)
  }

  judge(pod: KubeObject): Answer {
    const explanation = this.decider.explain(pod, 1000)
    const decision = this.decider.decide(pod)
    const top = explanation.best[0]?.total
    const best = new Set(explanation.best.filter(({ total }) => total === top).map(({ node }) => node))
    if (!(decision instanceof Diagnosis)) {
      if (!best.has(decision.name)) throw new Error(`${decision.name} was chosen and is not among the best`)
      return { explanation, best, message: "", candidates: [] }
    }
    if (best.size > 0) throw new Error("no node was chosen though some will do")
    if (explanation.nodeCount === 0) return { explanation, best, message: "no nodes", candidates: [] }
    const found = this.preemption.search(pod, decision)
    if ("candidates" in found) return { explanation, best, message: decision.text, candidates: found.candidates }
    decision.afterText = found.message
    return { explanation, best, message: decision.text, candidates: [] }
  }

  /** The node for a pod that has been promised one; undefined when there is none. */
  decide(pod: KubeObject): string | undefined {
    const decision = this.decider.decide(pod)
    return decision instanceof Diagnosis ? undefined : decision.name
  }

  /** Whether no other candidate is to be preferred to the one on this node. */
  isBest(candidates: ReadonlyArray<Candidate>, node: string): boolean {
    const named = candidates.filter(({ name }) => name === node)
    const others = candidates.filter(({ name }) => name !== node)
    return named.length === 1 && this.preemption.choose([...named, ...others]).name === node
  }

  private seen(kind: FedKind, object: KubeObject): void {
    switch (kind) {
      case "Namespace":
        return this.cluster.namespaceSeen(object.metadata.name ?? "", object.metadata.labels ?? {})
      case "Node":
        return this.cluster.nodeSeen(object)
      case "Pod": {
        const { nodeName } = podSpec(object)
        if (nodeName !== undefined) this.cluster.place(object, nodeName)
        return
      }
      case "Service":
        return this.selectors.seen(kind, object)
      case "PodDisruptionBudget":
        return
      default:
        return this.storage.seen(kind, object)
    }
  }

  private gone(kind: FedKind, object: KubeObject): void {
    switch (kind) {
      case "Namespace":
        return this.cluster.namespaceSeen(object.metadata.name ?? "", undefined)
      case "Node":
        return this.cluster.nodeGone(object.metadata.name ?? "")
      case "Pod":
        this.cluster.remove(object.metadata.uid ?? "")
        return
      case "Service":
        return this.selectors.gone(kind, object)
      case "PodDisruptionBudget":
        return
      default:
        return this.storage.gone(kind, object)
    }
  }
}

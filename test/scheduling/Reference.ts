// A plain, slow scheduler, written from the documented rules of kube-scheduler's plugins: for one pod it looks at every node and every pod
// anew. It shares no code with the fast one; the property tests hold the two against each other.
import type { KubeObject } from "#kube"
import {
  type Amounts,
  asked,
  asScored,
  both,
  deviation,
  type Fields,
  hardTaint,
  hostPorts,
  type Labels,
  labelsOf,
  nodeTermHolds,
  nodeWanted,
  plus,
  portsClash,
  readAmounts,
  selectorHolds,
  specOf,
  statusOf,
  tolerates
} from "./ReferenceRules.ts"

export interface ReferenceState {
  readonly nodes: ReadonlyArray<KubeObject>
  /** Pods with spec.nodeName. */
  readonly placed: ReadonlyArray<KubeObject>
  readonly namespaces: Readonly<Record<string, Labels>>
  readonly services?: ReadonlyArray<KubeObject>
}

export interface ReferenceVerdict {
  /** Reasons by node that will not do, of the first plugin that objects. */
  readonly reasons: ReadonlyMap<string, { readonly plugin: string; readonly texts: ReadonlyArray<string> }>
  /** Scores by feasible node and plugin, normalized, before weights. */
  readonly scores: ReadonlyMap<string, Readonly<Record<string, number>>>
  readonly totals: ReadonlyMap<string, number>
  readonly best: ReadonlySet<string>
}

/** What a profile can say differently; the default profile's where it says nothing. */
export interface ReferenceOptions {
  readonly strategy?: "LeastAllocated" | "MostAllocated" | "RequestedToCapacityRatio"
  readonly shape?: ReadonlyArray<{ readonly utilization: number; readonly score: number }>
  readonly resources?: ReadonlyArray<{ readonly name: string; readonly weight: number }>
  readonly balanced?: ReadonlyArray<string>
  readonly ignored?: ReadonlyArray<string>
  readonly hardWeight?: number
  readonly ignoresExisting?: boolean
  /** Default spread constraints in place of the system's. */
  readonly constraints?: ReadonlyArray<Fields>
  readonly added?: Fields
}

const WEIGHTS: Record<string, number> = {
  TaintToleration: 3,
  NodeAffinity: 2,
  NodeResourcesFit: 1,
  PodTopologySpread: 2,
  InterPodAffinity: 2,
  NodeResourcesBalancedAllocation: 1,
  ImageLocality: 1
}

export class Reference {
  private readonly state: ReferenceState
  private readonly pod: KubeObject
  private readonly options: ReferenceOptions

  constructor(state: ReferenceState, pod: KubeObject, options: ReferenceOptions = {}) {
    this.state = state
    this.pod = pod
    this.options = options
  }

  judge(): ReferenceVerdict {
    const reasons = new Map<string, { plugin: string; texts: ReadonlyArray<string> }>()
    const feasible: Array<KubeObject> = []
    for (const node of this.state.nodes) {
      const objection = this.objection(node)
      if (objection === undefined) feasible.push(node)
      else reasons.set(node.metadata.name!, objection)
    }
    const scores = this.score(feasible)
    const totals = new Map(
      Array.from(scores, ([name, parts]) => [
        name,
        Object.entries(parts).reduce((sum, [plugin, score]) => sum + score * WEIGHTS[plugin], 0)
      ])
    )
    const most = Math.max(...totals.values())
    const best = new Set(Array.from(totals).flatMap(([name, total]) => (total === most ? [name] : [])))
    return { reasons, scores, totals, best }
  }

  private on(node: KubeObject): ReadonlyArray<KubeObject> {
    return this.state.placed.filter((one) => specOf(one)["nodeName"] === node.metadata.name)
  }

  private nodeOf(placed: KubeObject): KubeObject | undefined {
    return this.state.nodes.find((node) => node.metadata.name === specOf(placed)["nodeName"])
  }

  private objection(node: KubeObject): { plugin: string; texts: ReadonlyArray<string> } | undefined {
    const { pod } = this
    const unschedulable = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" }
    if (specOf(node)["unschedulable"] === true && !tolerates(specOf(pod)["tolerations"] ?? [], unschedulable))
      return { plugin: "NodeUnschedulable", texts: ["node(s) were unschedulable"] }
    if (hardTaint(pod, node)) return { plugin: "TaintToleration", texts: ["node(s) had untolerated taint(s)"] }
    const { added } = this.options
    const enforced = added?.["requiredDuringSchedulingIgnoredDuringExecution"]
    if (enforced !== undefined && !enforced.nodeSelectorTerms.some((term: Fields) => nodeTermHolds(term, node)))
      return { plugin: "NodeAffinity", texts: ["node(s) didn't match scheduler-enforced node affinity"] }
    if (!nodeWanted(pod, node))
      return { plugin: "NodeAffinity", texts: ["node(s) didn't match Pod's node affinity/selector"] }
    const taken = this.on(node).flatMap(hostPorts)
    if (hostPorts(pod).some((wanted) => taken.some((other) => portsClash(wanted, other))))
      return { plugin: "NodePorts", texts: ["node(s) didn't have free ports for the requested pod ports"] }
    const lacking = this.lacking(node)
    if (lacking.length > 0) return { plugin: "NodeResourcesFit", texts: lacking }
    return this.spreadObjection(node) ?? this.affinityObjection(node)
  }

  private lacking(node: KubeObject): ReadonlyArray<string> {
    const offered = readAmounts(statusOf(node)["allocatable"])
    const texts: Array<string> = []
    if (this.on(node).length + 1 > (offered["pods"] ?? 0)) texts.push("Too many pods")
    const taken = this.on(node)
      .map((one) => asked(one))
      .reduce(plus, {})
    for (const [name, wanted] of Object.entries(asked(this.pod)))
      if (
        this.options.ignored?.includes(name) !== true &&
        wanted > 0 &&
        wanted > (offered[name] ?? 0) - (taken[name] ?? 0)
      )
        texts.push(`Insufficient ${name}`)
    return texts
  }

  private constraints(action: string): ReadonlyArray<Fields> {
    const own = specOf(this.pod)["topologySpreadConstraints"] ?? []
    if (own.length > 0) return own.filter((one: Fields) => one["whenUnsatisfiable"] === action)
    const selecting = (this.state.services ?? []).filter(
      (service) =>
        service.metadata.namespace === this.pod.metadata.namespace &&
        Object.entries(specOf(service)["selector"] as Labels).every(([key, value]) => labelsOf(this.pod)[key] === value)
    )
    if (selecting.length === 0) return []
    const matchLabels = Object.assign({}, ...selecting.map((service) => specOf(service)["selector"] as Labels))
    if (Object.keys(matchLabels).length === 0) return []
    if (this.options.constraints !== undefined)
      return this.options.constraints
        .filter((one) => one["whenUnsatisfiable"] === action)
        .map((one) => ({ ...one, labelSelector: { matchLabels } }))
    if (action !== "ScheduleAnyway") return []
    return [
      { maxSkew: 3, topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels }, system: true },
      { maxSkew: 5, topologyKey: "topology.kubernetes.io/zone", labelSelector: { matchLabels }, system: true }
    ]
  }

  private selects(constraint: Fields, labels: Labels): boolean {
    const keys: ReadonlyArray<string> = constraint["matchLabelKeys"] ?? []
    return (
      selectorHolds(constraint["labelSelector"], labels) &&
      keys.every((key) => labelsOf(this.pod)[key] === undefined || labelsOf(this.pod)[key] === labels[key])
    )
  }

  /** Matching pods of the same namespace on a node, those being deleted left out. */
  private matching(constraint: Fields, node: KubeObject): number {
    const keyed = (constraint["matchLabelKeys"] ?? []).some((key: string) => labelsOf(this.pod)[key] !== undefined)
    const selector = constraint["labelSelector"]
    const empty =
      selector !== undefined &&
      !keyed &&
      Object.keys(selector.matchLabels ?? {}).length === 0 &&
      (selector.matchExpressions ?? []).length === 0
    if (empty) return 0
    return this.on(node).filter(
      (one) =>
        one.metadata.deletionTimestamp === undefined &&
        one.metadata.namespace === this.pod.metadata.namespace &&
        this.selects(constraint, labelsOf(one))
    ).length
  }

  private counted(constraint: Fields, node: KubeObject): boolean {
    if ((constraint["nodeAffinityPolicy"] ?? "Honor") === "Honor" && !nodeWanted(this.pod, node)) return false
    return constraint["nodeTaintsPolicy"] !== "Honor" || !hardTaint(this.pod, node)
  }

  private spreadObjection(node: KubeObject): { plugin: string; texts: ReadonlyArray<string> } | undefined {
    const constraints = this.constraints("DoNotSchedule")
    const text = "node(s) didn't match pod topology spread constraints"
    for (const constraint of constraints) {
      const value = labelsOf(node)[constraint["topologyKey"]]
      if (value === undefined) return { plugin: "PodTopologySpread", texts: [`${text} (missing required label)`] }
      const counts = new Map<string, number>()
      for (const other of this.state.nodes) {
        if (constraints.some(({ topologyKey }) => labelsOf(other)[topologyKey] === undefined)) continue
        if (!this.counted(constraint, other)) continue
        const domain = labelsOf(other)[constraint["topologyKey"]]
        counts.set(domain, (counts.get(domain) ?? 0) + this.matching(constraint, other))
      }
      const least = counts.size < (constraint["minDomains"] ?? 1) ? 0 : Math.min(...counts.values())
      const self = this.selects(constraint, labelsOf(this.pod)) ? 1 : 0
      if ((counts.get(value) ?? 0) + self - least > constraint["maxSkew"])
        return { plugin: "PodTopologySpread", texts: [text] }
    }
    return undefined
  }

  /** Whether a term of `owner` speaks of `other`. */
  private speaksOf(owner: KubeObject, term: Fields, other: KubeObject): boolean {
    const { namespaceSelector, namespaces = [] } = term
    const own = namespaces.length === 0 && namespaceSelector === undefined
    const near = own
      ? other.metadata.namespace === owner.metadata.namespace
      : namespaces.includes(other.metadata.namespace) ||
        selectorHolds(namespaceSelector, this.state.namespaces[other.metadata.namespace!] ?? {})
    return near && selectorHolds(term["labelSelector"], labelsOf(other))
  }

  private static terms(pod: KubeObject, kind: "podAffinity" | "podAntiAffinity", hard: boolean): ReadonlyArray<Fields> {
    const affinity = specOf(pod)["affinity"]?.[kind]
    return (
      (hard
        ? affinity?.requiredDuringSchedulingIgnoredDuringExecution
        : affinity?.preferredDuringSchedulingIgnoredDuringExecution) ?? []
    )
  }

  private sameDomain(key: string, node: KubeObject, placed: KubeObject): boolean {
    const other = this.nodeOf(placed)
    const value = labelsOf(node)[key]
    return other !== undefined && value !== undefined && labelsOf(other)[key] === value
  }

  private affinityObjection(node: KubeObject): { plugin: string; texts: ReadonlyArray<string> } | undefined {
    const { pod } = this
    const { placed } = this.state
    const objection = (text: string) => ({ plugin: "InterPodAffinity", texts: [text] })
    const wanted = Reference.terms(pod, "podAffinity", true)
    if (wanted.length > 0) {
      const friends = placed.filter((one) => wanted.every((term) => this.speaksOf(pod, term, one)))
      const labelled = wanted.every(({ topologyKey }) => labelsOf(node)[topologyKey] !== undefined)
      const near = wanted.every(({ topologyKey }) => friends.some((one) => this.sameDomain(topologyKey, node, one)))
      const nowhere = friends.every((one) => {
        const home = this.nodeOf(one)
        return home === undefined || wanted.every(({ topologyKey }) => labelsOf(home)[topologyKey] === undefined)
      })
      const first = nowhere && wanted.every((term) => this.speaksOf(pod, term, pod))
      if (!labelled || !(near || first)) return objection("node(s) didn't match pod affinity rules")
    }
    for (const term of Reference.terms(pod, "podAntiAffinity", true))
      if (placed.some((one) => this.speaksOf(pod, term, one) && this.sameDomain(term["topologyKey"], node, one)))
        return objection("node(s) didn't match pod anti-affinity rules")
    for (const one of placed)
      for (const term of Reference.terms(one, "podAntiAffinity", true))
        if (this.speaksOf(one, term, pod) && this.sameDomain(term["topologyKey"], node, one))
          return objection("node(s) didn't satisfy existing pods anti-affinity rules")
    return undefined
  }

  private score(feasible: ReadonlyArray<KubeObject>): ReadonlyMap<string, Readonly<Record<string, number>>> {
    const taints = feasible.map((node) => this.softTaints(node))
    const preference = feasible.map((node) => this.preference(node))
    const spread = this.spreadScores(feasible)
    const affinity = this.affinityScores(feasible)
    const taintsMax = Math.max(0, ...taints)
    const preferenceMax = Math.max(0, ...preference)
    return new Map(
      feasible.map((node, at) => [
        node.metadata.name!,
        {
          TaintToleration: taintsMax === 0 ? 100 : 100 - Math.floor((100 * taints[at]) / taintsMax),
          NodeAffinity: preferenceMax === 0 ? 0 : Math.floor((100 * preference[at]) / preferenceMax),
          NodeResourcesFit: this.allocation(node),
          PodTopologySpread: spread[at],
          InterPodAffinity: affinity[at],
          NodeResourcesBalancedAllocation: this.balance(node),
          ImageLocality: this.images(node)
        }
      ])
    )
  }

  private softTaints(node: KubeObject): number {
    const soft = (specOf(this.pod)["tolerations"] ?? []).filter(
      ({ effect }: Fields) => !effect || effect === "PreferNoSchedule"
    )
    return (specOf(node)["taints"] ?? []).filter(
      (taint: Fields) => taint["effect"] === "PreferNoSchedule" && !tolerates(soft, taint)
    ).length
  }

  private preference(node: KubeObject): number {
    const own = specOf(this.pod)["affinity"]?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
    const added = this.options.added?.["preferredDuringSchedulingIgnoredDuringExecution"] ?? []
    return [...own, ...added]
      .filter(({ preference }: Fields) => nodeTermHolds(preference, node))
      .reduce((sum: number, { weight }: Fields) => sum + weight, 0)
  }

  private allocation(node: KubeObject): number {
    const { resources = both, strategy = "LeastAllocated" } = this.options
    const offered = readAmounts(statusOf(node)["allocatable"])
    const scored = (pod: KubeObject): Amounts => {
      const level = specOf(pod)["resources"]?.requests
      return asked(pod, level === undefined ? asScored : {})
    }
    const filled = this.on(node).map(scored).reduce(plus, {})
    const plain = this.on(node)
      .map((one) => asked(one))
      .reduce(plus, {})
    // 1.37 scores the pod that comes by its containers alone, whatever the pod as a whole asks for.
    const own = asked(this.pod, asScored, true)
    let sum = 0
    let weights = 0
    for (const { name, weight } of resources) {
      const capacity = offered[name] ?? 0
      const isNamed = name.includes("/")
      if (capacity === 0 || (isNamed && (own[name] ?? 0) === 0)) continue
      const taken = name === "cpu" || name === "memory" ? filled : plain
      const wanted = (taken[name] ?? 0) + (own[name] ?? 0)
      const score = this.resourceScore(wanted, capacity)
      if (strategy === "RequestedToCapacityRatio" && score <= 0) continue
      sum += score * weight
      weights += weight
    }
    if (weights === 0) return 0
    return strategy === "RequestedToCapacityRatio" ? Math.round(sum / weights) : Math.floor(sum / weights)
  }

  private resourceScore(wanted: number, capacity: number): number {
    const { shape = [], strategy = "LeastAllocated" } = this.options
    if (strategy === "LeastAllocated") return wanted > capacity ? 0 : Math.floor(((capacity - wanted) * 100) / capacity)
    if (strategy === "MostAllocated") return Math.floor((Math.min(wanted, capacity) * 100) / capacity)
    const use = wanted > capacity ? 100 : Math.floor((wanted * 100) / capacity)
    const above = shape.findIndex(({ utilization }) => use <= utilization)
    if (above === 0) return shape[0].score * 10
    if (above < 0) return shape[shape.length - 1].score * 10
    const [from, to] = [shape[above - 1], shape[above]]
    const rise = (to.score - from.score) * 10 * (use - from.utilization)
    return from.score * 10 + Math.trunc(rise / (to.utilization - from.utilization))
  }

  private balance(node: KubeObject): number {
    const names = this.options.balanced ?? ["cpu", "memory"]
    const own = asked(this.pod)
    if (names.every((name) => (own[name] ?? 0) === 0)) return 0
    const offered = readAmounts(statusOf(node)["allocatable"])
    const taken = this.on(node)
      .map((one) => asked(one))
      .reduce(plus, {})
    const evenness = (extra: Amounts): number => {
      const shares = names
        .filter((name) => (offered[name] ?? 0) > 0 && (!name.includes("/") || (own[name] ?? 0) > 0))
        .map((name) => Math.min(1, ((taken[name] ?? 0) + (extra[name] ?? 0)) / offered[name]))
      return Math.trunc((1 - deviation(shares)) * 100)
    }
    return 50 + Math.trunc((50 + evenness(own) - evenness({})) / 2)
  }

  private images(node: KubeObject): number {
    const tagged = (name: string): string => (/:[^/]*$/.test(name) ? name : `${name}:latest`)
    const has = (one: KubeObject, image: string): Fields | undefined =>
      (statusOf(one)["images"] ?? []).find(({ names }: Fields) => names.includes(image))
    const containers = [...(specOf(this.pod)["initContainers"] ?? []), ...(specOf(this.pod)["containers"] ?? [])]
    let sum = 0
    for (const { image = "" } of containers) {
      const held = has(node, tagged(image))
      if (held === undefined) continue
      const nodes = this.state.nodes.filter((one) => has(one, tagged(image)) !== undefined).length
      sum += Math.trunc(held["sizeBytes"] * (nodes / this.state.nodes.length))
    }
    const [low, high] = [23 * 2 ** 20, 1000 * 2 ** 20 * containers.length]
    return Math.trunc((100 * (Math.min(Math.max(sum, low), high) - low)) / (high - low))
  }

  private spreadScores(feasible: ReadonlyArray<KubeObject>): ReadonlyArray<number> {
    const constraints = this.constraints("ScheduleAnyway")
    if (constraints.length === 0) return feasible.map(() => 0)
    const needsAll = constraints[0]["system"] !== true
    const labelled = (node: KubeObject): boolean =>
      !needsAll || constraints.every(({ topologyKey }) => labelsOf(node)[topologyKey] !== undefined)
    const scored = feasible.filter(labelled)
    const raw = feasible.map((node) => {
      if (!labelled(node)) return undefined
      let sum = 0
      for (const constraint of constraints) {
        const key = constraint["topologyKey"]
        const value = labelsOf(node)[key]
        if (value === undefined) continue
        const isHost = key === "kubernetes.io/hostname"
        const domains = isHost ? scored.length : new Set(scored.map((one) => labelsOf(one)[key] ?? "")).size
        const count = isHost
          ? this.matching(constraint, node)
          : this.state.nodes
              .filter((one) => labelled(one) && this.counted(constraint, one) && labelsOf(one)[key] === value)
              .reduce((total, one) => total + this.matching(constraint, one), 0)
        sum += count * Math.log(domains + 2) + (constraint["maxSkew"] - 1)
      }
      return Math.round(sum)
    })
    const known = raw.filter((one) => one !== undefined)
    const [least, most] = [Math.min(...known), Math.max(0, ...known)]
    return raw.map((one) =>
      one === undefined ? 0 : most === 0 ? 100 : Math.floor((100 * (most + least - one)) / most)
    )
  }

  private affinityScores(feasible: ReadonlyArray<KubeObject>): ReadonlyArray<number> {
    const { pod } = this
    const { hardWeight = 1, ignoresExisting = false } = this.options
    const prefers =
      Reference.terms(pod, "podAffinity", false).length + Reference.terms(pod, "podAntiAffinity", false).length > 0
    if (ignoresExisting && !prefers) return feasible.map(() => 0)
    const raw = feasible.map((node) => {
      let sum = 0
      for (const one of this.state.placed) {
        const add = (owner: KubeObject, term: Fields, other: KubeObject, weight: number): void => {
          if (this.speaksOf(owner, term, other) && this.sameDomain(term["topologyKey"], node, one)) sum += weight
        }
        for (const { podAffinityTerm, weight } of Reference.terms(pod, "podAffinity", false))
          add(pod, podAffinityTerm, one, weight)
        for (const { podAffinityTerm, weight } of Reference.terms(pod, "podAntiAffinity", false))
          add(pod, podAffinityTerm, one, -weight)
        for (const term of Reference.terms(one, "podAffinity", true)) add(one, term, pod, hardWeight)
        for (const { podAffinityTerm, weight } of Reference.terms(one, "podAffinity", false))
          add(one, podAffinityTerm, pod, weight)
        for (const { podAffinityTerm, weight } of Reference.terms(one, "podAntiAffinity", false))
          add(one, podAffinityTerm, pod, -weight)
      }
      return sum
    })
    const [least, most] = [Math.min(...raw), Math.max(...raw)]
    return raw.map((one) => (most > least ? Math.trunc(100 * ((one - least) / (most - least))) : 0))
  }
}

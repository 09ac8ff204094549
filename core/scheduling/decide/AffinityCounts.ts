// Pods that matter to a pod by affinity, counted by domain: those it wants near or far, those that want it far, and preferences both ways.
// Owns the counts for one subject (a kin) and keeps them by deltas; refuses to judge nodes, which AffinityRules.ts does.
import type { Cluster } from "../cluster/Cluster.ts"
import type { Domains } from "../cluster/Topology.ts"
import { type AffinityTerm, hasTerms, matchesAll, termMatches } from "../pod/AffinityTerms.ts"
import type { Kin } from "../pod/Kin.ts"

export interface DomainCounts {
  readonly domains: Domains
  readonly counts: Int32Array
}

/** What pods of one kin mean to the subject. */
interface Relation {
  /** The subject's own anti-affinity terms that they match. */
  readonly anti: ReadonlyArray<DomainCounts>
  /** Counts of the subject's affinity terms, when they match all of them. */
  readonly near: ReadonlyArray<DomainCounts>
  /** Their anti-affinity terms that match the subject. */
  readonly repelled: ReadonlyArray<DomainCounts>
  readonly scores: ReadonlyArray<{ readonly into: DomainCounts; readonly weight: number }>
}

export interface AffinityArguments {
  /** What a required affinity term of another pod adds to the score. */
  readonly hardWeight: number
  /** Leaves out what other pods prefer, for pods that prefer nothing themselves. */
  readonly ignoresExisting: boolean
}

const unrelated: Relation = { anti: [], near: [], repelled: [], scores: [] }

/** Called for each domain whose counts have changed. */
export type Touched = (domains: Domains, domain: number) => void

export class AffinityCounts {
  readonly subject: Kin
  readonly near: ReadonlyArray<DomainCounts>
  readonly anti: ReadonlyArray<DomainCounts>
  readonly repelled: Array<DomainCounts> = []
  readonly scores: Array<DomainCounts> = []
  /** Sum over all affinity counts: 0 while no pod matches the subject's affinity anywhere. */
  nearTotal = 0
  /** Whether the subject matches its own affinity terms. */
  readonly matchesItself: boolean
  private readonly cluster: Cluster
  private readonly args: AffinityArguments
  private readonly relations = new Map<number, Relation>()
  private readonly scoring: boolean

  constructor(cluster: Cluster, subject: Kin, args: AffinityArguments) {
    this.cluster = cluster
    this.subject = subject
    this.args = args
    const { labels, namespace, terms } = subject
    this.near = terms.requiredAffinity.map((term) => this.counts(term))
    this.anti = terms.requiredAnti.map((term) => this.counts(term))
    this.matchesItself = matchesAll(terms.requiredAffinity, namespace, labels, cluster.namespaceLabels)
    const prefers = terms.preferredAffinity.length > 0 || terms.preferredAnti.length > 0
    this.scoring = prefers || !args.ignoresExisting
    const kin = cluster.shapes.kin
    for (const other of hasTerms(terms) ? kin.standing() : kin.standingWithTerms()) {
      const relation = this.relationTo(other)
      if (relation === unrelated) continue
      for (const [node, count] of other.placed) this.add(relation, node, count)
    }
  }

  /** Whether any pod of any kin matters at all. */
  get isIdle(): boolean {
    return this.isLenient && this.scores.length === 0
  }

  /** Whether none matters beyond a preference. */
  get isLenient(): boolean {
    return this.near.length === 0 && this.anti.length === 0 && this.repelled.length === 0
  }

  /** Pods of a kin came to a node, or left it. */
  apply(kin: Kin, node: number, by: number, touched?: Touched): void {
    const relation = this.relationTo(kin)
    if (relation !== unrelated) this.add(relation, node, by, touched)
  }

  private add({ anti, near, repelled, scores }: Relation, node: number, by: number, touched?: Touched): void {
    for (const list of [anti, near, repelled])
      for (const { counts, domains } of list) {
        const domain = domains.of[node]
        if (domain < 0) continue
        counts[domain] += by
        if (list === near) this.nearTotal += by
        touched?.(domains, domain)
      }
    for (const {
      into: { counts, domains },
      weight
    } of scores) {
      const domain = domains.of[node]
      if (domain < 0) continue
      counts[domain] += by * weight
      touched?.(domains, domain)
    }
  }

  private counts({ topologyKey }: Pick<AffinityTerm, "topologyKey">): DomainCounts {
    const domains = this.cluster.domains(topologyKey)
    return { domains, counts: new Int32Array(domains.count) }
  }

  private shared(list: Array<DomainCounts>, topologyKey: string): DomainCounts {
    const known = list.find(({ domains }) => domains.key === topologyKey)
    if (known !== undefined) return known
    const fresh = this.counts({ topologyKey })
    list.push(fresh)
    return fresh
  }

  private relationTo(kin: Kin): Relation {
    if (!hasTerms(kin.terms) && !hasTerms(this.subject.terms)) return unrelated
    const known = this.relations.get(kin.id)
    if (known !== undefined) return known
    const fresh = this.relate(kin)
    this.relations.set(kin.id, fresh)
    return fresh
  }

  private relate(kin: Kin): Relation {
    const { args, cluster, scoring, subject } = this
    const { namespaceLabels } = cluster
    const own = subject.terms
    const isTheirs = (term: AffinityTerm): boolean => termMatches(term, kin.namespace, kin.labels, namespaceLabels)
    const isOurs = (term: AffinityTerm): boolean =>
      termMatches(term, subject.namespace, subject.labels, namespaceLabels)
    const scores: Array<{ into: DomainCounts; weight: number }> = []
    const score = ({ topologyKey }: AffinityTerm, weight: number): void => {
      if (weight !== 0) scores.push({ into: this.shared(this.scores, topologyKey), weight })
    }
    if (scoring) {
      for (const term of own.preferredAffinity) if (isTheirs(term)) score(term, term.weight)
      for (const term of own.preferredAnti) if (isTheirs(term)) score(term, -term.weight)
      for (const term of kin.terms.requiredAffinity) if (isOurs(term)) score(term, args.hardWeight)
      for (const term of kin.terms.preferredAffinity) if (isOurs(term)) score(term, term.weight)
      for (const term of kin.terms.preferredAnti) if (isOurs(term)) score(term, -term.weight)
    }
    const relation: Relation = {
      anti: this.anti.filter((_, at) => isTheirs(own.requiredAnti[at])),
      near: matchesAll(own.requiredAffinity, kin.namespace, kin.labels, namespaceLabels) ? this.near : [],
      repelled: kin.terms.requiredAnti.filter(isOurs).map(({ topologyKey }) => this.shared(this.repelled, topologyKey)),
      scores
    }
    const matters =
      relation.anti.length > 0 || relation.near.length > 0 || relation.repelled.length > 0 || scores.length > 0
    return matters ? relation : unrelated
  }
}

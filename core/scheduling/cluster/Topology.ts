// Domains: the nodes that share a value of a label (a zone, a rack, a host), numbered by that label.
// Owns which node is in which domain; refuses to count pods. Bound: one set of domains for each label that a pod's terms name.
import type { Labels } from "#kube"

export class Domains {
  readonly key: string
  readonly values: Array<string> = []
  /** The domain of each node; −1 for nodes without the label. */
  of: Int32Array
  /** Nodes of each domain; beyond `count` there is nothing. */
  sizes = new Int32Array(8)
  /** Nodes with the label. */
  labelled = 0
  /** Domains with a node. */
  inhabited = 0
  private readonly byValue = new Map<string, number>()
  private readonly members: Array<Set<number>> = []

  constructor(key: string, size: number) {
    this.key = key
    this.of = new Int32Array(size).fill(-1)
  }

  get count(): number {
    return this.values.length
  }

  membersOf(domain: number): ReadonlySet<number> {
    return this.members[domain]
  }

  grow(size: number): void {
    const grown = new Int32Array(size).fill(-1)
    grown.set(this.of)
    this.of = grown
  }

  put(node: number, labels: Labels): void {
    const value = labels[this.key]
    const domain = value === undefined ? -1 : this.domainOf(value)
    const before = this.of[node]
    if (before === domain) return
    if (before >= 0) this.move(before, node, -1)
    if (domain >= 0) this.move(domain, node, 1)
    this.of[node] = domain
  }

  private move(domain: number, node: number, by: 1 | -1): void {
    if (by === 1) this.members[domain].add(node)
    else this.members[domain].delete(node)
    const before = this.sizes[domain]
    this.sizes[domain] = before + by
    this.labelled += by
    if (before === 0) this.inhabited++
    else if (before + by === 0) this.inhabited--
  }

  private domainOf(value: string): number {
    const known = this.byValue.get(value)
    if (known !== undefined) return known
    this.byValue.set(value, this.values.length)
    this.values.push(value)
    this.members.push(new Set())
    if (this.members.length > this.sizes.length) {
      const grown = new Int32Array(this.sizes.length * 2)
      grown.set(this.sizes)
      this.sizes = grown
    }
    return this.values.length - 1
  }
}

/** Domains of every label that anybody has asked about. */
export class Topology {
  private readonly byKey = new Map<string, Domains>()
  private size = 0

  grow(size: number): void {
    this.size = size
    for (const domains of this.byKey.values()) domains.grow(size)
  }

  /** The domains of a label; `nodes` are put into new ones. */
  domains(key: string, nodes: () => Iterable<readonly [number, Labels]>): Domains {
    const known = this.byKey.get(key)
    if (known !== undefined) return known
    const fresh = new Domains(key, this.size)
    for (const [node, labels] of nodes()) fresh.put(node, labels)
    this.byKey.set(key, fresh)
    return fresh
  }

  put(node: number, labels: Labels): void {
    for (const domains of this.byKey.values()) domains.put(node, labels)
  }
}

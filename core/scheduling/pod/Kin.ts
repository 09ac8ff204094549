// Kin: pods that look the same to other pods, by namespace, labels and terms of affinity. Where they are is counted together.
// Only labels count that some selector has asked about: pods that differ in others alone (their own name, an index) are kin.
// Owns telling kin apart and their places; refuses what only the pod itself cares for (resources, tolerations).
import type { KubeObject, Labels } from "#kube"
import { hasTerms, type PodTerms, termKeys, termsOf } from "./AffinityTerms.ts"
import { noLabels, podSpecOf } from "./PodFields.ts"

export interface Kin {
  readonly id: number
  readonly key: string
  readonly namespace: string
  readonly labels: Labels
  readonly terms: PodTerms
  /** Pods on each node, by the node's number. */
  readonly placed: Map<number, number>
  /** Those of them that are being deleted. */
  readonly ending: Map<number, number>
  /** Pods on nodes, in all. */
  size: number
}

export const bump = (counts: Map<number, number>, node: number, by: number): void => {
  const left = (counts.get(node) ?? 0) + by
  if (left === 0) counts.delete(node)
  else counts.set(node, left)
}

/** All kin that have pods on nodes, or whose pods were asked about of late. */
export class KinRegister {
  private readonly byKey = new Map<string, Kin>()
  private readonly all = new Map<number, Kin>()
  private readonly withTerms = new Set<Kin>()
  /** Those with pods on nodes, by their namespace. */
  private readonly inNamespace = new Map<string, Set<Kin>>()
  private next = 0
  /** How often kin were forgotten: what remembers kin by number starts anew after that. */
  sweeps = 0
  /** Moves when more labels count: whoever knows kin by then starts anew. */
  generation = 0
  /** Called when more labels count, before any kin is told by them. */
  onLearned: (() => void) | undefined
  private readonly labelKeys = new Set<string>()

  /** Selectors ask about these labels from now on. */
  learn(keys: Iterable<string>): void {
    const before = this.labelKeys.size
    for (const key of keys) this.labelKeys.add(key)
    if (this.labelKeys.size === before) return
    this.generation++
    this.byKey.clear()
    this.all.clear()
    this.withTerms.clear()
    this.inNamespace.clear()
    this.onLearned?.()
  }

  /** The labels of a pod that count. */
  counting(labels: Labels): Labels {
    let found: Record<string, string> | undefined
    for (const key in labels) if (this.labelKeys.has(key)) (found ??= {})[key] = labels[key]
    return found ?? noLabels
  }

  /** The kin of a pod; made when it is new. */
  of(pod: KubeObject): Kin {
    const { namespace = "" } = pod.metadata
    const spec = podSpecOf(pod)
    const affinity =
      spec.affinity?.podAffinity === undefined && spec.affinity?.podAntiAffinity === undefined
        ? ""
        : JSON.stringify([spec.affinity.podAffinity, spec.affinity.podAntiAffinity])
    if (affinity !== "") this.learn(termKeys(termsOf(namespace, spec)))
    const labels = this.counting(pod.metadata.labels ?? noLabels)
    const key = `${namespace}\n${labelsText(labels)}\n${affinity}`
    const known = this.byKey.get(key)
    if (known !== undefined) return known
    const terms = termsOf(namespace, spec)
    const id = this.next++
    const kin: Kin = { id, key, namespace, labels, terms, placed: new Map(), ending: new Map(), size: 0 }
    this.byKey.set(key, kin)
    this.all.set(id, kin)
    return kin
  }

  get(id: number): Kin | undefined {
    return this.all.get(id)
  }

  /** Counts pods of a kin on a node, or off it. */
  place(kin: Kin, node: number, by: 1 | -1, ending: boolean): void {
    // Swept while a pod of it was on its way to a node: it stands again.
    if (this.all.get(kin.id) !== kin) this.all.set(kin.id, kin)
    bump(kin.placed, node, by)
    if (ending) bump(kin.ending, node, by)
    kin.size += by
    this.stand(kin)
    if (hasTerms(kin.terms)) {
      if (kin.size > 0) this.withTerms.add(kin)
      else this.withTerms.delete(kin)
    }
  }

  private stand(kin: Kin): void {
    const own = this.inNamespace.get(kin.namespace)
    if (kin.size > 0) {
      if (own === undefined) this.inNamespace.set(kin.namespace, new Set([kin]))
      else own.add(kin)
    } else if (own?.delete(kin) === true && own.size === 0) this.inNamespace.delete(kin.namespace)
  }

  /** Every kin that has pods on nodes. */
  *standing(): IterableIterator<Kin> {
    for (const kin of this.all.values()) if (kin.size > 0) yield kin
  }

  /** Those among them in a namespace: others' pods are none of its selectors' business. */
  standingIn(namespace: string): Iterable<Kin> {
    return this.inNamespace.get(namespace) ?? NOBODY
  }

  /** Those among them with terms of affinity of their own. */
  standingWithTerms(): IterableIterator<Kin> {
    return this.withTerms.values()
  }

  get count(): number {
    return this.all.size
  }

  /** Forgets kin without pods on nodes, other than those in use. Bound: called when kin without pods are the most. */
  sweep(inUse: ReadonlySet<Kin>): void {
    this.sweeps++
    for (const kin of this.all.values()) {
      if (kin.size > 0 || inUse.has(kin)) continue
      this.all.delete(kin.id)
      this.byKey.delete(kin.key)
    }
  }
}

const NOBODY: Iterable<Kin> = []

const labelsText = (labels: Labels): string => {
  if (labels === noLabels) return ""
  const keys = Object.keys(labels)
  if (keys.length === 1) return `${keys[0]}=${labels[keys[0]]}`
  let text = ""
  for (const key of keys.sort()) text += `${key}=${labels[key]},`
  return text
}

// Which autoscalers select the same pods: two that scale one workload would fight.
// Owns the selectors that autoscalers were found to have; refuses to find them. Bound: one entry per autoscaler.
import type { KubeObject, LabelSelector } from "#kube"

export class AutoscalerSelectors {
  readonly #byNamespace = new Map<string, Map<string, LabelSelector | undefined>>()

  /** An autoscaler whose selector is not known yet selects nothing. */
  add(namespace: string, name: string): void {
    const known = this.#byNamespace.get(namespace) ?? new Map<string, LabelSelector | undefined>()
    if (!known.has(name)) known.set(name, undefined)
    this.#byNamespace.set(namespace, known)
  }

  set(namespace: string, name: string, selector: LabelSelector): void {
    this.#byNamespace.get(namespace)?.set(name, selector)
  }

  delete(namespace: string, name: string): void {
    const known = this.#byNamespace.get(namespace)
    known?.delete(name)
    if (known?.size === 0) this.#byNamespace.delete(namespace)
  }

  /** The names of autoscalers that select any of these pods; two at most, for two are too many. */
  selecting(namespace: string, pods: ReadonlyArray<KubeObject>): ReadonlyArray<string> {
    const found: Array<string> = []
    for (const [name, selector] of this.#byNamespace.get(namespace) ?? []) {
      if (selector === undefined) continue
      if (pods.some(({ metadata }) => selector.matches(metadata.labels ?? {}))) found.push(name)
      if (found.length === 2) break
    }
    return found
  }
}

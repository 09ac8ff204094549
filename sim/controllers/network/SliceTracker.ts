// Which EndpointSlices we wrote last, by service: so that nothing is decided on a copy of them that is older than our own writes, and
// that our own writes are not mistaken for somebody else's.
// Owns generations by uid; refuses to know what slices hold. Bound: one number for each slice of a service that lives.
import type { KubeObject } from "#kube"

/** A slice that we deleted. */
const DELETED = -1

export const SERVICE_NAME = "kubernetes.io/service-name"

/** The service of a slice, by its label. */
export const serviceKeyOf = ({ metadata: { labels, namespace = "" } }: KubeObject): string =>
  `${namespace}/${labels?.[SERVICE_NAME] ?? ""}`

const uidOf = ({ metadata: { uid = "" } }: KubeObject): string => uid
const generationOf = ({ metadata: { generation = 0 } }: KubeObject): number => generation

export class SliceTracker {
  readonly #generations = new Map<string, Map<string, number>>()

  has(slice: KubeObject): boolean {
    return this.#generations.get(serviceKeyOf(slice))?.has(uidOf(slice)) === true
  }

  /** Whether a slice that was heard of is news. */
  isNews(slice: KubeObject): boolean {
    const generation = this.#generations.get(serviceKeyOf(slice))?.get(uidOf(slice))
    return generation === undefined || generationOf(slice) > generation
  }

  /** Whether a copy of a service's slices is older than what we wrote. */
  isStale(service: string, slices: ReadonlyArray<KubeObject>): boolean {
    const generations = this.#generations.get(service)
    if (generations === undefined) return false
    const held = new Set<string>()
    for (const slice of slices) {
      held.add(uidOf(slice))
      const generation = generations.get(uidOf(slice))
      if (generation !== undefined && (generation === DELETED || generation > generationOf(slice))) return true
    }
    for (const [uid, generation] of generations) if (generation !== DELETED && !held.has(uid)) return true
    return false
  }

  wrote(slice: KubeObject): void {
    this.#of(slice).set(uidOf(slice), generationOf(slice))
  }

  deleted(slice: KubeObject): void {
    this.#of(slice).set(uidOf(slice), DELETED)
  }

  /** A slice is gone; answers whether that was our doing. */
  gone(slice: KubeObject): boolean {
    const generations = this.#generations.get(serviceKeyOf(slice))
    const generation = generations?.get(uidOf(slice))
    generations?.delete(uidOf(slice))
    return generation === undefined || generation === DELETED
  }

  forget(service: string): void {
    this.#generations.delete(service)
  }

  #of(slice: KubeObject): Map<string, number> {
    const key = serviceKeyOf(slice)
    let generations = this.#generations.get(key)
    if (generations === undefined) this.#generations.set(key, (generations = new Map()))
    return generations
  }
}

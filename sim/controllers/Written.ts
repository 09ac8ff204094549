// What a controller wrote and its informers do not show yet: until they do, its next sync would decide on the past.
// Owns the newest version written for each key and informer; refuses to wait, which callers do. Bound: one entry per key.
// Source: kubernetes pkg/controller/util/consistency.
import type { Informer, KubeObject } from "#kube"

/** Whether a decimal revision is older than another. */
const isOlder = (a: string, b: string): boolean => (a.length === b.length ? a < b : a.length < b.length)

export class Written {
  readonly #written = new Map<string, Map<Informer, string>>()

  /** An object that this informer will show was written for a key. */
  wrote(key: string, informer: Informer, { metadata }: KubeObject): void {
    const version = metadata.resourceVersion ?? ""
    const of = this.#written.get(key) ?? new Map<Informer, string>()
    const known = of.get(informer)
    if (known === undefined || isOlder(known, version)) of.set(informer, version)
    this.#written.set(key, of)
  }

  /** Whether the informers show all that was written for a key. */
  isShown(key: string): boolean {
    const of = this.#written.get(key)
    if (of === undefined) return true
    for (const [informer, version] of of) if (isOlder(informer.resourceVersion, version)) return false
    this.#written.delete(key)
    return true
  }

  forget(key: string): void {
    this.#written.delete(key)
  }
}

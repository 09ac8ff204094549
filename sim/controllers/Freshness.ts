// Whether a controller's informers show what it wrote itself: who counts before they do counts wrong (upstream's consistency store).
// Owns the newest version that was written for each owner; refuses to wait, which the controller does by asking again.
// Bound: one entry per owner whose last write is not seen yet.
import type { Informer } from "#kube"

/** When to look again at what is not shown yet. */
export const STALE_RETRY = { requeueAfterMs: 10 }

/** Whether a version comes after another; versions are decimal numbers of any length. */
const isLater = (a: string, b: string): boolean => (a.length === b.length ? a > b : a.length > b.length)

export class Freshness {
  readonly #informers: ReadonlyArray<Informer>
  readonly #written = new Map<string, Array<string | undefined>>()

  /** Over these informers; writes name one of them. */
  constructor(informers: ReadonlyArray<Informer>) {
    this.#informers = informers
  }

  /** An object of an informer's collection was written for an owner. */
  wrote(ownerUid: string, informer: Informer, resourceVersion: string | undefined): void {
    const at = this.#informers.indexOf(informer)
    if (at < 0 || resourceVersion === undefined) return
    let versions = this.#written.get(ownerUid)
    if (versions === undefined) this.#written.set(ownerUid, (versions = []))
    const known = versions[at]
    if (known === undefined || isLater(resourceVersion, known)) versions[at] = resourceVersion
  }

  /** Whether everything written for an owner is shown. */
  isFresh(ownerUid: string): boolean {
    const versions = this.#written.get(ownerUid)
    if (versions === undefined) return true
    const isBehind = this.#informers.some(({ resourceVersion }, at) => isLater(versions[at] ?? "", resourceVersion))
    if (!isBehind) this.#written.delete(ownerUid)
    return !isBehind
  }

  /** The owner is no more. */
  forget(ownerUid: string): void {
    this.#written.delete(ownerUid)
  }
}

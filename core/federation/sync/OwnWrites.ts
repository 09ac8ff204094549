// What our own last writes to a member made, until the watch has caught up: so that nobody acts on a copy that we ourselves have changed.
// Owns this memory; refuses to be a cache: what the watch has not shown within half a minute it never will.
// Bound: one entry for each write whose event has not come yet; 65,536 in all, the oldest go.
import type { Clockwork, KubeObject } from "#kube"

const ENTRIES_MAX = 65_536
const BELIEVED_MS = 30_000

interface Written {
  readonly object: KubeObject
  readonly uid: string | undefined
  readonly atMs: number
}

const isAtLeast = (a: KubeObject, b: KubeObject): boolean => {
  const [one, other] = [a.metadata.resourceVersion ?? "", b.metadata.resourceVersion ?? ""]
  // Versions of one resource of a server are numbers that grow; of what are none, only sameness counts.
  return one === other || (/^\d+$/.test(one) && /^\d+$/.test(other) && BigInt(one) >= BigInt(other))
}

export class OwnWrites {
  readonly #written = new Map<string, Written>()
  readonly #clockwork: Clockwork

  constructor(clockwork: Clockwork) {
    this.#clockwork = clockwork
  }

  note(type: string, key: string, object: KubeObject): void {
    this.#set(`${type}|${key}`, { object, uid: object.metadata.uid, atMs: this.#clockwork.monotonic() })
  }

  /** What we wrote last is gone by our own hand. */
  deleted(type: string, key: string): void {
    this.#written.delete(`${type}|${key}`)
  }

  /** What is newer: what was seen, or what we wrote. */
  newest(type: string, key: string, seen: KubeObject | undefined): KubeObject | undefined {
    const entry = this.#written.get(`${type}|${key}`)
    if (entry === undefined || this.#clockwork.monotonic() - entry.atMs > BELIEVED_MS) return seen
    const written = entry.object
    if (seen === undefined) return written
    return seen.metadata.uid !== written.metadata.uid || isAtLeast(seen, written) ? seen : written
  }

  /** The watch has shown an object, or its end. */
  seen(type: string, key: string, object: KubeObject, isThere: boolean): void {
    const id = `${type}|${key}`
    const written = this.#written.get(id)
    if (written === undefined) return
    const same = written.uid === object.metadata.uid
    if (same && (!isThere || isAtLeast(object, written.object))) this.#written.delete(id)
  }

  #set(id: string, written: Written): void {
    this.#written.delete(id)
    if (this.#written.size >= ENTRIES_MAX) {
      for (const oldest of this.#written.keys()) {
        this.#written.delete(oldest)
        break
      }
    }
    this.#written.set(id, written)
  }
}

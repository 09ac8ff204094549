// What was last written to one resource of the fixed upstream, so that a watch which ended goes on where it was, as at a kube-apiserver.
// Owns what is kept and the answer to a version from before that; refuses to know who watches.
// Bound: twice `KEPT` writes; what is older is gone for good.

const KEPT = 8192

/** A write, as watchers are told of it. */
export interface RecentEvent {
  readonly version: number
  readonly type: string
  readonly name: string
  readonly namespace: string
}

/** What a watch from a version that is no longer kept is told. */
export const expired = (version: number): Buffer =>
  Buffer.from(
    `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","message":"too old resource version: ${version}","reason":"Expired","code":410}}\n`
  )

/** Writes in the order of their versions. */
export class RecentEvents {
  readonly #events: Array<RecentEvent> = []
  /** The newest version of which the write is gone. */
  #forgotten = 0

  add(event: RecentEvent): void {
    this.#events.push(event)
    if (this.#events.length < 2 * KEPT) return
    this.#forgotten = this.#events[KEPT - 1]?.version ?? 0
    this.#events.splice(0, KEPT)
  }

  /** What a watch from `version` missed, of one namespace or of all; undefined when some of it is gone. */
  after(version: number, namespace: string | undefined): ReadonlyArray<RecentEvent> | undefined {
    if (version < this.#forgotten) return undefined
    return this.#events.filter(
      (event) => event.version > version && (namespace === undefined || event.namespace === namespace)
    )
  }
}

// The parts of the server as they were mounted: once over everything, and once for each set of namespaces that somebody may read.
// Owns the making and the end of them; refuses to judge who may read what.
import type { GrpcMethod } from "#net"
import { type ReadGrant, ScopedStore } from "../store/ScopedStore.ts"
import type { MakeMount, Mount, TracingParts } from "./Route.ts"

/** Sets of grants that are kept mounted: more than one server has readers of different rights; the first of them is made again. */
const GRANTED_MAX = 256

export class MountedParts {
  readonly whole: ReadonlyArray<Mount>
  private readonly makers: ReadonlyArray<MakeMount>
  private readonly parts: TracingParts
  private readonly byGrants = new Map<string, ReadonlyArray<Mount>>()

  constructor(makers: ReadonlyArray<MakeMount>, parts: TracingParts) {
    this.makers = makers
    this.parts = parts
    this.whole = makers.map((make) => make(parts))
  }

  /** The parts over what is granted. */
  granted(grants: ReadonlyArray<ReadGrant>): ReadonlyArray<Mount> {
    const key = JSON.stringify(grants)
    const known = this.byGrants.get(key)
    if (known !== undefined) return known
    const store = new ScopedStore(this.parts.store, grants)
    const made = this.makers.map((make) => make({ ...this.parts, store }))
    for (const oldest of this.byGrants.keys()) {
      if (this.byGrants.size < GRANTED_MAX) break
      this.end(this.byGrants.get(oldest) ?? [])
      this.byGrants.delete(oldest)
    }
    this.byGrants.set(key, made)
    return made
  }

  /** A method over what is granted, by its path. */
  method(grants: ReadonlyArray<ReadGrant>, path: string): GrpcMethod | undefined {
    return this.granted(grants)
      .flatMap(({ methods }) => methods)
      .find((method) => method.path === path)
  }

  stop(): void {
    for (const mounts of [this.whole, ...this.byGrants.values()]) this.end(mounts)
  }

  private end(mounts: ReadonlyArray<Mount>): void {
    for (const { stop } of mounts) stop?.()
  }
}

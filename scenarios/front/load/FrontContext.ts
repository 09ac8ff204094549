// What all loads of one run against a front share: the clock, the pools of objects, and the times of acknowledged writes by
// resourceVersion, from which watchers' lag is known. Owns that state; nothing here sends or decides.
import { Effect } from "effect"
import { WriteTimes } from "../../generator/Delivery.ts"
import { PhaseClock } from "../../generator/PhaseClock.ts"
import type { Front } from "../Front.ts"
import { type FrontEndpoint, namespaceName, upstreamNamespace } from "./FrontEndpoint.ts"
import { FrontObjectPool } from "./FrontObjectPool.ts"

/** Shared state of a run against a front. */
export class FrontContext extends PhaseClock {
  readonly times = new WriteTimes()
  readonly front: Front
  readonly endpoint: FrontEndpoint
  /** Whether the front shows tenants clusters of their own; else namespaces carry the tenants' ids. */
  readonly translates: boolean
  /** Whether somebody watches, so that writes must be known by their resourceVersion. */
  watched = false
  #go: (() => void) | undefined
  readonly #pools: ReadonlyArray<FrontObjectPool>

  constructor(seed: number, front: Front, endpoint: FrontEndpoint, translates: boolean) {
    super(seed)
    this.front = front
    this.endpoint = endpoint
    this.translates = translates
    this.#pools = front.objects.map(
      (objects, index) =>
        new FrontObjectPool(index, objects, this.tenants, (tenant, namespace) =>
          translates ? namespaceName(objects, namespace) : upstreamNamespace(front, objects, tenant, namespace)
        )
    )
  }

  /** Waits until the runner says go. */
  get gone(): Effect.Effect<void> {
    return Effect.callback((resume) => void (this.#go = () => resume(Effect.void)))
  }

  go(): void {
    this.#go?.()
    this.#go = undefined
  }

  get tenants(): number {
    return this.front.tenants?.count ?? 0
  }

  /** The objects of that name, or the only ones. */
  pool(name: string | undefined): FrontObjectPool {
    return this.#pools.find(({ objects }) => objects.name === name) ?? this.#pools[0]
  }
}

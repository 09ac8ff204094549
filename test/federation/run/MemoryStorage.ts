// A store in memory on a clock that the test moves: what an API server of a world keeps its objects in.
import type { Clockwork } from "#kube"
import { makeMemoryEngine } from "../../../core/storage/engine/MemoryEngine.ts"
import { Compactor } from "../../../core/storage/mvcc/Compactor.ts"
import { Store } from "../../../core/storage/mvcc/Store.ts"
import { WatchHub } from "../../../core/storage/watch/WatchHub.ts"

export const makeMemoryStorage = (clockwork: Clockwork) => {
  const engine = makeMemoryEngine({ defer: clockwork.defer, clock: clockwork.now })
  const store = new Store(engine, { defer: clockwork.defer, minLeaseTtlSeconds: 1 })
  return {
    store,
    hub: new WatchHub(store, clockwork.defer),
    compactor: new Compactor(store, { now: clockwork.monotonic, after: clockwork.after })
  }
}

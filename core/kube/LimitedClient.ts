// A client that asks no faster than it may: each request takes a token, and waits its turn for one. What client-go does with QPS and Burst.
// Owns the waiting; refuses retries, and to turn anything away. Bound: as many wait as their callers have under way.
import type { Client } from "./Client.ts"
import type { Cancel, Clockwork } from "./Clockwork.ts"
import { TokenBucket } from "./TokenBucket.ts"

/** How fast a client may ask. */
export interface ClientRate {
  /** Requests a second. */
  readonly qps: number
  /** Requests that may go out at once after a rest. */
  readonly burst: number
}

/**
 * The same client at that rate at most. A watch counts where it begins. Requests leave in the order in which they came as far as the
 * clockwork keeps its timers': on a machine that is late, as in client-go, one that need not wait may pass one whose timer is due.
 */
export const limitedClient = (client: Client, { burst, qps }: ClientRate, clockwork: Clockwork): Client => {
  const bucket = new TokenBucket(qps, burst, clockwork.monotonic())
  const inTurn = (run: () => void): Cancel | undefined => {
    const waitMs = bucket.reserve(clockwork.monotonic())
    if (waitMs > 0) return clockwork.after(waitMs, run)
    run()
    return undefined
  }
  return {
    get: (target, options, done) => void inTurn(() => client.get(target, options, done)),
    list: (collection, options, done) => void inTurn(() => client.list(collection, options, done)),
    watch: (collection, options, listener) => {
      let cancel: Cancel = () => undefined
      const waiting = inTurn(() => {
        cancel = client.watch(collection, options, listener)
      })
      return () => {
        waiting?.()
        cancel()
      }
    },
    create: (target, object, options, done) => void inTurn(() => client.create(target, object, options, done)),
    update: (target, object, options, done) => void inTurn(() => client.update(target, object, options, done)),
    patch: (target, patch, options, done) => void inTurn(() => client.patch(target, patch, options, done)),
    delete: (target, options, done) => void inTurn(() => client.delete(target, options, done)),
    deleteCollection: (collection, options, selection, done) =>
      void inTurn(() => client.deleteCollection(collection, options, selection, done))
  }
}

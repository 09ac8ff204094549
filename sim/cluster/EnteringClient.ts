// A client of a server outside the kernel: whatever it answers enters the kernel as an event of one process.
// Owns that crossing, so that nodes and controllers see one clock and one order; refuses the calls, which the client below makes.
import type { Client, Done } from "#kube"

/** Lets something happen inside the kernel, soon. */
export type Enter = (run: () => void) => void

/** The same client, its answers and watch events by way of `enter`. */
export const enteringClient = (client: Client, enter: Enter): Client => {
  const entering =
    <A>(done: Done<A>): Done<A> =>
    (answer) =>
      enter(() => done(answer))
  return {
    get: (target, options, done) => client.get(target, options, entering(done)),
    list: (collection, options, done) => client.list(collection, options, entering(done)),
    watch: (collection, options, listener) => {
      let stopped = false
      const stop = client.watch(collection, options, {
        event: (event) =>
          enter(() => {
            if (!stopped) listener.event(event)
          }),
        ended: (failure) =>
          enter(() => {
            if (!stopped) listener.ended(failure)
          })
      })
      return () => {
        stopped = true
        stop()
      }
    },
    create: (target, object, options, done) => client.create(target, object, options, entering(done)),
    update: (target, object, options, done) => client.update(target, object, options, entering(done)),
    patch: (target, patch, options, done) => client.patch(target, patch, options, entering(done)),
    delete: (target, options, done) => client.delete(target, options, entering(done)),
    deleteCollection: (collection, options, selection, done) =>
      client.deleteCollection(collection, options, selection, entering(done))
  }
}

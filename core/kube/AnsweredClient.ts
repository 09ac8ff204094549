// A client whose answers go through the hands of somebody before they reach who asked: counted, timed, or taken into another clock.
// Owns that all calls with one answer are covered; refuses watches, which have many, and says nothing of what is done with an answer.
import type { Client, Done } from "./Client.ts"

/** The same client, `hand` put before every answer; it is asked when the call goes out. Watches are left as they are. */
export const answeredClient = (client: Client, hand: <A>(done: Done<A>) => Done<A>): Client => ({
  get: (target, options, done) => client.get(target, options, hand(done)),
  list: (collection, options, done) => client.list(collection, options, hand(done)),
  watch: (collection, options, listener) => client.watch(collection, options, listener),
  create: (target, object, options, done) => client.create(target, object, options, hand(done)),
  update: (target, object, options, done) => client.update(target, object, options, hand(done)),
  patch: (target, patch, options, done) => client.patch(target, patch, options, hand(done)),
  delete: (target, options, done) => client.delete(target, options, hand(done)),
  deleteCollection: (collection, options, selection, done) =>
    client.deleteCollection(collection, options, selection, hand(done))
})

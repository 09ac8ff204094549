// The Client port in Effect's terms: the same calls as effects that fail with ApiFailure, and watches as scoped streams.
// Owns this translation only; refuses retries, which callers choose with Effect's own means.
import { Cause, Effect, Queue, Stream } from "effect"
import type {
  Client,
  Collection,
  DeleteOptions,
  Done,
  GetOptions,
  ListOptions,
  Patch,
  PatchOptions,
  Target,
  WatchOptions,
  WriteOptions
} from "./Client.ts"
import type { KubeList, KubeObject } from "./KubeObject.ts"
import { ApiFailure, Failures } from "./Status.ts"
import type { WatchEvent } from "./WatchEvent.ts"

type Answer<A> = Effect.Effect<A, ApiFailure>

export interface EffectClient {
  readonly get: (target: Target, options?: GetOptions) => Answer<KubeObject>
  readonly list: (collection: Collection, options?: ListOptions) => Answer<KubeList>
  /** Ends when the server ends the watch; fails with 410 Expired when the consumer falls too far behind, as a server would. */
  readonly watch: (collection: Collection, options?: WatchOptions) => Stream.Stream<WatchEvent, ApiFailure>
  readonly create: (target: Collection | Target, object: KubeObject, options?: WriteOptions) => Answer<KubeObject>
  readonly update: (target: Target, object: KubeObject, options?: WriteOptions) => Answer<KubeObject>
  readonly patch: (target: Target, patch: Patch, options?: PatchOptions) => Answer<KubeObject>
  readonly delete: (target: Target, options?: DeleteOptions) => Answer<KubeObject>
  readonly deleteCollection: (
    collection: Collection,
    options?: DeleteOptions,
    selection?: ListOptions
  ) => Answer<KubeObject>
}

/** Events that a stream holds for its consumer. */
const BEHIND_MAX = 4096

const none = {}

const asked = <A>(call: (done: Done<A>) => void): Answer<A> =>
  Effect.callback<A, ApiFailure>((resume) =>
    call((answer) => resume(answer instanceof ApiFailure ? Effect.fail(answer) : Effect.succeed(answer)))
  )

const watched = (
  client: Client,
  collection: Collection,
  options: WatchOptions
): Stream.Stream<WatchEvent, ApiFailure> =>
  Stream.callback<WatchEvent, ApiFailure>(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const cancel = client.watch(collection, options, {
            event: (event) => {
              if (Queue.offerUnsafe(queue, event)) return
              cancel()
              Queue.failCauseUnsafe(queue, Cause.fail(Failures.expired("the consumer of the watch is too far behind")))
            },
            ended: (failure) => {
              if (failure === undefined) Queue.endUnsafe(queue)
              else Queue.failCauseUnsafe(queue, Cause.fail(failure))
            }
          })
          return cancel
        }),
        (cancel) => Effect.sync(cancel)
      ),
    { bufferSize: BEHIND_MAX, strategy: "dropping" }
  )

/** The Effect form of a Client. */
export const effectClient = (client: Client): EffectClient => ({
  get: (target, options = none) => asked((done) => client.get(target, options, done)),
  list: (collection, options = none) => asked((done) => client.list(collection, options, done)),
  watch: (collection, options = none) => watched(client, collection, options),
  create: (target, object, options = none) => asked((done) => client.create(target, object, options, done)),
  update: (target, object, options = none) => asked((done) => client.update(target, object, options, done)),
  patch: (target, patch, options = none) => asked((done) => client.patch(target, patch, options, done)),
  delete: (target, options = none) => asked((done) => client.delete(target, options, done)),
  deleteCollection: (collection, options = none, selection = none) =>
    asked((done) => client.deleteCollection(collection, options, selection, done))
})

// Deletes all that is in a namespace which was deleted, pods first, and lets the namespace go when nothing is left.
// Owns the order of it, the conditions' writing and the last finalizer; emptying one resource is NamespaceContent.ts's.
import { Effect } from "effect"
import {
  ApiFailure,
  type Controller,
  type EffectClient,
  Failures,
  type GroupVersionResource,
  gvr,
  type KubeObject,
  parseRfc3339
} from "#kube"
import { fieldsOf, textsOf } from "#apiserver"
import { clientOf, isConflict, isNotFound, keyedController } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import { withConditions } from "./NamespaceConditions.ts"
import { emptyNamespace } from "./NamespaceContent.ts"
import { afterServed, type ServedResource, servedResources } from "./ServedResources.ts"

const NAME = "namespace-controller"
const FINALIZER = "kubernetes"
const namespaces = gvr("", "v1", "namespaces")
/** Writes that are under way when a namespace is deleted get so long to be seen. */
const GRACE_MS = 5000
const LIMITS = { baseMs: 5, maxMs: 60_000, perSecond: 10, burst: 100 }

type Found = { -readonly [Field in "failures"]: Array<string> } & {
  readonly remaining: Map<GroupVersionResource, number>
  readonly finalizers: Map<string, number>
  estimateSeconds: number
}

class NamespaceDeletion {
  readonly #client: EffectClient
  readonly #manager: Manager

  constructor(manager: Manager) {
    this.#manager = manager
    this.#client = clientOf(manager)
  }

  /** One attempt; answers seconds after which the next is worth making, or undefined when the namespace is done with. */
  readonly attempt = Effect.fnUntraced(
    function* (this: NamespaceDeletion, name: string) {
      const live = yield* this.#get(name)
      if (live?.metadata.deletionTimestamp === undefined) return undefined
      const terminating = yield* this.#write(live, "status", (namespace) => {
        const status = fieldsOf(namespace.status)
        return status["phase"] === "Terminating"
          ? undefined
          : { ...namespace, status: { ...status, phase: "Terminating" } }
      })
      if (terminating === undefined || textsOf(fieldsOf(terminating.spec)["finalizers"]).length === 0) return undefined
      const { estimateSeconds, failures } = yield* this.#deleteContent(terminating)
      if (failures.length > 0) return yield* Effect.fail(Failures.internal(failures.join(", ")))
      if (estimateSeconds > 0) return estimateSeconds
      yield* this.#write(terminating, "finalize", (namespace) => {
        const finalizers = textsOf(fieldsOf(namespace.spec)["finalizers"])
        const rest = finalizers.filter((one) => one !== FINALIZER).sort()
        return { ...namespace, spec: { ...fieldsOf(namespace.spec), finalizers: rest } }
      })
      return undefined
    }.bind(this)
  )

  #get(name: string): Effect.Effect<KubeObject | undefined, ApiFailure> {
    return this.#client
      .get({ resource: namespaces, namespace: "", name })
      .pipe(Effect.catch((failure) => (isNotFound(failure) ? Effect.succeed(undefined) : Effect.fail(failure))))
  }

  /** Writes a subresource until nobody else was faster; undefined when the namespace is gone. */
  readonly #write = Effect.fnUntraced(
    function* (
      this: NamespaceDeletion,
      first: KubeObject,
      subresource: string,
      change: (namespace: KubeObject) => KubeObject | undefined
    ) {
      const { name = "", uid } = first.metadata
      for (let namespace: KubeObject | undefined = first; namespace !== undefined;) {
        const changed = change(namespace)
        if (changed === undefined) return namespace
        const answer: KubeObject | ApiFailure = yield* this.#client
          .update({ resource: namespaces, namespace: "", name, subresource }, changed)
          .pipe(Effect.catch((failure) => Effect.succeed(failure)))
        if (!(answer instanceof ApiFailure)) return answer
        if (isNotFound(answer)) return undefined
        if (!isConflict(answer)) return yield* Effect.fail(answer)
        const again: KubeObject | undefined = yield* this.#get(name)
        if (again !== undefined && again.metadata.uid !== uid)
          return yield* Effect.fail(Failures.internal("namespace uid has changed across retries"))
        namespace = again
      }
      return undefined
    }.bind(this)
  )

  readonly #deleteContent = Effect.fnUntraced(
    function* (this: NamespaceDeletion, namespace: KubeObject) {
      const resources = servedResources(this.#manager).list.filter(
        ({ namespaced, verbs }) => namespaced && verbs.includes("delete")
      )
      const isPods = ({ group, resource }: ServedResource): boolean => group === "" && resource === "pods"
      const found: Found = { failures: [], remaining: new Map(), finalizers: new Map(), estimateSeconds: 0 }
      for (const resource of resources.filter(isPods)) yield* this.#empty(namespace, resource, found, "pods")
      // Controllers of pods that still run would only make what is deleted again: the rest waits for the pods.
      if (found.remaining.size > 0) {
        yield* this.#tell(namespace, { ...found, remaining: undefined, finalizers: new Map() })
        return found
      }
      for (const resource of resources) if (!isPods(resource)) yield* this.#empty(namespace, resource, found)
      yield* this.#tell(namespace, found)
      return found
    }.bind(this)
  )

  readonly #empty = Effect.fnUntraced(
    function* (this: NamespaceDeletion, namespace: KubeObject, resource: ServedResource, found: Found, what = "") {
      const { deletionTimestamp = "", name = "" } = namespace.metadata
      const ageSeconds = (this.#manager.clockwork.now() - (parseRfc3339(deletionTimestamp) ?? 0)) / 1000
      const emptied = yield* emptyNamespace({ client: this.#client, namespace: name, resource, ageSeconds })
      if (emptied.failure !== undefined) {
        const { failure } = emptied
        found.failures.push(what === "" ? failure : `failed to delete ${what} for namespace: ${name}, err: ${failure}`)
      }
      found.estimateSeconds = Math.max(found.estimateSeconds, emptied.estimateSeconds)
      if (emptied.remaining === 0) return
      found.remaining.set(resource, emptied.remaining)
      for (const [finalizer, count] of emptied.finalizers)
        found.finalizers.set(finalizer, (found.finalizers.get(finalizer) ?? 0) + count)
    }.bind(this)
  )

  /** A condition that could not be written is no reason to stop. */
  #tell(namespace: KubeObject, findings: Parameters<typeof withConditions>[1]): Effect.Effect<void> {
    const changed = withConditions(namespace, findings, this.#manager.clockwork.now())
    if (changed === undefined) return Effect.void
    const { name = "" } = namespace.metadata
    return this.#client
      .update({ resource: namespaces, namespace: "", name, subresource: "status" }, changed)
      .pipe(Effect.ignore)
  }
}

/** Makes the namespace controller. */
export const namespaceController = (manager: Manager): Controller => {
  const deletion = new NamespaceDeletion(manager)
  const controller: Controller = keyedController(manager, NAME, {
    watches: [
      {
        informer: manager.informers.informer(namespaces),
        keys: ({ metadata: { deletionTimestamp, name = "" } }) => {
          if (deletionTimestamp !== undefined) controller.enqueueAfter(name, GRACE_MS)
          return undefined
        }
      }
    ],
    limits: LIMITS,
    reconcile: (name) =>
      Effect.map(deletion.attempt(name), (seconds) =>
        seconds === undefined ? undefined : { requeueAfterMs: (Math.floor(seconds / 2) + 1) * 1000 }
      )
  })
  return afterServed(manager, controller)
}

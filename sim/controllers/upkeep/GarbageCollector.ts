// Deletes what no owner keeps any more: in the background, in the foreground behind what blocks, or never, when dependents are to be
// let go (the garbage collector of kube-controller-manager).
// Owns the decision about each object that the graph points out; the graph and the calls are others'. Bound: one key for each object.
import { Effect } from "effect"
import {
  ApiFailure,
  type Controller,
  type ControllerStats,
  Failures,
  type KubeObject,
  makeController,
  type OwnerReference,
  type Reconciled
} from "#kube"
import type { Manager } from "../Manager.ts"
import { DependencyGraph } from "./DependencyGraph.ts"
import { GarbageCalls, type GarbageProblem, NamespacedOwner } from "./GarbageCalls.ts"
import { GraphMonitors } from "./GraphMonitors.ts"
import { FOREGROUND, type GraphNode, identityOfOwner, identityText, ORPHAN } from "./GraphNode.ts"

const NAME = "garbage-collector-controller"
/** What upstream calls the source of its events. */
const COMPONENT = "garbage-collector-controller"
const ORPHAN_CALLS = 20
const LATER_MS = 5

interface Classified {
  readonly solid: ReadonlyArray<OwnerReference>
  readonly dangling: ReadonlyArray<OwnerReference>
  readonly waiting: ReadonlyArray<OwnerReference>
}

const hasFinalizer = ({ metadata }: KubeObject, finalizer: string): boolean =>
  metadata.finalizers?.includes(finalizer) === true

class GarbageCollector implements Controller {
  readonly name = NAME
  readonly graph: DependencyGraph
  readonly #calls: GarbageCalls
  readonly #deleting: Controller
  readonly #orphaning: Controller
  readonly #monitors: GraphMonitors
  #live = false

  constructor(manager: Manager) {
    const events = manager.events.from(COMPONENT)
    this.#calls = new GarbageCalls(manager)
    const worker = (reconcile: (uid: string) => Effect.Effect<Reconciled, ApiFailure>): Controller =>
      makeController({
        name: NAME,
        clockwork: manager.clockwork,
        workers: manager.syncs(NAME),
        watches: [],
        reconcile,
        onFailure: (uid, failure) => {
          if (failure !== unobserved) manager.failed(NAME, uid, failure)
        }
      })
    this.#deleting = worker((uid) => this.#collect(uid))
    this.#orphaning = worker((uid) => this.#orphan(uid))
    this.graph = new DependencyGraph({
      toDelete: this.#deleting.enqueue,
      toDeleteLater: (uid) => this.#deleting.enqueueAfter(uid, LATER_MS),
      toOrphan: this.#orphaning.enqueue,
      invalidNamespace: (dependent, reference) => {
        const owner = identityText(identityOfOwner(reference, dependent.namespace))
        const message = `ownerRef ${owner} does not exist in namespace "${dependent.namespace}"`
        events.event(objectOf(dependent), "Warning", "OwnerRefInvalidNamespace", message)
      }
    })
    this.#monitors = new GraphMonitors(manager, this.graph, (resource, failure) =>
      manager.failed(NAME, resource.resource, Failures.internal(failure.message))
    )
  }

  start = (): void => {
    if (this.#live) return
    this.#live = true
    this.#monitors.start(() => {
      if (!this.#live) return
      this.#deleting.start()
      this.#orphaning.start()
    })
  }

  stop = (): void => {
    this.#live = false
    this.#monitors.stop()
    this.#deleting.stop()
    this.#orphaning.stop()
  }

  /** By uid. */
  enqueue = (uid: string): void => this.#deleting.enqueue(uid)

  enqueueAfter = (uid: string, delayMs: number): void => this.#deleting.enqueueAfter(uid, delayMs)

  stats = (): ControllerStats => {
    const [deleting, orphaning] = [this.#deleting.stats(), this.#orphaning.stats()]
    return {
      reconciles: deleting.reconciles + orphaning.reconciles,
      failures: deleting.failures + orphaning.failures,
      queued: deleting.queued + orphaning.queued,
      delayed: deleting.delayed + orphaning.delayed,
      working: deleting.working + orphaning.working
    }
  }

  #collect(uid: string): Effect.Effect<Reconciled, ApiFailure> {
    const node = this.graph.get(uid)
    if (node === undefined) return Effect.void
    return this.#attempt(node).pipe(
      Effect.flatMap((absent) => {
        if (absent) this.graph.notFound(identityIn(node))
        // Nothing was heard of it yet: it may have come and gone between a list and its watch.
        else if (node.virtual && this.graph.get(uid) === node) return Effect.fail(unobserved)
        return Effect.void
      }),
      Effect.catch((problem: GarbageProblem) => {
        if (problem instanceof NamespacedOwner) return Effect.void
        return Effect.fail(problem instanceof ApiFailure ? problem : Failures.internal(problem.message))
      })
    )
  }

  /** Does what is due for a node; answers whether it turned out not to exist. */
  readonly #attempt = Effect.fnUntraced(
    function* (this: GarbageCollector, node: GraphNode) {
      if (node.beingDeleted && !node.deletingDependents) return false
      const latest = yield* this.#calls.latest(node)
      if (latest === undefined || latest.metadata.uid !== node.uid) return true
      if (node.deletingDependents) {
        yield* this.#finishForeground(node)
        return false
      }
      const references = latest.metadata.ownerReferences ?? []
      if (references.length === 0) return false
      const { dangling, solid, waiting } = yield* this.#classify(node, references)
      if (solid.length > 0) {
        const gone = [...dangling, ...waiting].map(({ uid }) => uid)
        if (gone.length > 0) yield* this.#calls.dropOwners(node, gone)
        return false
      }
      if (waiting.length > 0 && node.dependents.size > 0) {
        // A circle of objects that wait for one another is opened where it is met.
        if ([...node.dependents].some(({ deletingDependents }) => deletingDependents))
          yield* this.#calls.unblockOwners(node, node.owners)
        return !(yield* this.#calls.remove(node, latest, "Foreground"))
      }
      const policy = hasFinalizer(latest, ORPHAN)
        ? "Orphan"
        : hasFinalizer(latest, FOREGROUND)
          ? "Foreground"
          : "Background"
      return !(yield* this.#calls.remove(node, latest, policy))
    }.bind(this)
  )

  #finishForeground(node: GraphNode): Effect.Effect<void, GarbageProblem> {
    const blocking = node.blockingDependents()
    if (blocking.length === 0) return this.#calls.dropFinalizer(node, FOREGROUND)
    for (const { deletingDependents, uid } of blocking) if (!deletingDependents) this.#deleting.enqueue(uid)
    return Effect.void
  }

  readonly #classify = Effect.fnUntraced(
    function* (this: GarbageCollector, node: GraphNode, references: ReadonlyArray<OwnerReference>) {
      const found = { solid: [], dangling: [], waiting: [] } as { [Kind in keyof Classified]: Array<OwnerReference> }
      for (const reference of references) {
        const owner = yield* this.#owner(node, reference)
        if (owner === undefined) found.dangling.push(reference)
        else if (owner.metadata.deletionTimestamp !== undefined && hasFinalizer(owner, FOREGROUND))
          found.waiting.push(reference)
        else found.solid.push(reference)
      }
      return found as Classified
    }.bind(this)
  )

  /** The owner that a reference means; undefined when it does not exist. */
  readonly #owner = Effect.fnUntraced(
    function* (this: GarbageCollector, node: GraphNode, reference: OwnerReference) {
      const { absent } = this.graph
      const anywhere = identityOfOwner(reference, "")
      const here = identityOfOwner(reference, node.namespace)
      if (absent.has(anywhere) || absent.has(here)) return undefined
      const owner = yield* this.#calls.latest(here)
      if (owner !== undefined && owner.metadata.uid === reference.uid) return owner
      absent.add(this.#calls.isNamespaced(reference) ? here : anywhere)
      return undefined
    }.bind(this)
  )

  readonly #orphan = Effect.fnUntraced(
    function* (this: GarbageCollector, uid: string) {
      const owner = this.graph.get(uid)
      if (owner === undefined) return
      const letGo = (dependent: GraphNode): Effect.Effect<void, GarbageProblem> =>
        this.#calls
          .dropOwners(dependent, [owner.uid])
          .pipe(
            Effect.catch((problem) =>
              problem instanceof ApiFailure && problem.code === 404 ? Effect.void : Effect.fail(problem)
            )
          )
      yield* Effect.forEach([...owner.dependents], letGo, { concurrency: ORPHAN_CALLS, discard: true }).pipe(
        Effect.andThen(this.#calls.dropFinalizer(owner, ORPHAN)),
        Effect.mapError((problem) => (problem instanceof ApiFailure ? problem : Failures.internal(problem.message)))
      )
    }.bind(this)
  )
}

const unobserved = Failures.internal("the object has not been heard of yet")

const identityIn = ({ apiVersion, kind, name, namespace, uid }: GraphNode) => ({
  apiVersion,
  kind,
  name,
  namespace,
  uid
})

/** As much of an object as an event about it needs. */
const objectOf = ({ apiVersion, kind, name, namespace, uid }: GraphNode): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace, uid }
})

/** Makes the garbage collector. */
export const garbageCollector = (manager: Manager): Controller => new GarbageCollector(manager)

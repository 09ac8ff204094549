// Deletes pods that nobody else will: too many that are over, those on nodes that are gone, those that were deleted before they had
// a node, and those that wait on nodes out of service (the pod garbage collector).
// Owns the four searches, each over the few pods that it may concern; refuses to judge pods that run.
import { Effect } from "effect"
import { type ApiFailure, type Cancel, type Controller, type KubeObject, objectKey, parseRfc3339 } from "#kube"
import { fieldsOf } from "#apiserver"
import { clientOf, isNotFound, periodicController } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import { nodeNameOf, phaseOf } from "../PodFacts.ts"
import { type ConditionDraft, failAndDelete, pods, podsByNode } from "../PodWrites.ts"
import { isNodeReady, OUT_OF_SERVICE, taintsOf } from "./NodeFacts.ts"
import { nodes } from "./NodeWrites.ts"

export interface PodGarbageOptions {
  /** Pods that are over and may stay; 0: all. */
  readonly terminatedMax?: number
  readonly everyMs?: number
  /** How long a node must be missed before its pods go. */
  readonly quarantineMs?: number
}

const NAME = "pod-garbage-collector-controller"
const TERMINATED_MAX = 12_500
const EVERY_MS = 20_000
const QUARANTINE_MS = 40_000
const CALLS = 20
const LIVING: ReadonlySet<string> = new Set(["Pending", "Running", "Unknown"])

const ORPHANED: ConditionDraft = {
  type: "DisruptionTarget",
  status: "True",
  reason: "DeletionByPodGC",
  message: "PodGC: node no longer exists"
}

const isOver = (pod: KubeObject): boolean => !LIVING.has(phaseOf(pod))

const isEvicted = (pod: KubeObject): boolean =>
  phaseOf(pod) === "Failed" && fieldsOf(pod.status)["reason"] === "Evicted"

/** Evicted pods first, then the oldest. */
const byAge = (a: KubeObject, b: KubeObject): number => {
  const [left, right] = [isEvicted(a), isEvicted(b)]
  if (left !== right) return left ? -1 : 1
  const since =
    (parseRfc3339(a.metadata.creationTimestamp ?? "") ?? 0) - (parseRfc3339(b.metadata.creationTimestamp ?? "") ?? 0)
  if (since !== 0) return since
  return (a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1
}

/** The pods that a search may find, kept by events: a pass never goes through all pods. */
class Candidates {
  readonly over = new Set<string>()
  readonly terminating = new Set<string>()
  /** Pods bound to each node, known or not. */
  readonly perNode = new Map<string, number>()

  put(pod: KubeObject, by: 1 | -1): void {
    const key = objectKey(pod)
    const set = (of: Set<string>, isIn: boolean): unknown => (isIn && by === 1 ? of.add(key) : of.delete(key))
    set(this.over, isOver(pod))
    set(this.terminating, pod.metadata.deletionTimestamp !== undefined)
    const node = nodeNameOf(pod)
    if (node === "") return
    const count = (this.perNode.get(node) ?? 0) + by
    if (count > 0) this.perNode.set(node, count)
    else this.perNode.delete(node)
  }
}

class PodGarbage {
  readonly #manager: Manager
  readonly #options: PodGarbageOptions
  readonly #candidates = new Candidates()
  readonly #podsOf: (node: string) => ReadonlyArray<KubeObject>
  /** Since when each missing node is missed. */
  readonly #missing = new Map<string, number>()

  constructor(manager: Manager, options: PodGarbageOptions) {
    this.#manager = manager
    this.#options = options
    this.#podsOf = podsByNode(manager)
  }

  begin(): Cancel {
    const candidates = this.#candidates
    return this.#manager.informers.informer(pods).addHandler({
      added: (pod) => candidates.put(pod, 1),
      updated: (before, after) => {
        candidates.put(before, -1)
        candidates.put(after, 1)
      },
      deleted: (pod) => candidates.put(pod, -1)
    })
  }

  readonly pass = Effect.fnUntraced(
    function* (this: PodGarbage): Effect.fn.Return<void, ApiFailure> {
      yield* this.#remove(this.#overdue())
      const terminating = this.#podsIn(this.#candidates.terminating)
      yield* this.#remove(terminating.filter((pod) => this.#isOutOfService(pod)).sort(byAge))
      for (const node of yield* this.#goneNodes()) yield* this.#remove(this.#podsOf(node), ORPHANED)
      yield* this.#remove(terminating.filter((pod) => nodeNameOf(pod) === ""))
    }.bind(this)
  )

  #podsIn(keys: Iterable<string>): ReadonlyArray<KubeObject> {
    const { store } = this.#manager.informers.informer(pods)
    return Array.from(keys).flatMap((key) => store.get(key) ?? [])
  }

  #remove(all: ReadonlyArray<KubeObject>, condition?: ConditionDraft): Effect.Effect<void> {
    const remove = (pod: KubeObject): Effect.Effect<void> =>
      failAndDelete(this.#manager, pod, condition).pipe(
        Effect.catch((failure) => {
          if (!isNotFound(failure)) this.#manager.failed(NAME, objectKey(pod), failure)
          return Effect.void
        })
      )
    return Effect.forEach(all, remove, { concurrency: CALLS, discard: true })
  }

  #overdue(): ReadonlyArray<KubeObject> {
    const max = this.#options.terminatedMax ?? TERMINATED_MAX
    const tooMany = this.#candidates.over.size - max
    if (max <= 0 || tooMany <= 0) return []
    return this.#podsIn(this.#candidates.over).toSorted(byAge).slice(0, tooMany)
  }

  #isOutOfService(pod: KubeObject): boolean {
    const node = this.#manager.informers.informer(nodes).store.get(nodeNameOf(pod))
    return node !== undefined && !isNodeReady(node) && taintsOf(node).some(({ key }) => key === OUT_OF_SERVICE)
  }

  /** Nodes that pods name, that were missed for long enough, and that the server does not have either. */
  readonly #goneNodes = Effect.fnUntraced(
    function* (this: PodGarbage): Effect.fn.Return<ReadonlyArray<string>, ApiFailure> {
      const { store } = this.#manager.informers.informer(nodes)
      const now = this.#manager.clockwork.monotonic()
      for (const node of this.#missing.keys())
        if (store.get(node) !== undefined || !this.#candidates.perNode.has(node)) this.#missing.delete(node)
      const gone: Array<string> = []
      for (const node of this.#candidates.perNode.keys()) {
        if (store.get(node) !== undefined) continue
        const since = this.#missing.get(node)
        if (since === undefined) this.#missing.set(node, now)
        else if (now - since >= (this.#options.quarantineMs ?? QUARANTINE_MS)) {
          this.#missing.delete(node)
          if (!(yield* this.#exists(node))) gone.push(node)
        }
      }
      return gone
    }.bind(this)
  )

  #exists(name: string): Effect.Effect<boolean> {
    return clientOf(this.#manager)
      .get({ resource: nodes, namespace: "", name }, { metadataOnly: true })
      .pipe(
        Effect.as(true),
        // A server that cannot say has not said that it is gone.
        Effect.catch((failure) => Effect.succeed(!isNotFound(failure)))
      )
  }
}

/** Makes the pod garbage collector with numbers other than upstream's. */
export const podGarbageWith =
  (options: PodGarbageOptions) =>
  (manager: Manager): Controller => {
    const garbage = new PodGarbage(manager, options)
    return periodicController(manager, NAME, {
      informers: [manager.informers.informer(pods), manager.informers.informer(nodes)],
      everyMs: options.everyMs ?? EVERY_MS,
      begin: () => garbage.begin(),
      pass: () => garbage.pass()
    })
  }

/** Makes the pod garbage collector. */
export const podGarbage = podGarbageWith({})

// Evicts pods from nodes with NoExecute taints that they do not tolerate, or when the time is over for which they do
// (the taint eviction controller).
// Owns one timer for each pod that will have to go; refuses to taint. All pods of a node are found by an index, never by a search.
import { Effect } from "effect"
import { type ApiFailure, type Cancel, type Controller, type KubeObject, objectKey, sameJson, splitKey } from "#kube"
import { fieldsOf } from "#apiserver"
import { clientOf, isNotFound, keyedController, withLife } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import { nodeNameOf } from "../PodFacts.ts"
import { pods, podsByNode, writeCondition } from "../PodWrites.ts"
import { noExecuteTaints, shortestToleration, type Taint, tolerationsOf, usedTolerations } from "./NodeFacts.ts"
import { nodes } from "./NodeWrites.ts"

const NAME = "taint-eviction-controller"

const CONDITION = {
  type: "DisruptionTarget",
  status: "True",
  reason: "DeletionByTaintManager",
  message: "Taint manager: deleting due to NoExecute taint"
}

interface Timer {
  readonly createdMs: number
  readonly cancel: Cancel
}

class TaintEviction {
  readonly #manager: Manager
  readonly #podsOf: (node: string) => ReadonlyArray<KubeObject>
  readonly #evict: (key: string) => void
  readonly #events
  readonly #tainted = new Map<string, ReadonlyArray<Taint>>()
  /** By pod; one whose time has come stays as "gone" until it is cancelled, so that it is not evicted twice. */
  readonly #timers = new Map<string, Timer | "gone">()

  constructor(manager: Manager, evict: (key: string) => void) {
    this.#manager = manager
    this.#evict = evict
    this.#events = manager.events.from(NAME)
    this.#podsOf = podsByNode(manager)
  }

  begin(): Cancel {
    const { informers } = this.#manager
    const cancels = [
      informers.informer(nodes).addHandler({
        added: (node) => this.#nodeSeen(node),
        updated: (before, after) => {
          const [old, now] = [noExecuteTaints(before), noExecuteTaints(after)]
          if (old.length + now.length > 0 && !sameJson(old as never, now as never)) this.#nodeSeen(after)
        },
        deleted: ({ metadata: { name = "" } }) => void this.#tainted.delete(name)
      }),
      informers.informer(pods).addHandler({
        added: (pod) => this.#podSeen(pod),
        updated: (before, after) => {
          const isSame =
            nodeNameOf(before) === nodeNameOf(after) &&
            sameJson(fieldsOf(before.spec)["tolerations"], fieldsOf(after.spec)["tolerations"])
          if (!isSame) this.#podSeen(after)
        },
        deleted: (pod) => this.#cancel(objectKey(pod))
      })
    ]
    return () => {
      for (const cancel of cancels) cancel()
      for (const timer of this.#timers.values()) if (timer !== "gone") timer.cancel()
      this.#timers.clear()
    }
  }

  #nodeSeen(node: KubeObject): void {
    const { name = "" } = node.metadata
    const taints = noExecuteTaints(node)
    if (taints.length === 0) {
      if (!this.#tainted.delete(name)) return
      for (const pod of this.#podsOf(name)) this.#cancel(objectKey(pod))
      return
    }
    this.#tainted.set(name, taints)
    for (const pod of this.#podsOf(name)) this.#judge(pod, taints)
  }

  #podSeen(pod: KubeObject): void {
    const taints = this.#tainted.get(nodeNameOf(pod))
    if (taints !== undefined) this.#judge(pod, taints)
  }

  #judge(pod: KubeObject, taints: ReadonlyArray<Taint>): void {
    const key = objectKey(pod)
    const now = this.#manager.clockwork.monotonic()
    const used = usedTolerations(taints, tolerationsOf(pod))
    if (used === undefined) {
      this.#cancel(key)
      this.#schedule(key, now, now)
      return
    }
    const seconds = shortestToleration(used)
    if (seconds === undefined) {
      this.#cancel(key)
      return
    }
    const scheduled = this.#timers.get(key)
    const createdMs = scheduled === undefined || scheduled === "gone" ? now : scheduled.createdMs
    if (scheduled !== undefined && scheduled !== "gone") {
      // It tolerates the taints since the first of them was seen, and not longer for every new one.
      if (createdMs < now) return
      this.#cancel(key)
    }
    this.#schedule(key, createdMs, now + seconds * 1000)
  }

  #schedule(key: string, createdMs: number, fireMs: number): void {
    if (this.#timers.has(key)) return
    const { clockwork } = this.#manager
    if (fireMs <= clockwork.monotonic()) {
      this.#fire(key)
      return
    }
    const cancel = clockwork.after(fireMs - clockwork.monotonic(), () => this.#fire(key))
    this.#timers.set(key, { createdMs, cancel })
  }

  #fire(key: string): void {
    this.#timers.set(key, "gone")
    this.#tell(key, `Marking for deletion Pod ${key}`)
    this.#evict(key)
  }

  #cancel(key: string): void {
    const timer = this.#timers.get(key)
    if (timer === undefined) return
    this.#timers.delete(key)
    if (timer === "gone") return
    timer.cancel()
    this.#tell(key, `Cancelling deletion of Pod ${key}`)
  }

  #tell(key: string, message: string): void {
    const about = { apiVersion: "v1", kind: "Pod", metadata: splitKey(key) }
    this.#events.event(about, "Normal", "TaintManagerEviction", message)
  }
}

/** Says why on a pod, and deletes it with its own grace. */
const evict = Effect.fnUntraced(function* (manager: Manager, key: string): Effect.fn.Return<void, ApiFailure> {
  const client = clientOf(manager)
  const target = { resource: pods, ...splitKey(key) }
  yield* client.get(target).pipe(
    Effect.flatMap((pod) => writeCondition(manager, pod, CONDITION)),
    Effect.andThen(client.delete(target)),
    Effect.catch((failure) => (isNotFound(failure) ? Effect.void : Effect.fail(failure)))
  )
})

/** Makes the taint eviction controller. */
export const taintEviction = (manager: Manager): Controller => {
  const controller = keyedController(manager, NAME, {
    watches: [],
    reconcile: (key) => evict(manager, key)
  })
  const eviction = new TaintEviction(manager, (key) => controller.enqueue(key))
  return withLife(controller, () => [eviction.begin()])
}

// How controllers write to nodes: taints put on and taken off in one patch, and labels.
// Owns the patches, bound to the version that was read, and their retries; refuses to decide what is due.
import { Effect } from "effect"
import { type ApiFailure, gvr, type Json, type KubeObject, rfc3339 } from "#kube"
import { clientOf, isConflict } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import { isSameTaint, type Taint, taintsOf } from "./NodeFacts.ts"

export const nodes = gvr("", "v1", "nodes")

const TRIES = 5
const WAIT_MS = 100

/** The taints of a node after a swap; undefined when that changes nothing. */
export const swapped = (
  held: ReadonlyArray<Taint>,
  add: ReadonlyArray<Taint>,
  remove: ReadonlyArray<Taint>
): ReadonlyArray<Taint> | undefined => {
  const kept = held.filter((taint) => ![...add, ...remove].some((other) => isSameTaint(taint, other)))
  if (add.length === 0 && kept.length === held.length) return undefined
  return [...kept, ...add]
}

/**
 * Puts taints on a node, as of now, and takes others off. The node is tried as it was seen; one that was overtaken is read anew.
 */
export const swapTaints = Effect.fnUntraced(function* (
  manager: Manager,
  seen: KubeObject,
  add: ReadonlyArray<Taint>,
  remove: ReadonlyArray<Taint>
): Effect.fn.Return<void, ApiFailure> {
  const client = clientOf(manager)
  const { name = "" } = seen.metadata
  const target = { resource: nodes, namespace: "", name }
  for (let tries = 1, node = seen; ; tries++) {
    const timeAdded = rfc3339(manager.clockwork.now())
    const fresh = add.map((taint) => ({ ...taint, timeAdded }))
    const taints = swapped(taintsOf(node), fresh, remove)
    if (taints === undefined) return
    const body = {
      metadata: { resourceVersion: node.metadata.resourceVersion },
      spec: { taints: taints.length === 0 ? null : (taints as unknown as Json) }
    }
    const failure = yield* client
      .patch(target, { type: "strategic", body })
      .pipe(Effect.as(undefined), Effect.catch(Effect.succeed))
    if (failure === undefined) return
    if (!isConflict(failure) || tries === TRIES) return yield* Effect.fail(failure)
    if (tries > 1) yield* Effect.sleep(WAIT_MS)
    node = yield* client.get(target)
  }
})

/** Adds labels to a node, or changes them. */
export const labelNode = (
  manager: Manager,
  { metadata: { name = "" } }: KubeObject,
  labels: Readonly<Record<string, string>>
): Effect.Effect<void, ApiFailure> =>
  clientOf(manager)
    .patch({ resource: nodes, namespace: "", name }, { type: "strategic", body: { metadata: { labels } } })
    .pipe(Effect.asVoid)

// How long kubelets may trust what they have read of secrets and config maps: the longer, the more nodes there are.
// Owns the annotation and the steps, which overlap so that a count near a bound does not rewrite all nodes back and forth.
import { Effect } from "effect"
import type { Controller } from "#kube"
import { clientOf, keyedController, withLife } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import { nodes } from "./NodeWrites.ts"

const NAME = "ttl-controller"
const ANNOTATION = "node.alpha.kubernetes.io/ttl"

/** Nodes from and up to which a step holds, and its seconds. */
const STEPS = [
  { from: 0, upTo: 100, seconds: 0 },
  { from: 90, upTo: 500, seconds: 15 },
  { from: 450, upTo: 1000, seconds: 30 },
  { from: 900, upTo: 2000, seconds: 60 },
  { from: 1800, upTo: Infinity, seconds: 300 }
]

/** The step that a count of nodes leads to from another. */
export const ttlStep = (step: number, count: number): number => {
  let at = step
  while (count > STEPS[at].upTo) at++
  while (count < STEPS[at].from) at--
  return at
}

/** Makes the TTL controller. */
export const nodeTtl = (manager: Manager): Controller => {
  const informer = manager.informers.informer(nodes)
  let count = 0
  let step = 0
  const controller = keyedController(manager, NAME, {
    watches: [{ informer, keys: ({ metadata }) => metadata.name }],
    reconcile: (name) => {
      const node = informer.store.get(name)
      const ttl = String(STEPS[step].seconds)
      if (node === undefined || node.metadata.annotations?.[ANNOTATION] === ttl) return Effect.void
      const body = { metadata: { annotations: { [ANNOTATION]: ttl } } }
      return clientOf(manager)
        .patch({ resource: nodes, namespace: "", name }, { type: "strategic", body })
        .pipe(Effect.asVoid)
    }
  })
  const counted = (by: number) => (): void => {
    count += by
    step = ttlStep(step, count)
  }
  return withLife(controller, () => [informer.addHandler({ added: counted(1), deleted: counted(-1) })])
}

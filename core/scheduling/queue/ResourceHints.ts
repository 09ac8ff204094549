// Whether a change of resources can help a pod that did not fit: on an empty node, on a node that grew, after another pod shrank.
// Owns these three judgements of NodeResourcesFit; refuses to look at what nodes have given away, as upstream's hints do.
import { type KubeObject, Quantity, quantityOf } from "#kube"
import { nodeStatusOf } from "../pod/PodFields.ts"
import { podRequests } from "../pod/PodRequests.ts"
import type { PodShapes } from "../pod/PodShape.ts"

const zero = new Quantity(0, 0, "DecimalSI")

const offered = (node: KubeObject, name: string): Quantity => {
  const amount = nodeStatusOf(node).allocatable?.[name]
  const quantity = amount === undefined ? zero : quantityOf(amount)
  return quantity instanceof Quantity ? quantity : zero
}

/** What a pod asks for and schedulers count, by name. */
const asked = (shapes: PodShapes, pod: KubeObject): ReadonlyArray<readonly [string, Quantity]> =>
  Array.from(podRequests(pod)).filter(
    ([name, quantity]) => quantity.sign > 0 && shapes.resources.numberOf(name) !== undefined
  )

/** Whether a pod would fit on a node that nobody else is on. */
export const wouldFitAlone = (shapes: PodShapes, pod: KubeObject, node: KubeObject): boolean =>
  offered(node, "pods").sign > 0 &&
  asked(shapes, pod).every(([name, quantity]) => quantity.compare(offered(node, name)) <= 0)

/** Whether a node offers more of what a pod asks for, or room for more pods. */
export const hasGrown = (shapes: PodShapes, pod: KubeObject, before: KubeObject, after: KubeObject): boolean => {
  const grew = (name: string): boolean => offered(after, name).compare(offered(before, name)) > 0
  return grew("pods") || asked(shapes, pod).some(([name]) => grew(name))
}

/** Whether another pod asks for less of something that this one asks for. */
export const hasShrunk = (pod: KubeObject, before: KubeObject, after: KubeObject): boolean => {
  const old = podRequests(before, { useStatus: true })
  const fresh = podRequests(after, { useStatus: true })
  for (const [name, quantity] of podRequests(pod, { useStatus: true })) {
    if (quantity.isZero) continue
    if ((old.get(name) ?? zero).compare(fresh.get(name) ?? zero) > 0) return true
  }
  return false
}

// How much room a member has: what its schedulable nodes can give, less what pods on them ask for.
// Owns the sums, page by page, so that a member of any size costs one page of memory; refuses to keep nodes or pods.
import { Effect } from "effect"
import { fieldsOf, itemsOf, podAmounts, textOf } from "#apiserver"
import {
  type ApiFailure,
  type EffectClient,
  gvr,
  type JsonObject,
  type KubeObject,
  type LabelSelector,
  milliQuantity,
  Quantity,
  quantityOf
} from "#kube"

const nodes = gvr("", "v1", "nodes")
const pods = gvr("", "v1", "pods")

/** Objects of a page. */
const PAGE = 500

/** Sums by resource, in thousandths. */
type Sums = Map<string, bigint>

const addTo = (sums: Sums, name: string, amount: Quantity, sign: 1n | -1n): void => {
  sums.set(name, (sums.get(name) ?? 0n) + sign * BigInt(amount.milliValue()))
}

const isSchedulable = (node: KubeObject): boolean => {
  const spec = fieldsOf(node.spec)
  if (spec["unschedulable"] === true) return false
  if (itemsOf(spec["taints"]).some(({ effect }) => effect === "NoSchedule" || effect === "NoExecute")) return false
  return itemsOf(fieldsOf(node.status)["conditions"]).some(({ status, type }) => type === "Ready" && status === "True")
}

/** What is added for each object of a collection, page by page. */
const everyOf = (
  client: EffectClient,
  resource: typeof nodes,
  each: (object: KubeObject) => void
): Effect.Effect<void, ApiFailure> =>
  Effect.gen(function* () {
    let next = ""
    do {
      const page = yield* client.list(
        { resource, namespace: "" },
        { limit: PAGE, ...(next === "" ? {} : { continue: next }) }
      )
      page.items.forEach(each)
      next = page.metadata.continue ?? ""
    } while (next !== "")
  })

const texts = (sums: Sums): JsonObject =>
  Object.fromEntries(
    [...sums]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, milli]) => [name, milli % 1000n === 0n ? String(milli / 1000n) : `${milli}m`])
  )

/** FederatedCluster's status.resources, without the nodes that any of the selectors matches. */
export const clusterRoom = (
  client: EffectClient,
  excluded: ReadonlyArray<LabelSelector> = []
): Effect.Effect<JsonObject, ApiFailure> =>
  Effect.gen(function* () {
    const allocatable: Sums = new Map()
    const available: Sums = new Map()
    const schedulable = new Set<string>()
    yield* everyOf(client, nodes, (node) => {
      if (!isSchedulable(node) || excluded.some((selector) => selector.matches(node.metadata.labels))) return
      schedulable.add(node.metadata.name ?? "")
      const amounts = fieldsOf(fieldsOf(node.status)["allocatable"])
      for (const name in amounts) {
        const value = amounts[name]
        const amount = typeof value === "string" || typeof value === "number" ? quantityOf(value) : milliQuantity(0)
        if (!(amount instanceof Quantity)) continue
        addTo(allocatable, name, amount, 1n)
        addTo(available, name, amount, 1n)
      }
    })
    yield* everyOf(client, pods, (pod) => {
      const spec = fieldsOf(pod.spec)
      const phase = fieldsOf(pod.status)["phase"]
      if (phase === "Succeeded" || phase === "Failed" || !schedulable.has(textOf(spec["nodeName"]))) return
      for (const [name, amount] of podAmounts(spec, "requests", true)) addTo(available, name, amount, -1n)
      addTo(available, "pods", milliQuantity(1000), -1n)
    })
    return { schedulableNodes: schedulable.size, allocatable: texts(allocatable), available: texts(available) }
  })

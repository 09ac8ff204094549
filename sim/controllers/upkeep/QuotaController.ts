// What each ResourceQuota says is used, counted anew: when it is made or changed, when what it counts goes, and every five minutes.
// Owns the counting of whole namespaces; what one object uses, and the charge at admission, is the API server's.
import { Effect } from "effect"
import {
  type ApiFailure,
  type Cancel,
  type Controller,
  type GroupVersionResource,
  gvr,
  type Informer,
  type Json,
  type KubeObject,
  Quantity,
  quantityOf,
  type Reconciled,
  sameJson,
  wholeQuantity
} from "#kube"
import { type Amounts, fieldsOf, isCountedBy, isInScopes, itemsOf, quotaStatus, quotaUsage } from "#apiserver"
import { clientOf, keyedController } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import { isTerminal } from "../PodFacts.ts"
import { afterServed, type ServedResource, servedResources } from "./ServedResources.ts"

const NAME = "resourcequota-controller"
const quotas = gvr("", "v1", "resourcequotas")
const RESYNC_MS = 300_000
/** By then every watch has shown what was written before. */
const RECOUNT_MS = 1000
const UNCOUNTED: ReadonlySet<string> = new Set(["events", "bindings", "componentstatuses"])
const NEEDED = ["create", "list", "watch", "delete"]

const hardOf = (quota: KubeObject): ReadonlyArray<string> => Object.keys(fieldsOf(fieldsOf(quota.spec)["hard"]))

const textOfJson = (value: unknown): string => JSON.stringify(value) ?? ""

/** Whether an update may have freed something: all else is charged at admission. */
const frees = ({ group, resource }: GroupVersionResource, before: KubeObject, after: KubeObject): boolean => {
  if (group !== "") return false
  const [old, now] = [fieldsOf(before.spec), fieldsOf(after.spec)]
  switch (resource) {
    case "pods":
      return (
        (!isTerminal(before) && isTerminal(after)) ||
        (old["activeDeadlineSeconds"] === undefined) !== (now["activeDeadlineSeconds"] === undefined) ||
        textOfJson(itemsOf(fieldsOf(before.status)["containerStatuses"]).map(({ resources }) => resources)) !==
          textOfJson(itemsOf(fieldsOf(after.status)["containerStatuses"]).map(({ resources }) => resources))
      )
    case "services":
      return old["type"] !== now["type"]
    case "persistentvolumeclaims":
      return (
        textOfJson(old["resources"]) !== textOfJson(now["resources"]) ||
        textOfJson(fieldsOf(before.status)["allocatedResources"]) !==
          textOfJson(fieldsOf(after.status)["allocatedResources"])
      )
    default:
      return false
  }
}

class QuotaCounts {
  readonly #manager: Manager
  readonly #enqueue: (key: string) => void
  readonly #followed = new Map<string, { readonly informer: Informer; readonly cancel: Cancel }>()

  constructor(manager: Manager, enqueue: (key: string) => void) {
    this.#manager = manager
    this.#enqueue = enqueue
  }

  stop(): void {
    for (const { cancel } of this.#followed.values()) cancel()
    this.#followed.clear()
  }

  /** The served resources whose objects a quota counts. */
  #counted(quota: KubeObject): ReadonlyArray<ServedResource> {
    const names = hardOf(quota)
    return servedResources(this.#manager).list.filter(
      ({ group, namespaced, resource, verbs }) =>
        namespaced &&
        !UNCOUNTED.has(resource) &&
        NEEDED.every((verb) => verbs.includes(verb)) &&
        names.some((name) => isCountedBy(name, group, resource))
    )
  }

  /** The informer of a counted resource, followed from the first quota on that asks for it. */
  #follow(resource: ServedResource): Informer {
    const key = `${resource.group}/${resource.version}/${resource.resource}`
    const known = this.#followed.get(key)
    if (known !== undefined) return known.informer
    const informer = this.#manager.informers.informer(resource)
    const replenish = (object: KubeObject): void => {
      const { namespace = "" } = object.metadata
      for (const quota of this.#manager.informers.informer(quotas).store.inNamespace(namespace)) {
        if (!hardOf(quota).some((name) => isCountedBy(name, resource.group, resource.resource))) continue
        this.#enqueue(`${namespace}/${quota.metadata.name ?? ""}`)
      }
    }
    const cancel = informer.addHandler({
      updated: (before, after) => {
        if (frees(resource, before, after)) replenish(after)
      },
      deleted: replenish
    })
    this.#followed.set(key, { informer, cancel })
    return informer
  }

  /** Everything that a quota counts, once it is known. */
  count(quota: KubeObject): Effect.Effect<Amounts> {
    const followed = this.#counted(quota).map((resource) => ({ resource, informer: this.#follow(resource) }))
    const synced = followed.map(({ informer }) =>
      informer.hasSynced ? Effect.void : Effect.callback<void>((resume) => informer.onSynced(() => resume(Effect.void)))
    )
    return Effect.map(Effect.all(synced, { discard: true }), () => this.#sum(quota, followed))
  }

  #sum(
    quota: KubeObject,
    followed: ReadonlyArray<{ readonly resource: ServedResource; readonly informer: Informer }>
  ): Amounts {
    const { namespace = "" } = quota.metadata
    const names = hardOf(quota)
    const nowMs = this.#manager.clockwork.now()
    const sums = new Map<string, Quantity>()
    for (const { informer, resource } of followed) {
      const { group, resource: plural } = resource
      for (const name of names)
        if (isCountedBy(name, group, plural) && !sums.has(name)) sums.set(name, wholeQuantity(0))
      for (const object of informer.store.inNamespace(namespace)) {
        if (!isInScopes(quota, group, plural, object)) continue
        for (const [name, amount] of quotaUsage(group, plural, object, nowMs)) {
          const sum = sums.get(name)
          if (sum !== undefined) sums.set(name, sum.add(amount))
        }
      }
    }
    return sums
  }
}

/** Whether two lists of amounts are the same, however they are written. */
const sameAmounts = (a: Json | undefined, b: Json | undefined): boolean => {
  const [left, right] = [fieldsOf(a), fieldsOf(b)]
  const names = new Set([...Object.keys(left), ...Object.keys(right)])
  for (const name of names) {
    const [one, other] = [quantityIn(left[name]), quantityIn(right[name])]
    if (one === undefined || other === undefined || one.compare(other) !== 0) return false
  }
  return true
}

/** Whether some amount is less than it was. */
const isLowered = (before: Json | undefined, after: Json | undefined): boolean => {
  const [left, right] = [fieldsOf(before), fieldsOf(after)]
  return Object.keys(right).some((name) => {
    const [one, other] = [quantityIn(left[name]), quantityIn(right[name])]
    return one !== undefined && other !== undefined && other.compare(one) < 0
  })
}

const quantityIn = (value: unknown): Quantity | undefined => {
  if (typeof value !== "string" && typeof value !== "number") return undefined
  const quantity = quantityOf(value)
  return quantity instanceof Quantity ? quantity : undefined
}

/** Makes the ResourceQuota controller. */
export const quotaController = (manager: Manager): Controller => {
  const client = clientOf(manager)
  const informer = manager.informers.informer(quotas)
  const served = servedResources(manager)
  const sync = Effect.fnUntraced(function* (key: string): Effect.fn.Return<Reconciled, ApiFailure> {
    const quota = informer.store.get(key)
    if (quota === undefined) return
    const counted = quotaStatus(quota, yield* counts.count(quota))
    const [before, after] = [fieldsOf(quota.status), fieldsOf(counted.status)]
    const isSame =
      before["used"] !== undefined &&
      before["hard"] !== undefined &&
      sameAmounts(before["hard"], after["hard"]) &&
      sameAmounts(before["used"], after["used"])
    if (isSame) return
    const { name = "", namespace = "" } = quota.metadata
    yield* client.update({ resource: quotas, namespace, name, subresource: "status" }, counted)
    // What was charged a moment ago may be an object that our copy does not show yet: whoever gives back looks again.
    return isLowered(before["used"], after["used"]) ? { requeueAfterMs: RECOUNT_MS } : undefined
  })
  const controller = keyedController(manager, NAME, {
    watches: [
      {
        informer,
        keys: ({ metadata: { name = "", namespace = "" } }) => `${namespace}/${name}`,
        changed: (before, after) =>
          !sameJson(fieldsOf(before.spec)["hard"], fieldsOf(after.spec)["hard"]) ||
          before.metadata.uid !== after.metadata.uid
      }
    ],
    reconcile: sync
  })
  const counts = new QuotaCounts(manager, (key) => controller.enqueue(key))
  const all = (): void => {
    for (const key of informer.store.keys()) controller.enqueue(key)
  }
  return afterServed(manager, controller, () => [
    served.onChange(all),
    manager.clockwork.every(RESYNC_MS, all),
    () => counts.stop()
  ])
}

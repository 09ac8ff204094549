// A tenant's quota over all its namespaces, kept by upstream's own ResourceQuotas: each namespace has a share, and the shares never
// add up to more than the whole, so that no two creations can exceed it together.
// Owns dividing and moving shares; refuses to count objects, which upstream does.
import { Effect } from "effect"
import {
  type ApiFailure,
  type EffectClient,
  gvr,
  isJsonObject,
  type Json,
  type KubeObject,
  Quantity,
  quantityOf,
  wholeQuantity
} from "#kube"
import { INTERNAL_LABEL } from "../serve/UpstreamHead.ts"
import { TENANT_LABEL } from "../rules/Sorts.ts"

export const QUOTAS = gvr("", "v1", "resourcequotas")
/** The name of the share in each namespace. */
export const SHARE_NAME = "tenant.kubezoo.io.quota"

/** Amounts by resource, like "pods" and "requests.cpu". */
export type Amounts = ReadonlyMap<string, Quantity>

const zero = wholeQuantity(0)

const amountsOf = (value: Json | undefined): Amounts => {
  const found = new Map<string, Quantity>()
  for (const [name, amount] of Object.entries(isJsonObject(value) ? value : {})) {
    if (typeof amount !== "string" && typeof amount !== "number") continue
    const quantity = quantityOf(amount)
    if (quantity instanceof Quantity) found.set(name, quantity)
  }
  return found
}

const textOf = (amounts: Amounts): Readonly<Record<string, string>> =>
  Object.fromEntries([...amounts].map(([name, quantity]) => [name, quantity.canonical()]))

const fieldOf = (object: KubeObject, part: "spec" | "status", field: string): Json | undefined => {
  const value = object[part]
  return isJsonObject(value) ? value[field] : undefined
}

/** One namespace's share as upstream has it. */
interface Share {
  readonly namespace: string
  readonly object: KubeObject | undefined
  readonly used: Amounts
  /** What may be used there at most until upstream has taken a change in: the larger of what is written and what is in force. */
  readonly bound: Amounts
}

const larger = (one: Quantity, other: Quantity): Quantity => (one.compare(other) < 0 ? other : one)

const shareOf = (namespace: string, object: KubeObject | undefined): Share => {
  if (object === undefined) return { namespace, object, used: new Map(), bound: new Map() }
  const written = amountsOf(fieldOf(object, "spec", "hard"))
  const inForce = amountsOf(fieldOf(object, "status", "hard"))
  const bound = new Map(written)
  for (const [name, amount] of inForce) bound.set(name, larger(amount, written.get(name) ?? zero))
  return { namespace, object, used: amountsOf(fieldOf(object, "status", "used")), bound }
}

const sum = (amounts: ReadonlyArray<Quantity>): Quantity => amounts.reduce((all, each) => all.add(each), zero)

/** A whole number of the smallest step in which a resource is counted: thousandths of what is measured, ones of what is counted. */
const stepOf = (name: string): number => (name.endsWith("cpu") ? 1000 : 1)

const stepsOf = (quantity: Quantity, name: string): number => Number(quantity.times(stepOf(name)).value())

const quantityOfSteps = (steps: number, name: string, like: Quantity): Quantity => {
  const text = stepOf(name) === 1000 ? `${steps}m` : String(steps)
  const quantity = quantityOf(text)
  return quantity instanceof Quantity ? quantity : like
}

/**
 * What each share should be: what is used there, and of what is free an equal part. Namespaces that use most come first in the
 * rest that cannot be divided; `wanting` comes before all.
 */
export const divide = (
  hard: Amounts,
  shares: ReadonlyArray<{ readonly namespace: string; readonly used: Amounts }>,
  wanting: string | undefined
): ReadonlyMap<string, Amounts> => {
  const targets = new Map(shares.map(({ namespace }) => [namespace, new Map<string, Quantity>()]))
  for (const [name, whole] of hard) {
    const used = shares.map((share) => stepsOf(share.used.get(name) ?? zero, name))
    const free = Math.max(0, stepsOf(whole, name) - used.reduce((all, each) => all + each, 0))
    const each = Math.floor(free / Math.max(1, shares.length))
    let rest = free - each * shares.length
    const order = shares
      .map((share, at) => ({ share, used: used[at] ?? 0 }))
      .sort((a, b) => Number(b.share.namespace === wanting) - Number(a.share.namespace === wanting) || b.used - a.used)
    for (const { share, used: own } of order) {
      // All that cannot be divided goes to whoever asks; otherwise one each.
      const extra = share.namespace === wanting ? rest : Math.min(1, rest)
      rest -= extra
      targets.get(share.namespace)?.set(name, quantityOfSteps(own + each + extra, name, whole))
    }
  }
  return targets
}

/** What may be written now: never more than the whole less what the others may still use. */
export const withinWhole = (hard: Amounts, target: Amounts, others: ReadonlyArray<Amounts>): Amounts => {
  const found = new Map<string, Quantity>()
  for (const [name, whole] of hard) {
    const taken = sum(others.map((bound) => bound.get(name) ?? zero))
    const room = whole.sub(taken)
    const wanted = target.get(name) ?? zero
    const amount = room.compare(wanted) < 0 ? room : wanted
    found.set(name, amount.compare(zero) < 0 ? zero : amount)
  }
  return found
}

/** A share as an object; without a status: upstream's controller counts. */
export const quotaObject = (tenant: string, namespace: string, hard: Amounts): KubeObject => ({
  apiVersion: "v1",
  kind: "ResourceQuota",
  metadata: { name: SHARE_NAME, namespace, labels: { [INTERNAL_LABEL]: "true", [TENANT_LABEL]: tenant } },
  spec: { hard: textOf(hard) }
})

const isSame = (one: Amounts, other: Amounts): boolean =>
  one.size === other.size && [...one].every(([name, amount]) => other.get(name)?.compare(amount) === 0)

/** The quota that a tenant declares; undefined when it declares none. */
export const declaredQuota = (tenant: KubeObject): Amounts | undefined => {
  const quota = fieldOf(tenant, "spec", "quota")
  const hard = amountsOf(isJsonObject(quota) ? quota["hard"] : undefined)
  return hard.size === 0 ? undefined : hard
}

/** Writes one share under the version that was read: whoever used something meanwhile makes it fail, and it is divided again. */
const write = Effect.fnUntraced(function* (client: EffectClient, tenant: string, share: Share, hard: Amounts) {
  const { namespace, object } = share
  if (object === undefined) {
    yield* client.create({ resource: QUOTAS, namespace }, quotaObject(tenant, namespace, hard)).pipe(Effect.catch(gone))
    return hard
  }
  if (isSame(amountsOf(fieldOf(object, "spec", "hard")), hard)) return share.bound
  const target = { resource: QUOTAS, namespace, name: SHARE_NAME }
  const spec = { hard: textOf(hard) }
  const written = yield* client.update(target, { ...object, spec }).pipe(Effect.catch(gone))
  if (written === undefined) return share.bound
  return shareOf(namespace, written).bound
})

/** A namespace that goes away has no share; one that has changed is divided again. */
const gone = (failure: ApiFailure): Effect.Effect<undefined, ApiFailure> =>
  failure.code === 404 || failure.code === 409 || failure.code === 403
    ? Effect.succeed(undefined)
    : Effect.fail(failure)

/** Divides a tenant's quota among its namespaces, shrinking before growing; answers what is declared and used. */
export const shareQuota = Effect.fnUntraced(function* (
  client: EffectClient,
  tenant: KubeObject,
  namespaces: ReadonlyArray<string>,
  wanting?: string
) {
  const id = tenant.metadata.name ?? ""
  const hard = declaredQuota(tenant)
  const list = yield* client.list(
    { resource: QUOTAS, namespace: "" },
    { labelSelector: `${INTERNAL_LABEL}=true,${TENANT_LABEL}=${id}` }
  )
  if (hard === undefined) {
    for (const { metadata } of list.items) {
      const target = { resource: QUOTAS, namespace: metadata.namespace ?? "", name: metadata.name ?? "" }
      yield* client.delete(target).pipe(Effect.catch(gone))
    }
    return undefined
  }
  const known = new Map(list.items.map((object) => [object.metadata.namespace ?? "", object]))
  const shares = [...new Set([...namespaces, ...known.keys()])].sort().map((name) => shareOf(name, known.get(name)))
  const targets = divide(hard, shares, wanting)
  const bounds = new Map(shares.map((share) => [share.namespace, share.bound]))
  const ordered = [...shares].sort((a, b) => Number(grows(a, targets)) - Number(grows(b, targets)))
  for (const share of ordered) {
    const others = [...bounds].flatMap(([name, bound]) => (name === share.namespace ? [] : [bound]))
    const target = targets.get(share.namespace) ?? new Map<string, Quantity>()
    bounds.set(share.namespace, yield* write(client, id, share, withinWhole(hard, target, others)))
  }
  const used = new Map([...hard.keys()].map((name) => [name, sum(shares.map((share) => share.used.get(name) ?? zero))]))
  return { hard: textOf(hard), used: textOf(used) }
})

const grows = ({ bound, namespace }: Share, targets: ReadonlyMap<string, Amounts>): boolean =>
  [...(targets.get(namespace) ?? [])].some(([name, amount]) => amount.compare(bound.get(name) ?? zero) > 0)

// A tenant's quota over all its namespaces, divided into shares that never add up to more than the whole.
// Owns the arithmetic; refuses to read or write anything, which QuotaKeeping.ts does.
import { gvr, isJsonObject, type Json, type KubeObject, Quantity, quantityOf, wholeQuantity } from "#kube"
import { INTERNAL_LABEL } from "../serve/UpstreamHead.ts"
import { TENANT_LABEL } from "../rules/Sorts.ts"

export const QUOTAS = gvr("", "v1", "resourcequotas")
/** The name of the share in each namespace. */
export const SHARE_NAME = "tenant.kubezoo.io.quota"

/** Amounts by resource, like "pods" and "requests.cpu". */
export type Amounts = ReadonlyMap<string, Quantity>

export const zero = wholeQuantity(0)

export const amountsOf = (value: Json | undefined): Amounts => {
  const found = new Map<string, Quantity>()
  for (const [name, amount] of Object.entries(isJsonObject(value) ? value : {})) {
    if (typeof amount !== "string" && typeof amount !== "number") continue
    const quantity = quantityOf(amount)
    if (quantity instanceof Quantity) found.set(name, quantity)
  }
  return found
}

export const textOf = (amounts: Amounts): Readonly<Record<string, string>> =>
  Object.fromEntries([...amounts].map(([name, quantity]) => [name, quantity.canonical()]))

export const fieldOf = (object: KubeObject, part: "spec" | "status", field: string): Json | undefined => {
  const value = object[part]
  return isJsonObject(value) ? value[field] : undefined
}

/** One namespace's share as upstream has it. */
export interface Share {
  readonly namespace: string
  readonly object: KubeObject | undefined
  readonly used: Amounts
  readonly written: Amounts
  /** What may be used there at most until upstream has taken a change in: the largest of what is reserved, written and in force. */
  readonly bound: Amounts
}

export const larger = (one: Quantity, other: Quantity): Quantity => (one.compare(other) < 0 ? other : one)

/** Two amounts as one, resource by resource. */
export const joined = (one: Amounts, other: Amounts, join: (a: Quantity, b: Quantity) => Quantity): Amounts =>
  new Map(
    [...new Set([...one.keys(), ...other.keys()])].map((name) => [
      name,
      join(one.get(name) ?? zero, other.get(name) ?? zero)
    ])
  )

/** `reserved` is what the tenant's ledger holds for it. */
export const shareOf = (namespace: string, object: KubeObject | undefined, reserved: Amounts): Share => {
  if (object === undefined) return { namespace, object, used: new Map(), written: new Map(), bound: reserved }
  const written = amountsOf(fieldOf(object, "spec", "hard"))
  const inForce = amountsOf(fieldOf(object, "status", "hard"))
  const bound = joined(reserved, joined(written, inForce, larger), larger)
  return { namespace, object, used: amountsOf(fieldOf(object, "status", "used")), written, bound }
}

export const sum = (amounts: ReadonlyArray<Quantity>): Quantity => amounts.reduce((all, each) => all.add(each), zero)

/** A whole number of the smallest step in which a resource is counted: thousandths of what is measured, ones of what is counted. */
const stepOf = (name: string): number => (name.endsWith("cpu") ? 1000 : 1)

const stepsOf = (quantity: Quantity, name: string): number => Number(quantity.times(stepOf(name)).value())

const quantityOfSteps = (steps: number, name: string, like: Quantity): Quantity => {
  const text = stepOf(name) === 1000 ? `${steps}m` : String(steps)
  const quantity = quantityOf(text)
  return quantity instanceof Quantity ? quantity : like
}

/**
 * What each share should be: what is used (or needed) there, and of what is free an equal part. Namespaces that use most come first in the
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

export const isSame = (one: Amounts, other: Amounts): boolean =>
  one.size === other.size && [...one].every(([name, amount]) => other.get(name)?.compare(amount) === 0)

/** The quota that a tenant declares; undefined when it declares none. */
export const declaredQuota = (tenant: KubeObject): Amounts | undefined => {
  const quota = fieldOf(tenant, "spec", "quota")
  const hard = amountsOf(isJsonObject(quota) ? quota["hard"] : undefined)
  return hard.size === 0 ? undefined : hard
}

/** Whether a target asks for more of anything than may be used now. */
export const grows = (bound: Amounts, target: Amounts): boolean =>
  [...target].some(([name, amount]) => amount.compare(bound.get(name) ?? zero) > 0)

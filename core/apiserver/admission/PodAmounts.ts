// What a pod asks for as a whole: its containers together, or its largest init container, whichever is more.
// Owns lists of amounts by resource name and their arithmetic; refuses to judge them.
import type { Quantity } from "#kube"
import { fieldsOf, itemsOf } from "../resources/Fields.ts"
import { amountOf } from "../resources/Resources.ts"
import type { Fields } from "./Plugin.ts"

/** Amounts by resource name. */
export type Amounts = ReadonlyMap<string, Quantity>

/** A list of amounts as it stands in JSON. */
export const amountsOf = (list: unknown): Amounts => {
  const fields = fieldsOf(list)
  const amounts = new Map<string, Quantity>()
  for (const name in fields) if (fields[name] !== undefined) amounts.set(name, amountOf(fields[name]))
  return amounts
}

/** Amounts as JSON, by name. */
export const amountsJson = (amounts: Amounts): Record<string, string> =>
  Object.fromEntries(
    [...amounts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, amount]) => [name, amount.toString()])
  )

/** Both together. */
export const sumOf = (a: Amounts, b: Amounts): Amounts => {
  const sum = new Map(a)
  for (const [name, amount] of b) {
    const held = sum.get(name)
    sum.set(name, held === undefined ? amount : held.add(amount))
  }
  return sum
}

/** The larger of both, resource by resource. */
export const largerOf = (a: Amounts, b: Amounts): Amounts => {
  const larger = new Map(a)
  for (const [name, amount] of b) {
    const held = larger.get(name)
    if (held === undefined || amount.compare(held) > 0) larger.set(name, amount)
  }
  return larger
}

const NONE: Amounts = new Map()
/** What a pod may ask for as a whole instead of by its containers. */
const isPodLevel = (name: string): boolean => name === "cpu" || name === "memory" || name.startsWith("hugepages-")

/** The `requests` or `limits` of a pod's spec together, with its overhead where `overhead` says so. */
export const podAmounts = (spec: Fields, which: "requests" | "limits", overhead: boolean): Amounts => {
  const own = (container: Fields): Amounts => amountsOf(fieldsOf(container["resources"])[which])
  let running = itemsOf(spec["containers"]).map(own).reduce(sumOf, NONE)
  let sidecars = NONE
  let starting = NONE
  for (const container of itemsOf(spec["initContainers"])) {
    const amounts = own(container)
    if (container["restartPolicy"] === "Always") {
      running = sumOf(running, amounts)
      sidecars = sumOf(sidecars, amounts)
      starting = largerOf(starting, sidecars)
    } else starting = largerOf(starting, sumOf(amounts, sidecars))
  }
  const total = new Map(largerOf(running, starting))
  for (const [name, amount] of amountsOf(fieldsOf(spec["resources"])[which]))
    if (isPodLevel(name)) total.set(name, amount)
  if (!overhead) return total
  const extra = amountsOf(spec["overhead"])
  // An overhead adds to limits only where there is one.
  return which === "requests"
    ? sumOf(total, extra)
    : sumOf(total, new Map([...extra].filter(([name]) => total.has(name))))
}

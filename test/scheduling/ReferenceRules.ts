// What the plain scheduler asks of objects, one rule a function: amounts, tolerations, selectors, ports.
// Owns no state and shares no code with the fast scheduler; Reference.ts puts the rules together.
import type { KubeObject } from "#kube"

// oxlint-disable-next-line typescript/no-explicit-any -- objects are read as they stand, without the fast code's declarations
export type Fields = Record<string, any>
export type Labels = Readonly<Record<string, string>>

export const specOf = (object: KubeObject): Fields => (object.spec ?? {}) as Fields
export const statusOf = (object: KubeObject): Fields => (object.status ?? {}) as Fields
export const labelsOf = (object: KubeObject): Labels => object.metadata.labels ?? {}

export const suffixes: Record<string, number> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, k: 1e3, M: 1e6, G: 1e9 }

/** Thousandths for CPU, units for the rest; only the forms that the tests use. */
export const amount = (name: string, text: string | number): number => {
  const match = /^(\d+)(m|Ki|Mi|Gi|k|M|G)?$/.exec(String(text))
  if (match === null) throw new Error(`no amount: ${text}`)
  const [, digits, suffix] = match
  const value = Number(digits)
  if (suffix === "m") return name === "cpu" ? value : Math.ceil(value / 1000)
  const whole = value * (suffix === undefined ? 1 : suffixes[suffix])
  return name === "cpu" ? whole * 1000 : whole
}

export type Amounts = Record<string, number>

export const plus = (a: Amounts, b: Amounts): Amounts => {
  const sum = { ...a }
  for (const name in b) sum[name] = (sum[name] ?? 0) + b[name]
  return sum
}

export const atLeast = (a: Amounts, b: Amounts): Amounts => {
  const most = { ...a }
  for (const name in b) most[name] = Math.max(most[name] ?? 0, b[name])
  return most
}

export const readAmounts = (fields: Fields | undefined): Amounts => {
  const read: Amounts = {}
  for (const name in fields ?? {}) read[name] = amount(name, fields![name])
  return read
}

/** All that a pod asks for: containers together, or the hungriest moment of its start; overhead on top. */
export const asked = (pod: KubeObject, missing: Amounts = {}, containersOnly = false): Amounts => {
  const spec = specOf(pod)
  const of = (container: Fields): Amounts => ({ ...missing, ...readAmounts(container["resources"]?.requests) })
  let running: Amounts = {}
  for (const container of spec["containers"] ?? []) running = plus(running, of(container))
  let sidecars: Amounts = {}
  let starting: Amounts = {}
  for (const container of spec["initContainers"] ?? []) {
    if (container.restartPolicy === "Always") {
      running = plus(running, of(container))
      sidecars = plus(sidecars, of(container))
      starting = atLeast(starting, sidecars)
    } else starting = atLeast(starting, plus(of(container), sidecars))
  }
  const total = atLeast(running, starting)
  const whole = containersOnly ? {} : readAmounts(spec["resources"]?.requests)
  for (const [name, value] of Object.entries(whole)) if (name === "cpu" || name === "memory") total[name] = value
  return plus(total, readAmounts(spec["overhead"]))
}

export const asScored = { cpu: 100, memory: 200 * 1024 * 1024 }

export const tolerates = (tolerations: ReadonlyArray<Fields>, taint: Fields): boolean =>
  tolerations.some((toleration) => {
    if (toleration["effect"] && toleration["effect"] !== taint["effect"]) return false
    if (toleration["key"] && toleration["key"] !== taint["key"]) return false
    return toleration["operator"] === "Exists" || (toleration["value"] ?? "") === (taint["value"] ?? "")
  })

export const requirementHolds = ({ key, operator, values = [] }: Fields, labels: Labels): boolean => {
  const value = labels[key]
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value)
    case "NotIn":
      return value === undefined || !values.includes(value)
    case "Exists":
      return value !== undefined
    case "DoesNotExist":
      return value === undefined
    case "Gt":
      return value !== undefined && /^\d+$/.test(value) && Number(value) > Number(values[0])
    case "Lt":
      return value !== undefined && /^\d+$/.test(value) && Number(value) < Number(values[0])
    default:
      return false
  }
}

export const selectorHolds = (selector: Fields | undefined, labels: Labels): boolean => {
  if (selector === undefined) return false
  const pairs = Object.entries(selector["matchLabels"] ?? {})
  return (
    pairs.every(([key, value]) => labels[key] === value) &&
    (selector["matchExpressions"] ?? []).every((one: Fields) => requirementHolds(one, labels))
  )
}

export const nodeTermHolds = (term: Fields, node: KubeObject): boolean => {
  const expressions = term["matchExpressions"] ?? []
  const fields = term["matchFields"] ?? []
  if (expressions.length === 0 && fields.length === 0) return false
  return (
    expressions.every((one: Fields) => requirementHolds(one, labelsOf(node))) &&
    fields.every((one: Fields) => requirementHolds(one, { "metadata.name": node.metadata.name ?? "" }))
  )
}

export const nodeWanted = (pod: KubeObject, node: KubeObject): boolean => {
  const { affinity, nodeSelector = {} } = specOf(pod)
  if (!Object.entries(nodeSelector).every(([key, value]) => labelsOf(node)[key] === value)) return false
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return required === undefined || required.nodeSelectorTerms.some((term: Fields) => nodeTermHolds(term, node))
}

export const hardTaint = (pod: KubeObject, node: KubeObject): boolean =>
  (specOf(node)["taints"] ?? []).some(
    (taint: Fields) => taint["effect"] !== "PreferNoSchedule" && !tolerates(specOf(pod)["tolerations"] ?? [], taint)
  )

export const hostPorts = (pod: KubeObject): ReadonlyArray<Fields> =>
  (specOf(pod)["containers"] ?? []).flatMap((container: Fields) =>
    (container["ports"] ?? []).filter((port: Fields) => port["hostPort"] > 0)
  )

export const portsClash = (a: Fields, b: Fields): boolean => {
  const ip = (port: Fields): string => port["hostIP"] || "0.0.0.0"
  return (
    a["hostPort"] === b["hostPort"] &&
    (a["protocol"] ?? "TCP") === (b["protocol"] ?? "TCP") &&
    (ip(a) === ip(b) || ip(a) === "0.0.0.0" || ip(b) === "0.0.0.0")
  )
}

export const both = [
  { name: "cpu", weight: 1 },
  { name: "memory", weight: 1 }
]

export const deviation = (shares: ReadonlyArray<number>): number => {
  if (shares.length < 2) return 0
  if (shares.length === 2) return Math.abs((shares[0] - shares[1]) / 2)
  const mean = shares.reduce((sum, one) => sum + one, 0) / shares.length
  return Math.sqrt(shares.reduce((sum, one) => sum + (one - mean) * (one - mean), 0) / shares.length)
}

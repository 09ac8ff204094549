// Whether what a scenario asks for has room on its machines: the arithmetic of requests and capacities, by name of resource.
// Owns that arithmetic; the sentences are ClusterRules.ts's. A refusal here is certain: what passes may still not fit in time.
import { parseQuantity, Quantity } from "#kube"
import type { Cluster } from "./Cluster.ts"
import type { NodeGroup, Resources } from "./ClusterNodes.ts"
import type { Toleration, Workload } from "./Workload.ts"

const typeDefault: Resources = { cpu: "8", memory: "32Gi", pods: 110, "ephemeral-storage": "100Gi" }
const reservedDefault: Resources = { cpu: "100m", memory: "512Mi" }

/** Thousandths of a quantity's unit. */
export const milliOf = (quantity: string | number): number => {
  const parsed = parseQuantity(String(quantity))
  return parsed instanceof Quantity ? Number(parsed.milliValue()) : 0
}

/** The capacity of each machine of a group, as texts: what its type says beside the defaults. */
export const capacityOf = (cluster: Cluster, { machineType }: NodeGroup): Readonly<Record<string, string>> => {
  const own = machineType === undefined ? {} : (cluster.machineTypes[machineType] ?? {})
  return textsOf({ ...typeDefault, ...own })
}

/** What the system keeps of each machine of a group, as texts. */
export const reservedOf = ({ reserved }: NodeGroup): Readonly<Record<string, string>> =>
  textsOf({ ...reservedDefault, ...reserved })

const textsOf = (resources: Resources): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(resources).map(([name, quantity]) => [name, String(quantity)]))

/** Thousandths of what pods may use of each machine of a group, by resource. */
export const allocatableOf = (cluster: Cluster, group: NodeGroup): Readonly<Record<string, number>> => {
  const reserved = reservedOf(group)
  return Object.fromEntries(
    Object.entries(capacityOf(cluster, group)).map(([name, quantity]) => [
      name,
      milliOf(quantity) - milliOf(reserved[name] ?? 0)
    ])
  )
}

const tolerates = (toleration: Toleration, taint: { key: string; value?: string; effect: string }): boolean => {
  if (toleration.effect !== undefined && toleration.effect !== taint.effect) return false
  if (toleration.key === undefined) return toleration.operator === "Exists"
  if (toleration.key !== taint.key) return false
  return toleration.operator === "Exists" || (toleration.value ?? "") === (taint.value ?? "")
}

const wellKnown = (group: NodeGroup, zone: string): Readonly<Record<string, string>> => ({
  "kubernetes.io/os": "linux",
  "kubernetes.io/arch": "amd64",
  "topology.kubernetes.io/zone": zone,
  "topology.kubernetes.io/region": "region-1",
  "node.kubernetes.io/instance-type": group.machineType ?? group.name,
  ...group.labels
})

/** Whether a workload's pods may stand on a group's machines at all: its labels in one of its zones, and its taints. */
export const mayStandOn = (cluster: Cluster, workload: Workload, group: NodeGroup): boolean => {
  const selector = Object.entries(workload.nodeSelector ?? {})
  const selected = (group.zones ?? cluster.zones).some((zone) => {
    const labels = wellKnown(group, zone)
    return selector.every(([key, value]) => key === "kubernetes.io/hostname" || labels[key] === value)
  })
  const barred = (group.taints ?? []).some(
    (taint) =>
      taint.effect !== "PreferNoSchedule" &&
      !(workload.tolerations ?? []).some((toleration) => tolerates(toleration, taint))
  )
  return selected && !barred
}

/** The names of all labels that nodes of the cluster have. */
export const labelKeysOf = ({ nodeGroups }: Cluster): ReadonlySet<string> =>
  new Set(["kubernetes.io/hostname", ...nodeGroups.flatMap((group) => Object.keys(wellKnown(group, "")))])

/** Thousandths of what one pod of a workload asks for, by resource. */
export const demandOf = ({ cpu, extended, memory }: Workload): Readonly<Record<string, number>> => ({
  cpu: milliOf(cpu),
  memory: milliOf(memory),
  ...Object.fromEntries(Object.entries(extended ?? {}).map(([name, quantity]) => [name, milliOf(quantity)]))
})

/** Machines of the cluster. */
export const machineCount = ({ nodeGroups }: Cluster): number => nodeGroups.reduce((sum, { count }) => sum + count, 0)

/** Pods of one workload that fit on one machine of a group when nothing else is on it. */
export const podsPerMachine = (cluster: Cluster, workload: Workload, group: NodeGroup): number => {
  const room = allocatableOf(cluster, group)
  const each = Object.entries(demandOf(workload)).map(([name, demand]) =>
    demand === 0 ? Number.POSITIVE_INFINITY : Math.floor((room[name] ?? 0) / demand)
  )
  return Math.max(0, Math.min(...each, Math.floor((room["pods"] ?? 0) / 1000)))
}

/** How many namespaces an entry stands for. */
export const namespaceCount = (cluster: Cluster, { namespace }: Workload): number => {
  if (cluster.namespaces.length === 0) return 1
  return cluster.namespaces
    .filter(({ name }) => namespace === undefined || name === namespace)
    .reduce((sum, { count }) => sum + (count ?? 1), 0)
}

/** Pods of the workload's objects: of `objects` in all, the one that stands at this place. */
export const replicasOf = (
  cluster: Cluster,
  { perNode, replicas }: { readonly perNode?: number; readonly replicas?: number },
  { at, objects }: { readonly at: number; readonly objects: number }
): number => {
  if (perNode === undefined) return replicas ?? 0
  const all = Math.max(1, Math.round(perNode * machineCount(cluster)))
  return Math.floor(all / objects) + (at < all % objects ? 1 : 0)
}

/** Pods that a workload keeps running at a time: none for CronJobs, whose number the clock decides. */
export const podsOf = (cluster: Cluster, workload: Workload): number => {
  const each = namespaceCount(cluster, workload) * workload.perNamespace
  if (workload.kind === "CronJob") return 0
  if (workload.kind !== "DaemonSet") {
    const { perNode, replicas } = workload
    return perNode === undefined ? each * replicas : Math.max(1, Math.round(perNode * machineCount(cluster)))
  }
  const nodes = cluster.nodeGroups
    .filter((group) => mayStandOn(cluster, workload, group))
    .reduce((sum, { count }) => sum + count, 0)
  return each * nodes
}

// Rules of a scenario's cluster that no single field can check: names that must exist, zones without nodes, pods that cannot
// fit, things that would happen after the end. Owns these rules and their sentences; the arithmetic is Capacity.ts's.
import type { FieldPath } from "../Diagnostic.ts"
import { duplicates, unknownName } from "../NameRules.ts"
import type { Problem } from "../Problems.ts"

import { allocatableOf, demandOf, mayStandOn, podsOf, podsPerMachine } from "./Capacity.ts"
import type { Cluster } from "./Cluster.ts"
import type { NodeGroup } from "./ClusterNodes.ts"
import type { ClusterFault } from "./ClusterFault.ts"
import { controllerProblems } from "./ControllerNames.ts"
import { placementProblems, priorityClassProblems } from "./PlacementRules.ts"
import { servedResources } from "./ServedResources.ts"
import type { Workload } from "./Workload.ts"

const spanText = (ms: number): string => {
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000}h`
  if (ms % 60_000 === 0) return `${ms / 60_000}m`
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`
}

const zoneProblems = (cluster: Cluster): ReadonlyArray<Problem> => {
  const { nodeGroups, zones } = cluster
  const peopled = new Set(nodeGroups.flatMap(({ count, zones: own = zones }) => own.slice(0, count)))
  const unknown = nodeGroups.flatMap(({ zones: own = [] }, group) =>
    own.flatMap((zone, at) =>
      zones.includes(zone) ? [] : [unknownName(["cluster", "nodeGroups", group, "zones", at], "zone", zone, zones)]
    )
  )
  const empty = zones.flatMap((zone, at) =>
    peopled.has(zone)
      ? []
      : [
          {
            path: ["cluster", "zones", at],
            rule: `zone ${zone} has no nodes: give a group of it more, or leave it out`
          }
        ]
  )
  return [...unknown, ...(unknown.length > 0 ? [] : empty)]
}

const typeProblems = ({ machineTypes, nodeGroups }: Cluster): ReadonlyArray<Problem> =>
  nodeGroups.flatMap(({ machineType }, group) =>
    machineType === undefined || machineType in machineTypes
      ? []
      : [
          unknownName(
            ["cluster", "nodeGroups", group, "machineType"],
            "machine type",
            machineType,
            Object.keys(machineTypes)
          )
        ]
  )

/** The resource of which one pod asks for more than any of the machines has, as the field that says it. */
const tooMuchOf = (cluster: Cluster, workload: Workload, groups: ReadonlyArray<NodeGroup>): FieldPath => {
  const tooMuch = Object.entries(demandOf(workload)).find(([name, demand]) =>
    groups.every((group) => (allocatableOf(cluster, group)[name] ?? 0) < demand)
  )
  const name = tooMuch?.[0] ?? "memory"
  return name === "cpu" || name === "memory" ? [name] : ["extended", name]
}

const fitProblems = (cluster: Cluster, workload: Workload, path: FieldPath): ReadonlyArray<Problem> => {
  if (workload.mayWait) return []
  const groups = cluster.nodeGroups.filter((group) => mayStandOn(cluster, workload, group))
  if (groups.length === 0) {
    const field = workload.nodeSelector === undefined ? "tolerations" : "nodeSelector"
    const why =
      field === "tolerations"
        ? "every node group has a taint that it does not tolerate"
        : "no node group has these labels in any zone"
    return [{ path: [...path, field], rule: `its pods cannot be placed: ${why}` }]
  }
  if (groups.every((group) => podsPerMachine(cluster, workload, group) === 0)) {
    const field = tooMuchOf(cluster, workload, groups)
    return [{ path: [...path, ...field], rule: "one pod asks for more than any machine that it may stand on has" }]
  }
  const room = groups.reduce((sum, group) => sum + group.count * podsPerMachine(cluster, workload, group), 0)
  const pods = podsOf(cluster, workload)
  if (pods <= room) return []
  const field = workload.perNode === undefined ? "replicas" : "perNode"
  return [{ path: [...path, field], rule: `${pods} pods cannot fit: the machines have room for ${room} of them` }]
}

const totalProblems = (cluster: Cluster): ReadonlyArray<Problem> => {
  const sure = cluster.workloads.filter(({ mayWait }) => !mayWait)
  const names = new Set(["cpu", "memory", "pods", ...sure.flatMap(({ extended = {} }) => Object.keys(extended))])
  for (const name of names) {
    const wanted = sure.reduce((sum, workload) => {
      const each = name === "pods" ? 1000 : (demandOf(workload)[name] ?? 0)
      return sum + podsOf(cluster, workload) * each
    }, 0)
    const there = cluster.nodeGroups.reduce(
      (sum, group) => sum + group.count * (allocatableOf(cluster, group)[name] ?? 0),
      0
    )
    if (wanted > there) {
      const percent = ((wanted * 100) / there).toFixed(0)
      return [{ path: ["cluster", "workloads"], rule: `together ask for ${percent} % of the machines' ${name}` }]
    }
  }
  return []
}

const workloadProblems = (cluster: Cluster): ReadonlyArray<Problem> => {
  const namespaces = cluster.namespaces.map(({ name }) => name)
  const each = cluster.workloads.flatMap((workload, at) => {
    const path: FieldPath = ["cluster", "workloads", at]
    const problems: Array<Problem> = [
      ...fitProblems(cluster, workload, path),
      ...placementProblems(cluster, workload, path)
    ]
    if (workload.perNode !== undefined && (workload.kind === "DaemonSet" || workload.kind === "CronJob")) {
      problems.push({ path: [...path, "perNode"], rule: `is not for a ${workload.kind}` })
    }
    if (workload.namespace !== undefined && !namespaces.includes(workload.namespace)) {
      problems.push(unknownName([...path, "namespace"], "namespace", workload.namespace, namespaces))
    }
    if ((workload.kind === "CronJob") !== (workload.schedule !== undefined)) {
      const rule = workload.kind === "CronJob" ? "is required by a CronJob" : "is for CronJobs only"
      problems.push({ path: [...path, "schedule"], rule })
    }
    if (workload.kind !== "Pod" && cluster.controllers === "none") {
      problems.push({ path: [...path, "kind"], rule: `${workload.kind} needs controllers, and controllers is none` })
    }
    if (workload.at >= cluster.duration) problems.push(afterEnd([...path, "at"], cluster.duration))
    return problems
  })
  return each.length > 0 ? each : totalProblems(cluster)
}

const afterEnd = (path: FieldPath, duration: number): Problem => ({
  path,
  rule: `is not before the end: the cluster lives for ${spanText(duration)}`
})

const faultProblems = (cluster: Cluster, fault: ClusterFault, at: number): ReadonlyArray<Problem> => {
  const path: FieldPath = ["cluster", "faults", at]
  if (fault.at >= cluster.duration) return [afterEnd([...path, "at"], cluster.duration)]
  const problems: Array<Problem> = []
  if ("for" in fault && fault.at + fault.for > cluster.duration) {
    const rule = `ends ${spanText(fault.at + fault.for - cluster.duration)} after the end of the cluster's ${spanText(cluster.duration)}`
    problems.push({ path: [...path, "for"], rule })
  }
  if ("zone" in fault && !cluster.zones.includes(fault.zone)) {
    problems.push(unknownName([...path, "zone"], "zone", fault.zone, cluster.zones))
  }
  const nodes = cluster.nodeGroups.reduce((sum, { count }) => sum + count, 0)
  if ("count" in fault && fault.count > nodes) {
    problems.push({ path: [...path, "count"], rule: `there are only ${nodes} nodes` })
  }
  const ofTheWay = ["partition", "one-way", "bad-link", "slow-watcher", "apiserver-crash"].includes(fault.kind)
  if (ofTheWay && cluster.network === "none") {
    problems.push({ path: [...path, "kind"], rule: `${fault.kind} needs a network, and network is none` })
  }
  return [...problems, ...sideProblems(cluster, fault, path)]
}

const OWN_PROCESSES = [
  "apiserver",
  "kubelets",
  "scheduler",
  "users",
  "operators",
  "observer",
  "kube-controller-manager"
]

/** Processes that a fault names must be there; "*" is everyone who is not on the other side. */
const sideProblems = (cluster: Cluster, fault: ClusterFault, path: FieldPath): ReadonlyArray<Problem> => {
  const known = [
    ...OWN_PROCESSES,
    ...cluster.watchers.map(({ name }) => name),
    ...cluster.requests.map(({ name }) => name)
  ]
  const unknown = (field: string, names: ReadonlyArray<string>): ReadonlyArray<Problem> =>
    names.flatMap((name, at) =>
      known.includes(name) || name === "*" ? [] : [unknownName([...path, field, at], "process", name, known)]
    )
  if ("side" in fault) return [...unknown("side", fault.side), ...unknown("other", fault.other)]
  if (!("client" in fault) || known.includes(fault.client)) return []
  return [unknownName([...path, "client"], "process", fault.client, known)]
}

/** Resources that requests and watchers name must be served. */
const resourceProblems = (cluster: Cluster): ReadonlyArray<Problem> =>
  (["requests", "watchers"] as const).flatMap((field) =>
    cluster[field].flatMap(({ resource }, at) =>
      servedResources().includes(resource)
        ? []
        : [unknownName(["cluster", field, at, "resource"], "resource", resource, servedResources())]
    )
  )

/** What an action does must be possible with its workload's kind. */
const actionOfProblems = (
  { workloads }: Cluster,
  { kind, of }: { readonly kind: string; readonly of: string },
  path: FieldPath
): ReadonlyArray<Problem> => {
  const names = workloads.map(({ name }) => name)
  const workload = workloads.find(({ name }) => name === of)
  if (workload === undefined) return [unknownName([...path, "of"], "workload", of, names)]
  if (kind === "ungate" && workload.gates === undefined)
    return [{ path: [...path, "of"], rule: `${of} has no scheduling gates` }]
  if ((kind === "recreate") !== (workload.kind === "Pod") && (kind === "recreate" || kind === "scale")) {
    const rule =
      kind === "recreate" ? `recreate is for bare pods, and ${of} is a ${workload.kind}` : "bare pods are not scaled"
    return [{ path: [...path, "of"], rule }]
  }
  if (kind === "rolling-update" && workload.kind === "Pod")
    return [
      { path: [...path, "of"], rule: "bare pods have no rolling update: a churn of kind recreate makes them anew" }
    ]
  return []
}

const churnProblems = (cluster: Cluster): ReadonlyArray<Problem> =>
  cluster.churn.flatMap((churn, at) =>
    churn.kind === "recreate" ? actionOfProblems(cluster, churn, ["cluster", "churn", at]) : []
  )

const actionProblems = (cluster: Cluster): ReadonlyArray<Problem> => {
  const groups = cluster.nodeGroups.map(({ name }) => name)
  return cluster.actions.flatMap((action, at) => {
    const path: FieldPath = ["cluster", "actions", at]
    const problems: Array<Problem> = action.at >= cluster.duration ? [afterEnd([...path, "at"], cluster.duration)] : []
    if ("of" in action) problems.push(...actionOfProblems(cluster, action, path))
    if (action.kind === "scale" && (action.replicas === undefined) === (action.perNode === undefined)) {
      problems.push({ path, rule: "needs exactly one of replicas and perNode" })
    }
    if (action.kind === "upgrade-nodes" && action.group !== undefined && !groups.includes(action.group)) {
      problems.push(unknownName([...path, "group"], "node group", action.group, groups))
    }
    return problems
  })
}

const startProblems = (cluster: Cluster): ReadonlyArray<Problem> =>
  (["churn", "requests", "watchers"] as const).flatMap((field) =>
    cluster[field].flatMap(({ at }, index) =>
      at < cluster.duration ? [] : [afterEnd(["cluster", field, index, "at"], cluster.duration)]
    )
  )

/** Every broken rule across the cluster's fields, with the path of the field to change. */
export const clusterProblems = (cluster: Cluster): ReadonlyArray<Problem> => {
  const nodes = cluster.nodeGroups.reduce((sum, { count }) => sum + count, 0)
  const problems: Array<Problem> = [
    ...(["nodeGroups", "priorityClasses", "namespaces", "workloads", "requests", "watchers"] as const).flatMap(
      (field) => duplicates(cluster[field], ["cluster", field])
    ),
    ...zoneProblems(cluster),
    ...typeProblems(cluster),
    ...priorityClassProblems(cluster),
    ...workloadProblems(cluster),
    ...cluster.faults.flatMap((fault, at) => faultProblems(cluster, fault, at)),
    ...actionProblems(cluster),
    ...churnProblems(cluster),
    ...startProblems(cluster),
    ...resourceProblems(cluster),
    ...controllerProblems(cluster.controllers)
  ]
  if (cluster.bindingsPerSecond !== undefined && cluster.scheduler !== "one-pass") {
    const rule = "is the pace of the one-pass binder: say scheduler: one-pass as well, or leave it out"
    problems.push({ path: ["cluster", "bindingsPerSecond"], rule })
  }
  if (nodes > 100_000) problems.push({ path: ["cluster", "nodeGroups"], rule: "have more than 100,000 nodes together" })
  return problems
}

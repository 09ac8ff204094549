// Rules that no single field can check: names that must exist, bounds that depend on another field, loads without an
// end. Owns only such rules; what one field may hold is said by Scenario.ts.
import { clusterProblems } from "./cluster/ClusterRules.ts"
import { answerKinds } from "#tracing"
import { isClusterMetric } from "./cluster/ClusterSloMetric.ts"
import { priorityClassNames } from "./cluster/PlacementRules.ts"
import type { FieldPath } from "./Diagnostic.ts"
import { federationProblems, federationSloProblems } from "./federation/FederationRules.ts"
import { isFederationMetric } from "./federation/FederationSloMetric.ts"
import { frontProblems } from "./front/FrontRules.ts"
import { isFrontMetric } from "./front/FrontSloMetric.ts"
import { shapeName } from "./LoadShape.ts"
import type { KeySpace, Operation } from "./Operation.ts"
import { duplicates, unknownName } from "./NameRules.ts"
import type { Problem } from "./Problems.ts"
import type { Load, Phase, Scenario, Slo } from "./Scenario.ts"
import { tracingProblems } from "./traces/TracingRules.ts"
import { isTracingMetric } from "./traces/TracingSloMetric.ts"

/** Bytes that a key needs after its prefix so that the seed and the key's number both fit. */
export const keySuffixBytes = 16

const keySpaceProblems = (spaces: ReadonlyArray<KeySpace>): ReadonlyArray<Problem> =>
  spaces.flatMap(({ keyBytes, prefix }, index) => {
    const least = Buffer.byteLength(prefix) + keySuffixBytes
    if (keyBytes >= least) return []
    return [
      {
        path: ["keySpaces", index, "keyBytes"],
        rule: `must be at least ${least}: the prefix and ${keySuffixBytes} more`
      }
    ]
  })

const keysProblem = (
  keys: string | undefined,
  path: FieldPath,
  spaces: ReadonlyArray<string>
): ReadonlyArray<Problem> => {
  if (keys === undefined) {
    return spaces.length === 1
      ? []
      : [{ path: [...path, "keys"], rule: "is required when there are several key spaces" }]
  }
  return spaces.includes(keys) ? [] : [unknownName([...path, "keys"], "key space", keys, spaces)]
}

const keyless: ReadonlySet<string> = new Set(["leaseGrant", "leaseKeepAlive", "compact", "snapshot"])

const operationProblems = (
  operation: Operation,
  path: FieldPath,
  spaces: ReadonlyArray<string>
): ReadonlyArray<Problem> => {
  const problems = keyless.has(operation.op) ? [] : [...keysProblem(operation.keys, path, spaces)]
  const { value } = operation
  if (typeof value === "object" && value.max < value.min) {
    problems.push({ path: [...path, "value", "max"], rule: "must not be smaller than min" })
  }
  return problems
}

const loadProblems = (load: Load, path: FieldPath, spaces: ReadonlyArray<string>): ReadonlyArray<Problem> => {
  const problems = load.mix.flatMap((operation, index) => operationProblems(operation, [...path, "mix", index], spaces))
  const shape = shapeName(load.shape)
  const timed = shape === "timeLimitedLoad" || shape === "randomizedTimeLimitedLoad"
  if (timed && load.actions === undefined) {
    problems.push({ path, rule: `needs actions: ${shape} spreads a known number of actions over its timeLimit` })
  }
  if (!timed && load.actions === undefined && load.duration === undefined) {
    problems.push({ path, rule: "needs duration or actions, or it would never end" })
  }
  return problems
}

const phaseProblems = (phase: Phase, index: number, spaces: ReadonlyArray<string>): ReadonlyArray<Problem> => {
  const path: FieldPath = ["phases", index]
  const restart = phase.kind === "restart"
  const problems: Array<Problem> = [
    ...duplicates(phase.load, [...path, "load"]),
    ...duplicates(phase.watch, [...path, "watch"])
  ]
  if (restart && phase.load.length + phase.watch.length > 0) {
    problems.push({ path: [...path, "kind"], rule: "a restart phase has neither load nor watch" })
  }
  if (restart && phase.fault !== undefined) {
    problems.push({ path: [...path, "fault"], rule: "needs loads to befall, which a restart phase has not" })
  }
  if (!restart && phase.load.length === 0) problems.push({ path, rule: "needs at least one load" })
  phase.load.forEach((load, at) => problems.push(...loadProblems(load, [...path, "load", at], spaces)))
  phase.watch.forEach((watch, at) => problems.push(...keysProblem(watch.keys, [...path, "watch", at], spaces)))
  return problems
}

const sloProblems = (
  slo: Slo,
  index: number,
  names: ReadonlyArray<string>,
  { cluster, federation, front, tracing }: Scenario
): ReadonlyArray<Problem> => {
  const path: FieldPath = ["slo", index]
  const problems: Array<Problem> = []
  if ((slo.atMost === undefined) === (slo.atLeast === undefined)) {
    problems.push({ path, rule: "needs exactly one of atMost and atLeast" })
  }
  if (isClusterMetric(slo.metric)) return [...problems, ...clusterSloProblems(slo, path, cluster)]
  if (isFederationMetric(slo.metric)) return [...problems, ...federationSloProblems(slo, index, federation)]
  if (isFrontMetric(slo.metric) && front === undefined) {
    problems.push({ path: [...path, "metric"], rule: `${slo.metric} is about a front, and there is none` })
  }
  if (isTracingMetric(slo.metric) && tracing === undefined) {
    problems.push({ path: [...path, "metric"], rule: `${slo.metric} is about a tracing server, and there is none` })
  }
  if (slo.of !== undefined && !names.includes(slo.of)) {
    problems.push(unknownName([...path, "of"], "load, operation, watch or phase", slo.of, names))
  }
  return problems
}

const clusterSloProblems = (
  { metric, of }: Slo,
  path: FieldPath,
  cluster: Scenario["cluster"]
): ReadonlyArray<Problem> => {
  if (cluster === undefined)
    return [{ path: [...path, "metric"], rule: `${metric} is about a cluster, and there is none` }]
  if (metric === "tracing.stuck" && !cluster.tracing) {
    return [{ path: [...path, "metric"], rule: "tracing.stuck needs cluster.tracing: true" }]
  }
  if (of === undefined || /^(api|informer)[.]/.test(metric)) return []
  if (metric === "tracing.stuck") {
    return answerKinds.some((kind) => kind === of) ? [] : [unknownName([...path, "of"], "answer", of, answerKinds)]
  }
  if (metric.startsWith("scheduler.wait.")) {
    const known = [...priorityClassNames(cluster), "none"]
    return known.includes(of) ? [] : [unknownName([...path, "of"], "priority class", of, known)]
  }
  return [{ path: [...path, "of"], rule: `${metric} is about the cluster as a whole and takes no name` }]
}

/** Faults that only a simulated network, disk or clock has. */
const simulatedFaults: ReadonlySet<string> = new Set([
  "bad-link",
  "disk-stall",
  "disk-full",
  "disk-fails",
  "disk-lies",
  "clock-skew",
  "noisy-tenant",
  "slow-watcher"
])

const targetProblems = ({ cluster, target }: Scenario): ReadonlyArray<Problem> => {
  if (target === undefined) return []
  const path = ["target"]
  if (cluster === undefined) {
    if (target === "process") return []
    return [{ path, rule: `a load on stores runs with target process, not ${target}` }]
  }
  if (target === "sim") return []
  const existing = target === "kubeconfig" ? existingProblems(cluster) : []
  const faults = cluster.faults.flatMap((fault, at): ReadonlyArray<Problem> => {
    const { kind } = fault
    if (simulatedFaults.has(kind) || target === "kubeconfig")
      return [
        { path: ["cluster", "faults", at, "kind"], rule: `${kind} is not done to a cluster with target ${target}` }
      ]
    // Real programs reach one another by ways of their own; those of the run's clients are the run's.
    if (!("side" in fault) || [fault.side, fault.other].some((side) => side.join() === "apiserver")) return []
    return [{ path: ["cluster", "faults", at, "side"], rule: `with target ${target} one side must be apiserver alone` }]
  })
  return [...systemProblems(cluster, target), ...existing, ...faults]
}

/** One front takes everyone in, and only the process target puts our systems around its control plane. */
const systemProblems = ({ systems }: NonNullable<Scenario["cluster"]>, target: string): ReadonlyArray<Problem> => {
  const path = ["cluster", "systems"]
  const fronts = systems.filter((name) => name !== "tracing" && name !== "scheduler")
  if (systems.length > 0 && target !== "process")
    return [{ path, rule: `are not put around a cluster with target ${target}: kind/manifests deploys them` }]
  if (new Set(systems).size < systems.length) return [{ path, rule: "names one of them twice" }]
  return fronts.length < 2 ? [] : [{ path, rule: `${fronts.join(" and ")} would stand in the same place: choose one` }]
}

/** On a cluster of others nothing is made outside the run's own namespaces. */
const existingProblems = ({ actions, priorityClasses }: NonNullable<Scenario["cluster"]>): ReadonlyArray<Problem> => [
  ...priorityClasses.map((_, at) => ({
    path: ["cluster", "priorityClasses", at],
    rule: "priority classes belong to the whole cluster, and are not made with target kubeconfig"
  })),
  ...actions.flatMap(({ kind }, at) =>
    kind === "upgrade-nodes"
      ? [{ path: ["cluster", "actions", at, "kind"], rule: "nodes are not upgraded with target kubeconfig" }]
      : []
  )
]

/** Every broken rule across fields, with the path of the field to change. */
export const scenarioProblems = (scenario: Scenario): ReadonlyArray<Problem> => {
  const spaces = scenario.keySpaces.map(({ name }) => name)
  const watching = [...scenario.phases, ...(scenario.front?.phases ?? [])]
  const judged = [
    ...watching.flatMap(({ watch }) => watch.map(({ name }) => name)),
    ...[...watching, ...(scenario.tracing?.phases ?? [])].flatMap((phase) => [
      phase.name,
      ...phase.load.flatMap((load) => [load.name, ...load.mix.map(({ name, op }) => name ?? op)])
    ])
  ]
  const problems = [
    ...duplicates(scenario.keySpaces, ["keySpaces"]),
    ...keySpaceProblems(scenario.keySpaces),
    ...duplicates(scenario.phases, ["phases"]),
    ...scenario.phases.flatMap((phase, index) => phaseProblems(phase, index, spaces)),
    ...scenario.slo.flatMap((slo, index) => sloProblems(slo, index, judged, scenario)),
    ...targetProblems(scenario),
    ...(scenario.cluster === undefined ? [] : clusterProblems(scenario.cluster)),
    ...(scenario.federation === undefined ? [] : federationProblems(scenario.federation)),
    ...(scenario.front === undefined ? [] : frontProblems(scenario.front, scenario)),
    ...(scenario.tracing === undefined ? [] : tracingProblems(scenario.tracing))
  ]
  if (scenario.front !== undefined || scenario.tracing !== undefined) {
    const owner = scenario.front === undefined ? "tracing" : "a front"
    if (scenario.phases.length > 0) problems.push({ path: ["phases"], rule: `belong to stores; ${owner} has its own` })
    if (scenario.federation !== undefined)
      problems.push({ path: ["federation"], rule: `is a run of its own, and there is ${owner}` })
    return problems
  }
  if (scenario.federation !== undefined) {
    if (scenario.phases.length > 0)
      problems.push({ path: ["phases"], rule: "belong to stores; a federation has steps" })
    if (scenario.cluster !== undefined)
      problems.push({ path: ["federation"], rule: "is a run of its own, and there is a cluster" })
    return problems
  }
  if (scenario.server.cpuShare !== undefined && scenario.phases.some(({ fault }) => fault !== undefined)) {
    problems.push({ path: ["server", "cpuShare"], rule: "stops processes itself, and leaves no room for faults" })
  }
  if (scenario.phases.length === 0) {
    if (scenario.cluster === undefined)
      problems.push({ path: ["phases"], rule: "is required, or a cluster, a federation, a front or tracing instead" })
    return problems
  }
  if (scenario.keySpaces.length === 0) problems.push({ path: ["keySpaces"], rule: "is required by the phases" })
  if (!scenario.phases.some(({ kind }) => kind === "measure" || kind === "restart")) {
    problems.push({ path: ["phases"], rule: "needs at least one phase of kind measure or restart" })
  }
  return problems
}

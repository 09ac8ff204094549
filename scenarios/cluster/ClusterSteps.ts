// Everything that users of a scenario's cluster do, as one sequence in the order of time: namespaces, workloads, actions, churn.
// Owns the merging and where traces come from; refuses to carry steps out. The same cluster and seed give the same steps.
import { type ChurnStep, loadTest, parseChurnLog, parseOpenb, podChurn, RandomStream } from "#sim"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import type { Cluster } from "./Cluster.ts"
import type { Churn, ClusterAction } from "./ClusterLoad.ts"
import { machineCount, replicasOf } from "./Capacity.ts"
import {
  namespaceSteps,
  podTargets,
  priorityClassSteps,
  recreateSteps,
  workloadPlaces,
  type WorkloadPlace,
  workloadSteps
} from "./WorkloadObjects.ts"
import type { Workload } from "./Workload.ts"

type WorkloadAction = Exclude<ClusterAction, { readonly kind: "upgrade-nodes" }>

const isOfWorkloads = (action: ClusterAction): action is WorkloadAction => action.kind !== "upgrade-nodes"

/** A trace that cannot be read; the message names the file and the rule. */
export class TraceUnreadable extends Error {
  override readonly name = "TraceUnreadable"
}

const readTrace = <Step>(folder: string, path: string, parse: (text: string) => Step): Step => {
  try {
    return parse(readFileSync(resolve(folder, path), "utf8"))
  } catch (cause) {
    const known = cause instanceof Error && "code" in cause && cause.code === "ENOENT"
    const reason = known ? "there is no such file" : cause instanceof Error ? cause.message : String(cause)
    throw new TraceUnreadable(`${path}: ${reason}`)
  }
}

const shifted = (steps: ReadonlyArray<ChurnStep>, byMs: number): ReadonlyArray<ChurnStep> =>
  byMs === 0 ? steps : steps.map((step) => ({ ...step, atMs: step.atMs + byMs }))

/** A namespace's default service account is there a moment later: pods that come sooner are refused. */
export function* afterNamespaces(steps: Iterable<ChurnStep>): Generator<ChurnStep> {
  for (const step of steps) yield step.of.resource === "namespaces" ? step : { ...step, atMs: step.atMs + 1000 }
}

const churnSteps = (cluster: Cluster, churn: Churn, random: RandomStream, folder: string): Iterable<ChurnStep> => {
  switch (churn.kind) {
    case "load-test":
      return afterNamespaces(
        loadTest({ ...churn, nodes: churn.nodes ?? machineCount(cluster), startMs: churn.at }, random)
      )
    case "pod-churn":
      return afterNamespaces(podChurn({ ...churn, startMs: churn.at, untilMs: cluster.duration }, random))
    case "openb":
      return readTrace(folder, churn.path, (text) =>
        parseOpenb(text, { namespace: churn.namespace, speed: churn.speed, startMs: churn.at })
      )
    case "recreate": {
      const workload = cluster.workloads.find(({ name }) => name === churn.of)
      return workload === undefined ? [] : recreateSteps(cluster, workload, churn)
    }
    case "event-log":
      return readTrace(folder, churn.path, (text) => shifted(parseChurnLog(text), churn.at))
  }
}

const placesOf = (cluster: Cluster, workload: Workload): ReadonlyArray<WorkloadPlace> => {
  if (workload.kind !== "Pod") return [...workloadPlaces(cluster, workload)]
  const pods = [...podTargets(cluster, workload)]
  return pods.map((of, at) => ({ of, at, objects: pods.length }))
}

const actionStep = (cluster: Cluster, action: WorkloadAction, place: WorkloadPlace, number: number) => {
  const { of } = place
  switch (action.kind) {
    case "delete":
      return { verb: "delete" as const, of }
    case "scale":
      return { verb: "scale" as const, of, replicas: replicasOf(cluster, action, place) }
    case "ungate":
      return { verb: "patch" as const, of, patch: { spec: { schedulingGates: [] } } }
    case "rolling-update": {
      const annotations = { "scenarios.kubewharf.io/rollout": String(number + 1) }
      return { verb: "patch" as const, of, patch: { spec: { template: { metadata: { annotations } } } } }
    }
  }
}

function* actionSteps(cluster: Cluster, action: WorkloadAction, number: number): Generator<ChurnStep> {
  const workload = cluster.workloads.find(({ name }) => name === action.of)
  if (workload === undefined) return
  const places = placesOf(cluster, workload)
  const gapMs = (action.over ?? 0) / Math.max(1, places.length)
  for (const [at, place] of places.entries())
    yield { atMs: action.at + at * gapMs, ...actionStep(cluster, action, place, number) }
}

/** Several sequences that are each in the order of time as one; those of the same moment keep the order of the list. */
export function* mergeSteps(sequences: ReadonlyArray<Iterable<ChurnStep>>): Generator<ChurnStep> {
  const heads = sequences.map((sequence) => {
    const iterator = sequence[Symbol.iterator]()
    return { iterator, next: iterator.next() }
  })
  for (;;) {
    let first: (typeof heads)[number] | undefined
    for (const head of heads) {
      if (head.next.done === true) continue
      if (first === undefined || first.next.done === true || head.next.value.atMs < first.next.value.atMs) first = head
    }
    if (first === undefined || first.next.done === true) return
    yield first.next.value
    first.next = first.iterator.next()
  }
}

/** The steps, made as they are asked for; none is after the end. Throws TraceUnreadable before the first one. */
export const clusterSteps = (cluster: Cluster, seed: number, folder: string): Iterable<ChurnStep> => {
  const random = new RandomStream(seed).split("scenario")
  const actions = cluster.actions.filter(isOfWorkloads)
  const sequences = [
    priorityClassSteps(cluster),
    namespaceSteps(cluster),
    ...cluster.workloads.map((workload) => workloadSteps(cluster, workload)),
    ...actions.map((action, at) => actionSteps(cluster, action, at)),
    ...cluster.churn.map((churn, at) => churnSteps(cluster, churn, random.split(`churn ${at}`), folder))
  ]
  return before(cluster.duration, mergeSteps(sequences))
}

function* before(endMs: number, steps: Iterable<ChurnStep>): Generator<ChurnStep> {
  for (const step of steps) {
    if (step.atMs >= endMs) return
    yield step
  }
}

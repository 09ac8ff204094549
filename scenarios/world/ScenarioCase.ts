// A scenario's cluster as a case that can be repeated and made smaller: seed, faults and steps as data, the rest as the file says it.
// Owns the shape and the way from a scenario to it; refuses to run it.
import type { ChurnStep, FaultPlan } from "#sim"
import type { Cluster } from "../cluster/Cluster.ts"
import { faultPlan } from "../cluster/ClusterFault.ts"
import { clusterSteps } from "../cluster/ClusterSteps.ts"

/** Something that operators do over a longer time. */
export interface OperatorStep {
  readonly atMs: number
  readonly verb: "upgrade-nodes"
  readonly group?: string
  readonly parallel: number
}

export type ScenarioStep = ChurnStep | OperatorStep

/** A case; `nodes` is what the node groups have together, and may become less. */
export interface ScenarioCase {
  readonly kind: "scenario"
  readonly seed: number
  readonly nodes: number
  readonly plan: FaultPlan
  readonly steps: ReadonlyArray<ScenarioStep>
  readonly cluster: Cluster
  readonly folder: string
}

export const isOperatorStep = (step: ScenarioStep): step is OperatorStep => step.verb === "upgrade-nodes"

export const nodesOf = ({ nodeGroups }: Cluster): number => nodeGroups.reduce((sum, { count }) => sum + count, 0)

/** What operators do, of a scenario's actions. */
export const operatorSteps = ({ actions }: Cluster): ReadonlyArray<OperatorStep> =>
  actions.flatMap((action) =>
    action.kind === "upgrade-nodes"
      ? [
          {
            atMs: action.at,
            verb: action.kind,
            parallel: action.parallel,
            ...(action.group === undefined ? {} : { group: action.group })
          }
        ]
      : []
  )

/** The case that a scenario is, its steps written out. */
export const scenarioCase = (cluster: Cluster, seed: number, folder: string): ScenarioCase => ({
  kind: "scenario",
  seed,
  nodes: nodesOf(cluster),
  plan: faultPlan(cluster.faults, cluster.watchers),
  steps: [...operatorSteps(cluster), ...clusterSteps(cluster, seed, folder)],
  cluster,
  folder
})

/** The cluster with fewer nodes: every group keeps its share and at least one node for each of its zones. */
export const withNodes = (cluster: Cluster, nodes: number): Cluster => {
  const share = nodes / nodesOf(cluster)
  if (share >= 1) return cluster
  const nodeGroups = cluster.nodeGroups.map((group) => ({
    ...group,
    count: Math.max(Math.min(group.count, (group.zones ?? cluster.zones).length), Math.round(group.count * share))
  }))
  return { ...cluster, nodeGroups }
}

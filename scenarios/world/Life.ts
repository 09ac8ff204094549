// What every living cluster of a scenario has, simulated or real: its machines' groups and stages, the steps of users and operators, and the
// clients that watch and read.
// Owns that translation; refuses to know what the cluster runs on.
import type { GroupVersionResource } from "#kube"
import { fastPodStages, kubeletPodStages, type NodeGroup as SimNodeGroup, parseStages, type Stage } from "#sim"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { capacityOf, reservedOf } from "../cluster/Capacity.ts"
import type { Cluster } from "../cluster/Cluster.ts"
import { allNamespaces } from "../cluster/WorkloadObjects.ts"
import { type AudienceOptions, startReaders, startWatchers } from "./Audience.ts"
import type { LivingWorld } from "./LivingWorld.ts"
import { NodeUpgrade } from "./NodeUpgrade.ts"
import { isOperatorStep, type OperatorStep, type ScenarioStep } from "./ScenarioCase.ts"

/** The groups of machines of a scenario, as the simulator has them. */
export const groupsOf = (cluster: Cluster): ReadonlyArray<SimNodeGroup> =>
  cluster.nodeGroups.map((group) => ({
    name: group.name,
    count: group.count,
    zones: group.zones ?? cluster.zones,
    instanceType: group.machineType ?? group.name,
    capacity: capacityOf(cluster, group),
    reserved: reservedOf(group),
    ...(group.labels && { labels: group.labels }),
    ...(group.taints && { taints: group.taints })
  }))

/** The stages that pods and nodes go through. */
export const stagesOf = (
  cluster: Cluster,
  folder: string
): { readonly podStages: ReadonlyArray<Stage>; readonly nodeStages?: ReadonlyArray<Stage> } => {
  if (cluster.stages === undefined) {
    return { podStages: cluster.pods === "fast" ? fastPodStages : kubeletPodStages }
  }
  const read = cluster.stages.flatMap((path) => parseStages(readFileSync(resolve(folder, path), "utf8")))
  const of = (wanted: string): ReadonlyArray<Stage> =>
    read.flatMap(({ kind, stage }) => (kind === wanted ? [stage] : []))
  return { podStages: of("Pod"), nodeStages: of("Node") }
}

/** What a life is made of. */
export interface LifeSteps {
  readonly steps: Iterable<ScenarioStep>
  readonly operators: ReadonlyArray<OperatorStep>
  /** The resource that a name such as endpointslices.discovery.k8s.io means. */
  readonly resourceOf: (name: string) => GroupVersionResource | undefined
}

/** Lets users and operators begin, and the clients beside them; answers the upgrades of nodes that are planned. */
export const beginLife = (world: LivingWorld, cluster: Cluster, life: LifeSteps): ReadonlyArray<NodeUpgrade> => {
  const { kernel, population } = world
  const upgrades: Array<NodeUpgrade> = []
  const operate = ({ atMs, group, parallel }: OperatorStep): void => {
    const names = population.nodes.machines
      .map(({ facts }) => facts.name)
      .filter((name) => group === undefined || name.slice(0, name.lastIndexOf("-")) === group)
    const process = kernel.process("operators")
    const upgrade = new NodeUpgrade({ process, client: world.client("operators"), names, parallel })
    upgrades.push(upgrade)
    kernel.closureAt(atMs, process, () => upgrade.start())
  }
  /** Steps of users; those of operators are taken out and started at their time. */
  function* playable() {
    for (const step of life.steps) {
      if (isOperatorStep(step)) operate(step)
      else yield step
    }
  }
  population.play(playable())
  for (const step of life.operators) operate(step)
  const namespaces = allNamespaces(cluster)
  const audience: AudienceOptions = {
    kernel,
    clientOf: (name) => ({ client: world.client(name), process: kernel.process(name) }),
    resourceOf: life.resourceOf,
    namespaces: namespaces.length === 0 ? ["default"] : namespaces,
    endMs: cluster.duration
  }
  startWatchers(audience, cluster.watchers)
  startReaders(audience, cluster.requests)
  return upgrades
}

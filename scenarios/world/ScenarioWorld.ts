// A scenario's cluster as a world of the simulator: machines, controllers, network, users, operators, watchers and checkers joined.
// Owns that translation and the start; refuses to measure (ClusterMeasures.ts listens through hooks) and to decide how time moves.
import type { ApiServer } from "#apiserver"
import { type Client, type Controller, groupResource, type GroupVersionResource } from "#kube"
import {
  CheckedClients,
  ClusterChecker,
  controllerManager,
  fastPodStages,
  type FaultPlan,
  kubeletPodStages,
  type NamedController,
  type NodeGroup as SimNodeGroup,
  onePassBinder,
  pacedKubeScheduler,
  parseStages,
  SimulatedCluster,
  type SimProcess,
  type Stage,
  StoreRecord,
  Violations
} from "#sim"
import type { Storage } from "#storage"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { capacityOf, reservedOf } from "../cluster/Capacity.ts"
import type { Cluster } from "../cluster/Cluster.ts"
import { controllersOf } from "../cluster/ControllerNames.ts"
import { allNamespaces } from "../cluster/WorkloadObjects.ts"
import { type AudienceOptions, startReaders, startWatchers } from "./Audience.ts"
import { NodeUpgrade } from "./NodeUpgrade.ts"
import { isOperatorStep, type OperatorStep, type ScenarioStep } from "./ScenarioCase.ts"
import { LateClock } from "./VirtualClock.ts"

/** Who listens to a world while it lives. */
export interface WorldHooks {
  readonly wrapClient?: (client: Client, process: SimProcess) => Client
  readonly controllerMade?: (controller: Controller) => void
  readonly serverStarted?: (server: ApiServer, storage: Storage) => void
}

export interface ScenarioWorldOptions {
  readonly cluster: Cluster
  readonly seed: number
  readonly folder: string
  readonly plan: FaultPlan
  readonly clock?: LateClock
  readonly hooks?: WorldHooks
}

/** Gates that hold back what a controller lets go: without the controller they are off. */
const gatesOf: Readonly<Record<string, string>> = {
  "serviceaccount-controller": "ServiceAccount",
  "node-lifecycle-controller": "TaintNodesByCondition"
}

const openGates = (named: ReadonlyArray<NamedController>): ReadonlyArray<string> =>
  Object.entries(gatesOf).flatMap(([controller, gate]) => (named.some(({ name }) => name === controller) ? [] : [gate]))

const groupsOf = (cluster: Cluster): ReadonlyArray<SimNodeGroup> =>
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

const stagesOf = (
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

const networkOf = ({ network }: Cluster) => {
  if (network === "none") return undefined
  const { breakAfter, lossRate, median, resetRate, sigma } = network
  const latency = { kind: "log-normal" as const, medianMs: median, sigma }
  return { profile: { latency, lossRate, resetRate }, breakAfterMs: breakAfter }
}

const flushOf = ({ disk: { flush, sigma } }: Cluster) =>
  sigma === 0 ? { kind: "constant" as const, ms: flush } : { kind: "log-normal" as const, medianMs: flush, sigma }

export class ScenarioWorld {
  readonly world: SimulatedCluster
  readonly violations: Violations
  readonly upgrades: Array<NodeUpgrade> = []
  private readonly options: ScenarioWorldOptions
  private readonly sums: ClusterChecker | undefined
  private readonly clients: CheckedClients | undefined

  constructor(options: ScenarioWorldOptions) {
    const { cluster, clock = new LateClock(), folder, hooks = {}, plan, seed } = options
    this.options = options
    this.violations = new Violations(() => clock.nowMs)
    const record = cluster.checkers.includes("history")
      ? new StoreRecord(() => clock.nowMs, this.violations)
      : undefined
    this.sums = cluster.checkers.includes("sums") ? new ClusterChecker(this.violations) : undefined
    this.clients = record && this.checkedClients(record)
    const named = controllersOf(cluster.controllers)
    const network = networkOf(cluster)
    this.world = new SimulatedCluster({
      seed,
      nodeGroups: groupsOf(cluster),
      ...stagesOf(cluster, folder),
      registerOverMs: cluster.registerOver,
      placer: cluster.scheduler === "one-pass" ? onePassBinder(cluster.bindingsPerSecond) : pacedKubeScheduler,
      controllers: named.length === 0 ? [] : [controllerManager({ controllers: heardOf(named, hooks) })],
      disableAdmission: openGates(named),
      disk: { flush: flushOf(cluster) },
      faults: plan,
      ...(network && { network }),
      ...(cluster.compaction === undefined ? {} : { compactionMs: cluster.compaction }),
      wrapClient: (client, process) => {
        const heard = hooks.wrapClient?.(client, process) ?? client
        return this.clients?.wrap(heard, process) ?? heard
      }
    })
    clock.follow(this.world.kernel)
    this.world.onServerStart = (storage) => {
      const { server } = this.world.api
      if (server === undefined) return
      record?.follow(storage)
      this.sums?.follow(server)
      hooks.serverStarted?.(server, storage)
    }
  }

  /** Starts everything; the steps begin when the server has what every cluster begins with. */
  start(steps: Iterable<ScenarioStep>, operators: ReadonlyArray<OperatorStep> = []): void {
    const { world } = this
    const isReady = world.onReady
    world.onReady = (failures) => {
      isReady?.(failures)
      for (const failure of failures)
        this.violations.report("no lost acknowledged write", `the beginning failed: ${failure}`)
      world.play(this.playable(steps))
      for (const step of operators) this.operate(step)
      this.startAudience()
    }
    world.start()
  }

  /** Called when all is quiet: what can only be judged at the end. */
  finished(): void {
    this.clients?.finished()
    this.sums?.finished()
  }

  /** Steps of users; those of operators are taken out and started at their time. */
  private *playable(steps: Iterable<ScenarioStep>) {
    for (const step of steps) {
      if (isOperatorStep(step)) this.operate(step)
      else yield step
    }
  }

  private operate({ atMs, group, parallel }: OperatorStep): void {
    const { kernel, nodes } = this.world
    const names = nodes.machines
      .map(({ facts }) => facts.name)
      .filter((name) => group === undefined || name.slice(0, name.lastIndexOf("-")) === group)
    const process = kernel.process("operators")
    const upgrade = new NodeUpgrade({ process, client: this.world.client("operators"), names, parallel })
    this.upgrades.push(upgrade)
    kernel.closureAt(atMs, process, () => upgrade.start())
  }

  private startAudience(): void {
    const { cluster } = this.options
    const { kernel } = this.world
    const namespaces = allNamespaces(cluster)
    const options: AudienceOptions = {
      kernel,
      clientOf: (name) => ({ client: this.world.client(name), process: kernel.process(name) }),
      resourceOf: (name) => this.resourceOf(name),
      namespaces: namespaces.length === 0 ? ["default"] : namespaces,
      endMs: cluster.duration
    }
    startWatchers(options, cluster.watchers)
    startReaders(options, cluster.requests)
  }

  private resourceOf(name: string): GroupVersionResource | undefined {
    const found = this.world.api.server?.definitions
      .all()
      .find(({ group, resource }) => groupResource({ group, resource }) === name)
    return found && { group: found.group, version: found.version, resource: found.resource }
  }

  private checkedClients(record: StoreRecord): CheckedClients {
    return new CheckedClients({
      record,
      violations: this.violations,
      prefixOf: ({ resource: { group, resource, version } }) =>
        this.world.api.server?.definitions.find(group, version, resource)?.storage?.prefix
    })
  }
}

/** The same controllers; who listens hears of each that is made. */
const heardOf = (
  named: ReadonlyArray<NamedController>,
  { controllerMade }: WorldHooks
): ReadonlyArray<NamedController> =>
  named.map((one) => ({
    ...one,
    make: (manager) => {
      const made = [one.make(manager)].flat()
      for (const controller of made) controllerMade?.(controller)
      return made
    }
  }))

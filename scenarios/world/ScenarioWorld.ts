// A scenario's cluster as a world of the simulator: control plane, controllers, network, disk and checkers joined.
// Owns that translation, the start and virtual time; refuses to measure, for which ClusterMeasures.ts listens through hooks.
import { type Client, type Controller, groupResource, type GroupVersionResource } from "#kube"
import {
  CheckedClients,
  ClusterChecker,
  controllerManager,
  type FaultPlan,
  type Kernel,
  type NamedController,
  type Population,
  SampledRecord,
  SimulatedCluster,
  type SimProcess,
  Violations,
  wallMs
} from "#sim"
import type { Cluster } from "../cluster/Cluster.ts"
import { calibrationOf } from "../calibration/Calibration.ts"
import { controllersOf } from "../cluster/ControllerNames.ts"
import { type ClusterView, serverView } from "./ClusterView.ts"
import type { CallTimes } from "./ApiCalls.ts"
import { beginLife, groupsOf, stagesOf } from "./Life.ts"
import type { LivingWorld } from "./LivingWorld.ts"
import { modelOf } from "./SimulatedModel.ts"
import type { NodeUpgrade } from "./NodeUpgrade.ts"
import { nodesOf, type OperatorStep, type ScenarioStep } from "./ScenarioCase.ts"
import { LateClock } from "./VirtualClock.ts"

/** Who listens to a world while it lives. */
export interface WorldHooks {
  /** Measures the calls of a client: of a real one where its answers come in, before they enter the world. */
  readonly measureCalls?: (client: Client, process: SimProcess, times?: CallTimes) => Client
  readonly wrapClient?: (client: Client, process: SimProcess) => Client
  readonly controllerMade?: (controller: Controller) => void
  readonly serverStarted?: (cluster: ClusterView) => void
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

/** Of a cluster with so many nodes the history of every object is kept; of a larger one that of so many objects fewer. */
const HISTORY_NODES = 1000
const SLICE_EVENTS = 2048
const SLICE_MS = 50

export class ScenarioWorld implements LivingWorld {
  readonly isSimulated = true
  readonly world: SimulatedCluster
  readonly violations: Violations
  upgrades: ReadonlyArray<NodeUpgrade> = []
  private readonly options: ScenarioWorldOptions
  private readonly sums: ClusterChecker | undefined
  private readonly clients: CheckedClients | undefined

  constructor(options: ScenarioWorldOptions) {
    const { cluster, clock = new LateClock(), folder, hooks = {}, plan, seed } = options
    this.options = options
    this.violations = new Violations(() => clock.nowMs)
    const share = Math.min(1, HISTORY_NODES / nodesOf(cluster))
    const record = cluster.checkers.includes("history")
      ? new SampledRecord(() => clock.nowMs, this.violations, share)
      : undefined
    this.sums = cluster.checkers.includes("sums") ? new ClusterChecker(this.violations) : undefined
    this.clients = record && this.checkedClients(record)
    const named = controllersOf(cluster.controllers)
    const calibration = calibrationOf(cluster.calibration, folder)
    this.world = new SimulatedCluster({
      seed,
      nodeGroups: groupsOf(cluster),
      ...stagesOf(cluster, folder),
      registerOverMs: cluster.registerOver,
      controllers:
        named.length === 0
          ? []
          : [controllerManager({ controllers: heardOf(named, hooks), rate: cluster.controlPlane.controllerRate })],
      disableAdmission: openGates(named),
      ...modelOf(cluster, calibration),
      faults: plan,
      ...(cluster.compaction === undefined ? {} : { compactionMs: cluster.compaction }),
      wrapClient: (client, process) => {
        const measured = hooks.measureCalls?.(client, process) ?? client
        const heard = hooks.wrapClient?.(measured, process) ?? measured
        return this.clients?.wrap(heard, process) ?? heard
      }
    })
    clock.follow(this.world.kernel)
    this.world.onServerStart = (storage) => {
      const { server } = this.world.api
      if (server === undefined) return
      record?.follow(storage)
      this.sums?.follow(server)
      hooks.serverStarted?.(serverView(server, storage))
    }
  }

  get kernel(): Kernel {
    return this.world.kernel
  }

  get population(): Population {
    return this.world.population
  }

  client(name: string): Client {
    return this.world.client(name)
  }

  start(
    steps: Iterable<ScenarioStep>,
    operators: ReadonlyArray<OperatorStep> = [],
    begun: () => void = () => {}
  ): void {
    const { world } = this
    const isReady = world.onReady
    world.onReady = (failures) => {
      isReady?.(failures)
      for (const failure of failures)
        this.violations.report("no lost acknowledged write", `the beginning failed: ${failure}`)
      begun()
      this.upgrades = beginLife(this, this.options.cluster, {
        steps,
        operators,
        resourceOf: (name) => this.resourceOf(name)
      })
    }
    world.start()
  }

  async runUntil(untilMs: number, breathe: () => Promise<void>): Promise<void> {
    const { kernel } = this
    for (;;) {
      const sliceMs = wallMs()
      let end = kernel.run({ untilMs, maxEvents: SLICE_EVENTS })
      while (end === "events" && wallMs() - sliceMs < SLICE_MS) end = kernel.run({ untilMs, maxEvents: SLICE_EVENTS })
      await breathe()
      if (end !== "events") return
    }
  }

  finished(): void {
    this.clients?.finished()
    this.sums?.finished()
  }

  async stop(): Promise<void> {
    this.world.stop()
  }

  private resourceOf(name: string): GroupVersionResource | undefined {
    const found = this.world.api.server?.definitions
      .all()
      .find(({ group, resource }) => groupResource({ group, resource }) === name)
    return found && { group: found.group, version: found.version, resource: found.resource }
  }

  private checkedClients(record: SampledRecord): CheckedClients {
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

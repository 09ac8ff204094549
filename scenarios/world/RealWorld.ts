// A scenario's cluster on a real control plane: the same machines, pods, users, operators, watchers and checkers, in real time, through
// the HTTP client.
// Owns that joint and the way faults take to the control plane, which whoever started it commands; refuses to start programs itself.
import { type Client, gvr } from "#kube"
import {
  ClusterChecker,
  epochMs,
  FaultInjector,
  type FaultPlan,
  Kernel,
  kubeScheduler,
  onePassBinder,
  Population,
  RealTime,
  Violations
} from "#sim"
import type { Cluster } from "../cluster/Cluster.ts"
import { servedResource } from "../cluster/ServedResources.ts"
import type { FollowedView } from "./ClusterView.ts"
import { beginLife, groupsOf, stagesOf } from "./Life.ts"
import type { LivingWorld } from "./LivingWorld.ts"
import type { NodeUpgrade } from "./NodeUpgrade.ts"
import type { PlaneCommand } from "./Protocol.ts"
import type { OperatorStep, ScenarioStep } from "./ScenarioCase.ts"
import { namespacedClient } from "./OwnNamespaces.ts"
import { RealClients } from "./RealClients.ts"
import type { RelayedWays } from "./RelayedWays.ts"
import type { WorldHooks } from "./ScenarioWorld.ts"
import type { LateClock } from "./VirtualClock.ts"
import { hearingClient, WatchedCluster } from "./WatchedCluster.ts"

export interface RealWorldOptions {
  readonly cluster: Cluster
  readonly seed: number
  readonly folder: string
  readonly plan: FaultPlan
  readonly clock: LateClock
  readonly hooks: WorldHooks
  readonly ways: RelayedWays
  /** Tells whoever started the control plane what becomes of it. */
  readonly command: (command: PlaneCommand) => void
  /** On an existing cluster: the id of the run, whose namespaces are its own; its nodes are that cluster's. */
  readonly run?: string
  /** Who binds pods: the control plane's own scheduler, or one of this process. */
  readonly binds: boolean
}

/** How often it is looked whether the time has come, in ms. */
const LOOK_MS = 20
const OBSERVER = "observer"

export class RealWorld implements LivingWorld {
  readonly isSimulated = false
  readonly kernel: Kernel
  readonly violations: Violations
  readonly population: Population
  readonly watchedPods: FollowedView
  upgrades: ReadonlyArray<NodeUpgrade> = []
  private readonly options: RealWorldOptions
  private readonly time: RealTime
  private readonly clients: RealClients
  private readonly watched: WatchedCluster
  private readonly sums: ClusterChecker | undefined

  constructor(options: RealWorldOptions) {
    const { binds, clock, cluster, folder, hooks, run, seed } = options
    this.options = options
    this.kernel = new Kernel({ seed, epochMs: epochMs() })
    this.time = new RealTime(this.kernel)
    this.clients = new RealClients(options.ways.accessOf, this.kernel, this.time, (client, process, times) => {
      const own = run === undefined ? client : namespacedClient(client, run)
      // What the run's own observer asks is nobody's call.
      return (process.name === OBSERVER ? undefined : hooks.measureCalls?.(own, process, times)) ?? own
    })
    clock.follow(this.kernel)
    this.violations = new Violations(() => clock.nowMs)
    const { clockwork } = this.kernel.process(OBSERVER)
    this.watched = new WatchedCluster(this.clients.client(OBSERVER), clockwork)
    this.watchedPods = this.watched.view("", "pods")
    this.population = new Population(this.kernel, (name) => this.client(name), {
      nodeGroups: run === undefined ? groupsOf(cluster) : [],
      ...stagesOf(cluster, folder),
      registerOverMs: cluster.registerOver,
      placer: cluster.scheduler === "one-pass" ? onePassBinder(cluster.bindingsPerSecond) : kubeScheduler,
      bindsPods: binds
    })
    hooks.serverStarted?.(this.watched)
    this.sums = cluster.checkers.includes("sums") ? new ClusterChecker(this.violations) : undefined
    this.sums?.follow(this.watched)
  }

  /** A client in a process of this name, measured. */
  client(name: string): Client {
    const process = this.kernel.process(name)
    const client = hearingClient(this.clients.client(name), (version) => this.watched.heard(version))
    return this.options.hooks.wrapClient?.(client, process) ?? client
  }

  start(steps: Iterable<ScenarioStep>, operators: ReadonlyArray<OperatorStep>, begun: () => void): void {
    const { cluster, plan } = this.options
    this.watched.start(() => {
      // Where a scenario names no namespace it means this one, which on an existing cluster is the run's own.
      if (this.options.run !== undefined) this.makeDefault()
      begun()
      this.population.start()
      this.upgrades = beginLife(this, cluster, { steps, operators, resourceOf: servedResource })
      new FaultInjector(this.kernel, this.options.ways.network, this.faultTargets()).schedule(plan)
    })
  }

  async runUntil(untilMs: number, breathe: () => Promise<void>): Promise<void> {
    while (this.kernel.nowMs < untilMs) {
      await breathe()
      await new Promise((resume) => setTimeout(resume, LOOK_MS))
    }
  }

  finished(): void {
    this.sums?.finished()
  }

  stop(): Promise<void> {
    this.population.stop()
    this.watched.stop()
    // Nobody hears the last answers any more, and asks again.
    this.time.stop()
    return this.clients.close()
  }

  private makeDefault(): void {
    const object = { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } }
    this.client("users").create({ resource: gvr("", "v1", "namespaces"), namespace: "" }, object, {}, () => undefined)
  }

  private faultTargets() {
    const { nodes } = this.population
    const { command, ways } = this.options
    const apiserver = {
      process: this.kernel.process("apiserver"),
      crash: () => command({ kind: "kill" }),
      start: () => command({ kind: "start" }),
      setPaused: (paused: boolean) => command({ kind: paused ? "pause" : "resume" }),
      compact: (keep: number) => command({ kind: "compact", keep })
    }
    return {
      servers: new Map([["apiserver", apiserver]]),
      clients: new Map(ways.names.map((name) => [name, this.kernel.process(name)])),
      nodes: {
        kill: (zone: string, count: number) => nodes.kill(zone, count),
        revive: (dead: ReadonlyArray<number>) => nodes.revive(dead),
        setZoneCut: (zone: string, cut: boolean) => nodes.setZoneCut(zone, cut)
      }
    }
  }
}

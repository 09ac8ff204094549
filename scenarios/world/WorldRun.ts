// One life of a scenario's cluster: from the start to the end of its virtual time, measured, reported on while it runs, judged at the end.
// Owns the pace of samples and reports and the result; refuses to know who hears the reports.
import { measureTurns, memoryBytes, wallMs } from "#sim"
import { NO_CALIBRATION } from "../calibration/Calibration.ts"
import type { Cluster } from "../cluster/Cluster.ts"
import { clusterSteps } from "../cluster/ClusterSteps.ts"
import { faultPlan } from "../cluster/ClusterFault.ts"
import { ClusterMeasures, plannedMarks } from "./ClusterMeasures.ts"
import type { LivingWorld } from "./LivingWorld.ts"
import type { ScenarioFinding, WorldCommand, WorldProgress, WorldResult } from "./Protocol.ts"
import { operatorSteps, scenarioCase } from "./ScenarioCase.ts"
import { ScenarioWorld } from "./ScenarioWorld.ts"
import { shrinkScenario } from "./Shrinking.ts"

export type RunCommand = Extract<WorldCommand, { readonly type: "run" | "real" }>

/** Rows of the state's columns: enough for a day to be read by the six minutes, few enough to be drawn. */
const SAMPLES = 240
const REPORT_MS = 400
const MARKS_SHOWN = 6
/** How busy a real run's own process was: the more, the later it hears of answers. */
const LATE = "the run's process late by,"
const TURNS = [0.5, 0.99] as const

/** Makes the cluster that a run lives through. */
export type MakeWorld = (command: RunCommand, measures: ClusterMeasures) => LivingWorld

/** A simulated one. */
export const simulatedWorld: MakeWorld = ({ cluster, folder, seed }, { clock, hooks }) =>
  new ScenarioWorld({ cluster, seed, folder, plan: faultPlan(cluster.faults, cluster.watchers), clock, hooks })

export class WorldRun {
  private readonly command: RunCommand
  private readonly say: (progress: WorldProgress) => void
  private readonly world: LivingWorld
  private readonly measures: ClusterMeasures
  private readonly begunMs = wallMs()
  private reportedMs = 0
  private reportedVirtualMs = 0
  private residentMaxBytes = 0

  constructor(command: RunCommand, say: (progress: WorldProgress) => void, makeWorld: MakeWorld) {
    const { cluster, folder } = command
    this.command = command
    this.say = say
    this.measures = new ClusterMeasures(cluster, folder)
    this.world = makeWorld(command, this.measures)
  }

  /** Lives through it all. */
  async run(): Promise<WorldResult> {
    const { cluster, folder, seed } = this.command
    const turns = this.world.isSimulated ? undefined : measureTurns()
    const begun = this.measures.attach(this.world)
    this.world.start(clusterSteps(cluster, seed, folder), operatorSteps(cluster), begun)
    const stepMs = Math.max(1, cluster.duration / SAMPLES)
    for (let sample = 1; sample <= SAMPLES; sample++) {
      await this.world.runUntil(sample === SAMPLES ? cluster.duration : sample * stepMs, this.breathe)
      this.measures.state.sample(this.world.kernel.nowMs, wallMs() - this.begunMs)
    }
    // The record is of the cluster's life; the quiet time after it is for the checkers alone.
    const wall = wallMs() - this.begunMs
    const recorded = {
      ...this.measures.recorded(this.world, { wallMs: wall, residentMaxBytes: this.residentMaxBytes }),
      ...(turns && { facts: Object.fromEntries(TURNS.map((share) => [`${LATE} p${share * 100} us`, turns(share)])) })
    }
    if (cluster.checkers.length > 0) {
      await this.world.runUntil(cluster.duration + cluster.settle, this.breathe)
      this.world.finished()
    }
    await this.world.stop()
    const { violations } = this.world
    const finding = violations.count === 0 || !this.world.isSimulated ? undefined : this.shrink()
    return {
      type: "result",
      cluster: {
        ...recorded,
        marks: violations.count === 0 ? recorded.marks : this.marksWithViolations(recorded.marks)
      },
      violations: violations.list.map(({ atMs, guarantee, message }) => ({
        rule: guarantee,
        text: `${message} (at ${(atMs / 1000).toFixed(3)} s)`
      })),
      counters: this.counters(),
      finding
    }
  }

  private marksWithViolations(marks: ReturnType<typeof plannedMarks>): ReturnType<typeof plannedMarks> {
    const known = new Set(marks.map(({ atMs, text }) => `${atMs} ${text}`))
    const late = this.world.violations.list
      .map(({ atMs, guarantee, message }) => ({
        kind: "violation" as const,
        text: `${guarantee}: ${message}`,
        atMs: Math.min(atMs, this.command.cluster.duration),
        durationMs: null
      }))
      .filter(({ atMs, text }) => !known.has(`${atMs} ${text}`))
    return [...marks, ...late]
  }

  /** The smallest case within the budget; the whole one where a single run takes longer than that. */
  private shrink(): ScenarioFinding | undefined {
    const { cluster, folder, seed } = this.command
    const shrinkMs = "shrinkMs" in this.command ? this.command.shrinkMs : 0
    const [first] = this.world.violations.list
    if (shrinkMs <= 0 || first === undefined) return undefined
    this.report(true)
    const drawn = scenarioCase(cluster, seed, folder)
    if (wallMs() - this.begunMs < shrinkMs) return shrinkScenario(drawn, shrinkMs)
    const steps = drawn.plan.length + drawn.steps.length
    return { case: drawn, ...first, fromSteps: steps, toSteps: steps, runs: 0 }
  }

  private readonly breathe = (): Promise<void> => {
    this.report(false)
    return new Promise((resume) => void setImmediate(resume))
  }

  private report(shrinking: boolean): void {
    const nowMs = wallMs()
    if (!shrinking && nowMs - this.reportedMs < REPORT_MS) return
    const { cluster } = this.command
    const { kernel } = this.world
    const { residentBytes } = memoryBytes()
    this.residentMaxBytes = Math.max(this.residentMaxBytes, residentBytes)
    const since = nowMs - (this.reportedMs === 0 ? this.begunMs : this.reportedMs)
    const speed = since > 0 ? (kernel.nowMs - this.reportedVirtualMs) / since : 0
    this.reportedMs = nowMs
    this.reportedVirtualMs = kernel.nowMs
    this.say({
      type: "progress",
      virtualMs: Math.min(kernel.nowMs, cluster.duration),
      durationMs: cluster.duration,
      wallMs: nowMs - this.begunMs,
      speed,
      zones: this.measures.state.zonesNow(),
      pods: this.measures.state.podsNow(),
      residentBytes,
      violations: this.world.violations.count,
      marks: plannedMarks(cluster)
        .filter(({ atMs }) => atMs <= kernel.nowMs)
        .slice(-MARKS_SHOWN),
      shrinking
    })
  }

  /** Counts that another run of the same seed must repeat exactly. */
  private counters(): Readonly<Record<string, number>> {
    const { population, upgrades } = this.world
    const { bindings, nodes, player, pods } = population
    const upgraded = upgrades.reduce((sum, { stats }) => sum + stats.upgraded, 0)
    const evicted = upgrades.reduce((sum, { stats }) => sum + stats.evicted, 0)
    return {
      "user steps": player.stats.steps,
      "user steps that failed": player.stats.failures,
      "nodes registered": nodes.stats.registered,
      "node heartbeats": nodes.stats.heartbeats,
      "lease renewals": nodes.renewals.stats.renewed,
      "pods bound": bindings.stats.bound,
      "scheduling attempts": bindings.stats.attempts,
      "pods unschedulable": bindings.stats.unschedulable,
      preemptions: bindings.stats.preemptions,
      "pod stages": pods.stats.stagesDone,
      ...(upgrades.length === 0 ? {} : { "nodes upgraded": upgraded, "pods evicted": evicted })
    }
  }
}

/** A cluster's fields for one point of the cost curve: so many nodes and the pods they carry, in a steady state. */
export const costCluster = (cluster: Cluster, nodes: number, durationMs: number): Cluster => ({
  ...cluster,
  duration: durationMs,
  nodeGroups: [{ name: "node", count: nodes }],
  zones: cluster.zones.slice(0, nodes),
  machineTypes: {},
  workloads: [],
  namespaces: [],
  actions: [],
  churn: [],
  requests: [],
  watchers: [],
  faults: [],
  checkers: [],
  controllers: "none",
  calibration: NO_CALIBRATION
})

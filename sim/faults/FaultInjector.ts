// Lets a plan happen: each step begins and ends at its time, on the parts of the world that it names.
// Owns the timetable and what overlapping steps do together (a part is well when none of them holds it); refuses to own the parts.
import type { Kernel } from "../time/Kernel.ts"
import type { SimProcess } from "../time/SimProcess.ts"
import type { FaultPlan, FaultStep } from "./FaultPlan.ts"
import type { Network } from "./Network.ts"
import type { SimDisk } from "./SimDisk.ts"

/** A process that faults can end and begin again. */
export interface FaultyServer {
  readonly process: SimProcess
  readonly disk?: SimDisk
  readonly start: () => void
  readonly crash: () => void
  /** Stops it in its tracks and lets it go on, where that is more than its place in the kernel. */
  readonly setPaused?: (paused: boolean) => void
  /** Compacts history to this many revisions before the newest. */
  readonly compact?: (keep: number) => void
  /** Hands leadership to another, where members take turns. */
  readonly handOver?: () => void
}

/** The simulated machines, where the world has some. */
export interface FaultyNodes {
  /** Kills nodes of a zone, or this many anywhere; answers which, to be revived. */
  readonly kill: (zone: string, count: number) => ReadonlyArray<number>
  readonly revive: (nodes: ReadonlyArray<number>) => void
  readonly setZoneCut: (zone: string, cut: boolean) => void
}

export interface FaultTargets {
  readonly servers: ReadonlyMap<string, FaultyServer>
  readonly clients: ReadonlyMap<string, SimProcess>
  readonly nodes?: FaultyNodes
  /** Requests per second that one client adds; 0 ends it. */
  readonly setNoise?: (perSecond: number) => void
  /** How likely a commit to a shared engine loses its request or its answer; 0 ends it. */
  readonly setCommitLoss?: (rate: number) => void
}

/** What faults do to ways between processes. */
export type FaultyNetwork = Pick<Network, "setBlocked" | "setProfile">

export class FaultInjector {
  private readonly kernel: Kernel
  private readonly network: FaultyNetwork
  private readonly targets: FaultTargets
  private readonly process: SimProcess
  /** How many steps hold each part at the moment. */
  private readonly holds = new Map<string, number>()

  constructor(kernel: Kernel, network: FaultyNetwork, targets: FaultTargets) {
    this.kernel = kernel
    this.network = network
    this.targets = targets
    this.process = kernel.process("faults")
  }

  /** Puts every step of a plan on the timetable. Steps on parts that the world lacks do nothing. */
  schedule(plan: FaultPlan): void {
    for (const [at, step] of plan.entries()) {
      this.kernel.closureAt(step.atMs, this.process, () => {
        this.process.note(10, at)
        const end = this.begin(step)
        if (end !== undefined && "forMs" in step) this.kernel.closureAt(step.atMs + step.forMs, this.process, end)
      })
    }
  }

  private begin(step: FaultStep): (() => void) | undefined {
    switch (step.kind) {
      case "partition":
      case "one-way":
      case "bad-link":
        return this.beginLink(step)
      case "nodes-die": {
        const { nodes } = this.targets
        const dead = nodes?.kill(step.zone, step.count) ?? []
        return () => nodes?.revive(dead)
      }
      case "zone-cut":
        return this.held(`zone ${step.zone}`, (cut) => this.targets.nodes?.setZoneCut(step.zone, cut))
      case "noisy-tenant":
        return this.held("noise", (on) => this.targets.setNoise?.(on ? step.perSecond : 0))
      case "commits-lost":
        return this.held("commits", (on) => this.targets.setCommitLoss?.(on ? step.rate : 0))
      case "slow-watcher":
        return this.slowLinks(step.target, step.byMs)
      default:
        return this.beginServer(step)
    }
  }

  private beginServer(
    step: Extract<FaultStep, { target: string }> | Extract<FaultStep, { kind: "compact" }>
  ): (() => void) | undefined {
    const server = this.targets.servers.get(step.target)
    if (server === undefined) return undefined
    const { disk, process } = server
    const name = `${step.kind} ${step.target}`
    switch (step.kind) {
      case "crash":
        return this.held(name, (down) => (down ? server.crash() : server.start()))
      case "pause":
        return this.held(name, (paused) => {
          if (server.setPaused !== undefined) server.setPaused(paused)
          else if (paused) process.pause()
          else process.resume()
        })
      case "disk-stall":
        if (disk !== undefined) disk.stalledUntilMs = Math.max(disk.stalledUntilMs, this.kernel.nowMs + step.forMs)
        return undefined
      case "disk-full":
        return disk && this.held(name, (on) => void (disk.full = on))
      case "disk-fails":
        return disk && this.held(name, (on) => void (disk.failing = on))
      case "disk-lies":
        return (
          disk &&
          this.held(name, (on) => {
            disk.lying = on
            if (!on) disk.sync()
          })
        )
      case "skew":
        process.skewMs += step.byMs
        return () => void (process.skewMs -= step.byMs)
      case "compact":
        server.compact?.(step.keep)
        return undefined
      case "hand-over":
        server.handOver?.()
        return undefined
      default:
        return undefined
    }
  }

  private beginLink(step: Extract<FaultStep, { kind: "partition" | "one-way" | "bad-link" }>): () => void {
    const side = this.resolve(step.side, step.other)
    const other = this.resolve(step.other, step.side)
    if (step.kind !== "bad-link") {
      const ways =
        step.kind === "one-way"
          ? [[side, other]]
          : [
              [side, other],
              [other, side]
            ]
      const ends = ways.flatMap(([from, to]) =>
        from.flatMap((a) =>
          to.map((b) => this.held(`link ${a.name} ${b.name}`, (cut) => this.network.setBlocked(a, b, cut)))
        )
      )
      return () => ends.forEach((end) => end())
    }
    const { lossRate, medianMs, resetRate } = step
    const profile = { latency: { kind: "log-normal" as const, medianMs, sigma: 0.5 }, lossRate, resetRate }
    const set = (on: boolean): void => {
      for (const a of side) {
        for (const b of other) {
          this.network.setProfile(a, b, on ? profile : undefined)
          this.network.setProfile(b, a, on ? profile : undefined)
        }
      }
    }
    return this.held(`bad ${step.side.join()} ${step.other.join()}`, set)
  }

  private slowLinks(target: string, byMs: number): (() => void) | undefined {
    const client = this.targets.clients.get(target)
    if (client === undefined) return undefined
    const profile = { latency: { kind: "constant" as const, ms: byMs }, lossRate: 0, resetRate: 0 }
    return this.held(`slow ${target}`, (on) => {
      for (const { process } of this.targets.servers.values())
        this.network.setProfile(process, client, on ? profile : undefined)
    })
  }

  /** Sets a state that ends only when every step that set it has ended. */
  private held(name: string, set: (on: boolean) => void): () => void {
    const before = this.holds.get(name) ?? 0
    this.holds.set(name, before + 1)
    if (before === 0) set(true)
    return () => {
      const left = (this.holds.get(name) ?? 1) - 1
      this.holds.set(name, left)
      if (left === 0) set(false)
    }
  }

  private resolve(names: ReadonlyArray<string>, others: ReadonlyArray<string>): ReadonlyArray<SimProcess> {
    const { clients, servers } = this.targets
    const all = new Map([...clients, ...Array.from(servers, ([name, { process }]) => [name, process] as const)])
    if (names.includes("*"))
      return Array.from(all).flatMap(([name, process]) => (others.includes(name) ? [] : [process]))
    return names.flatMap((name) => all.get(name) ?? [])
  }
}

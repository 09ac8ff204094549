// Who gives waiting pods their nodes: a whole scheduler, or the plain one-pass binder where its cost would only be in the way.
// Owns the choice between the two and the counts that both keep; refuses how either decides.
import type { Client, Clockwork } from "#kube"
import { Scheduler } from "#scheduling"
import type { SimProcess } from "../time/SimProcess.ts"
import type { NodeChooser } from "./NodeChooser.ts"
import { OnePassChooser } from "./OnePassChooser.ts"
import { PodBindings } from "./PodBindings.ts"

/** Pods bound, attempts, those that found no node, those that sent other pods away, and calls that failed. */
export interface PlacerStats {
  readonly bound: number
  readonly attempts: number
  readonly unschedulable: number
  readonly preemptions: number
  readonly failures: number
}

export interface PodPlacer {
  readonly start: () => void
  readonly stop: () => void
  readonly stats: PlacerStats
}

/** Makes a placer in a process of the simulated cluster. */
export type MakePlacer = (process: SimProcess, client: Client) => PodPlacer

/** Time between two turns of a scheduler in virtual time, each of up to 32 attempts: some 6,000 attempts a second. */
const TURN_MS = 5

/** kube-scheduler's default profile, preemption and all, as fast as it can. */
export const kubeScheduler: MakePlacer = (process, client) => placerOf(client, process.clockwork)

/**
 * The same at the pace of a real one, for virtual time. Deciding takes none of it otherwise, and pods that wait for others to go
 * would be attempted anew at every single event.
 */
export const pacedKubeScheduler: MakePlacer = (process, client) =>
  placerOf(client, { ...process.clockwork, defer: (turn) => void process.clockwork.after(TURN_MS, turn) })

/** How long a measured scheduler takes: from hearing of a pod to its attempt, and for each attempt. */
export interface SchedulerTimes {
  readonly turnMs: number
  readonly attemptMs: number
}

/** The same at a measured pace: a turn waits until the attempts of the one before are paid for. */
export const timedKubeScheduler =
  ({ attemptMs, turnMs }: SchedulerTimes): MakePlacer =>
  (process, client) => {
    const { clockwork } = process
    let [paid, busyUntilMs] = [0, 0]
    const defer = (turn: () => void): void => {
      const nowMs = clockwork.monotonic()
      const { attempts } = placer.stats
      busyUntilMs = Math.max(busyUntilMs, nowMs) + (attempts - paid) * attemptMs
      paid = attempts
      clockwork.after(Math.max(turnMs, busyUntilMs - nowMs), turn)
    }
    const placer = placerOf(client, { ...clockwork, defer })
    return placer
  }

const placerOf = (client: Client, clockwork: Clockwork): PodPlacer => {
  const scheduler = new Scheduler({ client, clockwork, instance: "default-scheduler" })
  return {
    start: () => scheduler.start(),
    stop: () => scheduler.stop(),
    get stats() {
      const { attempts, bound, errors, preemptions, unschedulable } = scheduler.stats
      return { bound, attempts, unschedulable, preemptions, failures: errors }
    }
  }
}

/** The plain binder, at most so many pods in a second of the cluster's time. */
export const onePassBinder =
  (perSecond?: number, chooser: () => NodeChooser = () => new OnePassChooser()): MakePlacer =>
  (process, client) =>
    new PodBindings({ process, client, chooser: chooser(), ...(perSecond === undefined ? {} : { perSecond }) })

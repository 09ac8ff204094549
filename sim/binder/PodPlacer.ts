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

/** kube-scheduler's default profile, preemption and all, as fast as it can. */
export const kubeScheduler: MakePlacer = (process, client) => placerOf(client, process.clockwork)

/** How long a scheduler takes in virtual time, in which deciding itself takes none. */
export interface SchedulerTimes {
  /** From hearing of pods to a turn, which is up to 32 attempts. */
  readonly turnMs: number
  readonly attemptMs: number
  /** Beyond that, for an attempt that looked at every node and found none. */
  readonly missMs: number
}

/**
 * The same at the pace of a real one: a turn waits until the attempts of the one before are paid for. Pods that wait for others to go
 * would be attempted anew at every single event otherwise.
 */
export const timedKubeScheduler =
  ({ attemptMs, missMs, turnMs }: SchedulerTimes): MakePlacer =>
  (process, client) => {
    const { clockwork } = process
    let [paid, missed, busyUntilMs] = [0, 0, 0]
    const defer = (turn: () => void): void => {
      const nowMs = clockwork.monotonic()
      const { attempts, unschedulable } = placer.stats
      const dueMs = (attempts - paid) * attemptMs + (unschedulable - missed) * missMs
      busyUntilMs = Math.max(busyUntilMs, nowMs) + dueMs
      ;[paid, missed] = [attempts, unschedulable]
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

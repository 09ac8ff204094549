// Who gives waiting pods their nodes: a whole scheduler, or the plain one-pass binder where its cost would only be in the way.
// Owns the choice between the two and the counts that both keep; refuses how either decides.
import type { Client } from "#kube"
import { Scheduler } from "#scheduling"
import type { SimProcess } from "../time/SimProcess.ts"
import type { NodeChooser } from "./NodeChooser.ts"
import { OnePassChooser } from "./OnePassChooser.ts"
import { PodBindings } from "./PodBindings.ts"

export interface PodPlacer {
  readonly start: () => void
  readonly stop: () => void
  /** Pods bound, attempts that found no node, and calls that failed. */
  readonly stats: { readonly bound: number; readonly unschedulable: number; readonly failures: number }
}

/** Makes a placer in a process of the simulated cluster. */
export type MakePlacer = (process: SimProcess, client: Client) => PodPlacer

/** kube-scheduler's default profile, preemption and all. */
export const kubeScheduler: MakePlacer = (process, client) => {
  const scheduler = new Scheduler({ client, clockwork: process.clockwork, instance: "default-scheduler" })
  return {
    start: () => scheduler.start(),
    stop: () => scheduler.stop(),
    get stats() {
      const { bound, errors, unschedulable } = scheduler.stats
      return { bound, unschedulable, failures: errors }
    }
  }
}

/** The plain binder, at most so many pods in a second of the cluster's time. */
export const onePassBinder =
  (perSecond?: number, chooser: () => NodeChooser = () => new OnePassChooser()): MakePlacer =>
  (process, client) =>
    new PodBindings({ process, client, chooser: chooser(), ...(perSecond === undefined ? {} : { perSecond }) })

// What a scheduler of ours measures of itself during a workload: how long pods waited, what its attempts came to, memory.
// Owns the figures' names, which are kube-scheduler's where it has them; refuses to start anything.
import { monitorEventLoopDelay } from "node:perf_hooks"
import type { SchedulerStats } from "#scheduling"
import { buckets, type DataItem } from "./DataItems.ts"
import type { PerfProbe } from "./PerfExecutor.ts"

const MIB = 2 ** 20

const item = (metric: string, unit: string, data: Readonly<Record<string, number>>): DataItem => ({
  data,
  unit,
  labels: { Metric: metric }
})

/** A probe, and what hears of each bound pod. */
export const schedulerProbe = (stats: () => SchedulerStats) => {
  let waits: Array<number> = []
  let before = stats()
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  const probe: PerfProbe = {
    reset: () => {
      waits = []
      before = stats()
      delays.reset()
    },
    collect: () => {
      const now = stats()
      const attempts = (name: "attempts" | "bound" | "unschedulable" | "errors" | "preemptions"): number =>
        now[name] - before[name]
      return [
        ...(waits.length === 0 ? [] : [item("scheduler_pod_scheduling_duration_seconds", "ms", buckets(waits))]),
        item("scheduler_schedule_attempts_total", "attempts", {
          All: attempts("attempts"),
          scheduled: attempts("bound"),
          unschedulable: attempts("unschedulable"),
          error: attempts("errors"),
          preemptions: attempts("preemptions")
        }),
        item("event_loop_delay", "ms", { Perc99: delays.percentile(99) / 1e6, Max: delays.max / 1e6 }),
        item("resident_memory", "MiB", { Now: process.memoryUsage.rss() / MIB })
      ]
    }
  }
  return { probe, onBound: (waitedMs: number): void => void waits.push(waitedMs) }
}

// Pods placed per second, sampled each second as scheduler_perf does it, and the time that all of them took.
// Owns the sampling rule: the first sample is dropped, a second without a pod is counted into the next one. Refuses to place anything.
// Source: kubernetes test/integration/scheduler_perf, throughputCollector and schedulingDurationCollector.
import { Clock, Effect, Fiber } from "effect"
import type { KubeObject } from "#kube"
import { buckets, type DataItem } from "./DataItems.ts"
import { hasLabels, type PodProgress } from "./PodProgress.ts"

export interface ThroughputOptions {
  readonly progress: PodProgress
  /** As in results: "SchedulingBasic/5000Nodes_10000Pods/namespace-2". */
  readonly name: string
  readonly namespaces: ReadonlyArray<string>
  readonly labels: Readonly<Record<string, string>>
}

/** A collection under way. */
export interface ThroughputCollection {
  /** Ends it: the throughput, the rate over the whole time and the time itself. */
  readonly stop: Effect.Effect<ReadonlyArray<DataItem>>
}

const SAMPLE_MS = 1000

/** Samples of pods per second from counts that are taken each second. */
export class ThroughputSamples {
  readonly rates: Array<number> = []
  private started = false
  private lastCount = 0
  private lastMs = 0
  private skipped = 0

  /** One look at how many pods were placed so far. */
  take(count: number, nowMs: number): void {
    if (count === 0) return
    if (!this.started) {
      this.started = true
      this.lastCount = count
      this.lastMs = nowMs
      return
    }
    if (count === this.lastCount) {
      this.skipped++
      return
    }
    const rate = ((count - this.lastCount) * 1000) / (nowMs - this.lastMs)
    for (let index = 0; index <= this.skipped; index++) this.rates.push(rate)
    this.skipped = 0
    this.lastCount = count
    this.lastMs = nowMs
  }
}

/** Begins to collect. */
export const collectThroughput = Effect.fnUntraced(function* (options: ThroughputOptions) {
  const { labels, name, namespaces, progress } = options
  const samples = new ThroughputSamples()
  const watched = new Set(namespaces)
  let placed = 0
  let lastMs = 0
  const clock = yield* Clock.Clock
  const onScheduled = (pod: KubeObject): void => {
    if (!watched.has(pod.metadata.namespace ?? "") || !hasLabels(pod, labels)) return
    placed++
    lastMs = clock.currentTimeMillisUnsafe()
  }
  progress.onScheduled.add(onScheduled)
  const startMs = clock.currentTimeMillisUnsafe()
  const sampling = yield* Effect.sleep(SAMPLE_MS).pipe(
    Effect.andThen(Effect.sync(() => samples.take(placed, clock.currentTimeMillisUnsafe()))),
    Effect.forever,
    Effect.forkScoped
  )
  const stop = Effect.gen(function* () {
    yield* Fiber.interrupt(sampling)
    progress.onScheduled.delete(onScheduled)
    const seconds = (clock.currentTimeMillisUnsafe() - startMs) / 1000
    const busySeconds = Math.max(0.001, (lastMs - startMs) / 1000)
    const item = (metric: string, unit: string, data: Readonly<Record<string, number>>): DataItem => ({
      data,
      unit,
      labels: { Name: name, Metric: metric }
    })
    return [
      ...(samples.rates.length === 0 ? [] : [item("SchedulingThroughput", "pods/s", buckets(samples.rates))]),
      item("OverallThroughput", "pods/s", { Average: placed / busySeconds, Pods: placed }),
      item("SchedulingDuration", "s", { Duration: seconds })
    ]
  })
  const collection: ThroughputCollection = { stop }
  return collection
})

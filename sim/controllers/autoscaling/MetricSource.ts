// Where an autoscaler learns what is used: the four questions that it asks, whoever answers them.
// Owns the port and how a question fails; the answers are ServedMetrics.ts's and AnnotatedMetrics.ts's.
import type { Effect } from "effect"
import type { KubeObject, LabelSelector } from "#kube"
import type { Fields } from "../Parts.ts"

/** What one pod uses: thousandths of the unit. */
export interface PodMetric {
  readonly value: number
  /** When it was measured, and over how long a time. */
  readonly atMs: number
  readonly windowMs: number
}

export type PodMetrics = ReadonlyMap<string, PodMetric>

/** Why a metric cannot be had, in upstream's words. */
export class MetricProblem {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
  /** The same, said of something larger. */
  within(prefix: string): MetricProblem {
    return new MetricProblem(`${prefix}: ${this.message}`)
  }
}

export type Measured<A> = Effect.Effect<A, MetricProblem>

/** Which pods are asked about. */
export interface PodQuery {
  readonly namespace: string
  readonly selector: LabelSelector
  /** The pods that the asker's informer shows of these. */
  readonly pods: ReadonlyArray<KubeObject>
}

export interface MetricSource {
  /** What pods use of a resource; of one container where one is named. */
  readonly resource: (query: PodQuery, resource: string, container: string) => Measured<PodMetrics>
  /** A metric of pods. `labels` is the metric's own LabelSelector, if it has one. */
  readonly pods: (query: PodQuery, metric: string, labels: Fields | undefined) => Measured<PodMetrics>
  /** A metric of one object, in thousandths. */
  readonly object: (
    namespace: string,
    reference: Fields,
    metric: string,
    labels: Fields | undefined
  ) => Measured<number>
  /** The values of a metric of something outside the cluster, in thousandths. */
  readonly external: (namespace: string, metric: string, labels: Fields | undefined) => Measured<ReadonlyArray<number>>
}

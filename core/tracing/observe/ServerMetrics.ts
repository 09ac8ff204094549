// What the tracing server counts of itself: what came, what was taken, what was not and why, and how late it was.
// Owns the metrics' names and the sources of gauges; refuses requests' own metrics, which configuration defines (RequestMetrics.ts).
import type { StoreStats } from "../store/SpanStore.ts"
import { Metric, type MetricShape, secondBounds } from "./Metrics.ts"

const counter = (name: string, help: string, labels: ReadonlyArray<string>): MetricShape => ({
  name: `kelemetry_${name}`,
  help,
  labels,
  kind: "counter"
})

export class ServerMetrics {
  readonly batches = new Metric(
    counter("audit_webhook_batches_total", "Batches by cluster and answer.", ["cluster", "code"])
  )
  readonly events = new Metric(counter("audit_events_total", "Audit events that came.", ["cluster", "source"]))
  readonly dropped = new Metric(
    counter("audit_events_dropped_total", "Audit events that became no span, by the reason.", ["cluster", "reason"])
  )
  readonly watched = new Metric(counter("watch_events_total", "Events of watches.", ["cluster", "resource"]))
  readonly facts = new Metric(counter("facts_total", "Facts by what became of them.", ["outcome"]))
  readonly lag = new Metric({
    name: "kelemetry_ingest_lag_seconds",
    help: "From a request's end to its span being durable and visible.",
    labels: ["cluster"],
    kind: "histogram",
    bounds: secondBounds
  })
  private readonly gauges: ReadonlyArray<readonly [Metric, (stats: StoreStats) => number]> = [
    [gauge("store_facts", "Facts in the store."), ({ facts }) => facts],
    [gauge("store_bytes", "Bytes of facts and their index."), ({ bytes }) => bytes],
    [gauge("store_waiting_facts", "Facts that wait to become durable."), ({ waiting }) => waiting],
    [gauge("store_expired_facts", "Facts dropped for age or size since the start."), ({ expired }) => expired]
  ]

  text(stats: StoreStats): string {
    for (const [metric, read] of this.gauges) metric.set([], read(stats))
    const counted = [this.batches, this.events, this.dropped, this.watched, this.facts, this.lag]
    return [...counted, ...this.gauges.map(([metric]) => metric)].map((metric) => metric.text()).join("")
  }
}

const gauge = (name: string, help: string): Metric =>
  new Metric({ name: `kelemetry_${name}`, help, labels: [], kind: "gauge" })

// Metrics as Prometheus reads them: a name, a type, a line of help, samples.
// Owns the text format; knows no metric by name. Source: Prometheus' exposition format 0.0.4.
import { durationBounds, type Histogram } from "../mvcc/Histogram.ts"

/** One metric with its samples; labels are written as given, a suffix comes before them. */
export interface Family {
  readonly name: string
  readonly kind: "counter" | "gauge" | "histogram"
  readonly help: string
  readonly samples: ReadonlyArray<readonly [suffixAndLabels: string, value: number]>
}

export const gauge = (name: string, help: string, value: number, labels = ""): Family => ({
  name,
  kind: "gauge",
  help,
  samples: [[labels, value]]
})

export const counter = (name: string, help: string, value: number, labels = ""): Family => ({
  ...gauge(name, help, value, labels),
  kind: "counter"
})

export const histogram = (name: string, help: string, { counts, sum }: Histogram): Family => {
  let below = 0
  const buckets = [...counts].map((count, at) => {
    below += count
    return [`_bucket{le="${durationBounds[at] ?? "+Inf"}"}`, below] as const
  })
  return { name, kind: "histogram", help, samples: [...buckets, ["_sum", sum], ["_count", below]] }
}

/** A page of metrics. */
export const renderFamilies = (families: ReadonlyArray<Family>): string =>
  families
    .map(
      ({ help, kind, name, samples }) =>
        `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${samples.map(([labels, value]) => `${name}${labels} ${value}\n`).join("")}`
    )
    .join("")

// Metrics with labels, whose number is bounded: beyond the bound every further set of values is counted under `other`.
// Owns counting, histograms and Prometheus' text format 0.0.4; knows no metric by name.

/** A number that goes up, or up and down. */
export class Count {
  value = 0
}

/** Upper bounds in seconds, from a tenth of a millisecond: what a proxy adds is far below the first bucket of the original (50 ms). */
export const durationBounds: ReadonlyArray<number> = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60
]
/** Upper bounds in bytes. */
export const sizeBounds: ReadonlyArray<number> = [1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]

export class Histogram {
  readonly bounds: ReadonlyArray<number>
  readonly counts: Float64Array
  sum = 0

  constructor(bounds: ReadonlyArray<number>) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    const { bounds, counts } = this
    let at = 0
    while (at < bounds.length && value > bounds[at]) at++
    counts[at]++
    this.sum += value
  }
}

export type MetricKind = "counter" | "gauge" | "histogram"

/** What a metric is, for its page and for the table of all of them. */
export interface MetricDefinition {
  readonly name: string
  readonly kind: MetricKind
  readonly help: string
  readonly labels: ReadonlyArray<string>
  /** Of histograms. */
  readonly bounds?: ReadonlyArray<number>
}

/** Label sets of one metric; further ones are counted as `other`. */
export const SERIES_MAX = 5000
export const OTHER = "other"

const escaped = (value: string): string =>
  /[\\"\n]/.test(value)
    ? value.replaceAll(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`))
    : value

const labelText = (names: ReadonlyArray<string>, values: ReadonlyArray<string>): string =>
  names.map((name, at) => `${name}="${escaped(values[at] ?? "")}"`).join(",")

const braced = (text: string): string => (text === "" ? "" : `{${text}}`)

/** One metric with all its label sets. */
export class Family<A extends Count | Histogram> {
  readonly definition: MetricDefinition
  private readonly make: () => A
  private readonly max: number
  private readonly series = new Map<string, { readonly labels: string; readonly value: A }>()

  constructor(definition: MetricDefinition, make: () => A, max = SERIES_MAX) {
    this.definition = definition
    this.make = make
    this.max = max
  }

  get size(): number {
    return this.series.size
  }

  /** The series of these label values, in the order of the definition; that of `other` when there are too many. */
  of(...values: ReadonlyArray<string>): A {
    const key = values.join("\u0000")
    const known = this.series.get(key)
    if (known !== undefined) return known.value
    const { labels } = this.definition
    if (this.series.size >= this.max && values.some((value) => value !== OTHER))
      return this.of(...labels.map(() => OTHER))
    const value = this.make()
    this.series.set(key, { labels: labelText(labels, values), value })
    return value
  }

  /** Forgets the series of which a label has this value: a cluster or an endpoint that is gone. */
  forget(label: string, value: string): void {
    const at = this.definition.labels.indexOf(label)
    for (const key of this.series.keys()) if (key.split("\u0000")[at] === value) this.series.delete(key)
  }

  /** Its lines; none while it has no series. */
  text(): string {
    if (this.series.size === 0) return ""
    const { help, kind, name } = this.definition
    const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`]
    for (const { labels, value } of this.series.values()) {
      if (value instanceof Histogram) histogramLines(lines, name, labels, value)
      else lines.push(`${name}${braced(labels)} ${value.value}`)
    }
    return `${lines.join("\n")}\n`
  }
}

const histogramLines = (lines: Array<string>, name: string, labels: string, histogram: Histogram): void => {
  const { bounds, counts, sum } = histogram
  const before = labels === "" ? "" : `${labels},`
  let below = 0
  for (const [at, count] of counts.entries()) {
    below += count
    lines.push(`${name}_bucket{${before}le="${at < bounds.length ? bounds[at] : "+Inf"}"} ${below}`)
  }
  lines.push(`${name}_sum${braced(labels)} ${sum}`, `${name}_count${braced(labels)} ${below}`)
}

/** A family of counters or gauges. */
export const counts = (definition: MetricDefinition, max?: number): Family<Count> =>
  new Family(definition, () => new Count(), max)

/** A family of histograms with the definition's bounds. */
export const histograms = (definition: MetricDefinition, max?: number): Family<Histogram> =>
  new Family(definition, () => new Histogram(definition.bounds ?? durationBounds), max)

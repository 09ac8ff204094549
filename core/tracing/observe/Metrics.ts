// Counters, gauges and histograms with bounded labels, and their text for Prometheus.
// Owns counting and the bound: further sets of labels are counted under "other". Knows no metric by name.

/** Upper bounds in seconds: what an audit event may wait on its way, and how long a request may take. */
export const secondBounds: ReadonlyArray<number> = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300
]
/** Upper bounds of a ratio to a limit. */
export const ratioBounds: ReadonlyArray<number> = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1, 2]
/** Sets of labels of one metric. */
export const SERIES_MAX = 2000

export interface MetricShape {
  readonly name: string
  readonly help: string
  readonly labels: ReadonlyArray<string>
  readonly kind: "counter" | "gauge" | "histogram"
  readonly bounds?: ReadonlyArray<number>
}

interface Series {
  readonly labels: ReadonlyArray<string>
  value: number
  readonly counts: Float64Array
}

export class Metric {
  readonly shape: MetricShape
  private readonly bounds: ReadonlyArray<number>
  private readonly max: number
  private readonly series = new Map<string, Series>()

  constructor(shape: MetricShape, max = SERIES_MAX) {
    this.shape = shape
    this.bounds = shape.bounds ?? []
    this.max = max
  }

  add(labels: ReadonlyArray<string>, amount = 1): void {
    this.of(labels).value += amount
  }

  set(labels: ReadonlyArray<string>, value: number): void {
    this.of(labels).value = value
  }

  observe(labels: ReadonlyArray<string>, value: number): void {
    const series = this.of(labels)
    series.value += value
    let at = 0
    while (at < this.bounds.length && value > this.bounds[at]) at++
    series.counts[at]++
  }

  private of(labels: ReadonlyArray<string>): Series {
    const key = labels.join("\n")
    const known = this.series.get(key)
    if (known !== undefined) return known
    if (this.series.size >= this.max && labels.some((label) => label !== "other"))
      return this.of(labels.map(() => "other"))
    const series = {
      labels,
      value: 0,
      counts: new Float64Array(this.shape.kind === "histogram" ? this.bounds.length + 1 : 0)
    }
    this.series.set(key, series)
    return series
  }

  /** Its lines in text format 0.0.4; none while nothing was counted. */
  text(): string {
    const { help, kind, name } = this.shape
    if (this.series.size === 0) return ""
    const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`]
    for (const series of this.series.values()) {
      const labels = this.shape.labels.map((label, at) => `${label}="${escaped(series.labels[at] ?? "")}"`)
      if (kind === "histogram") this.histogramLines(series, labels, lines)
      else lines.push(`${name}${braced(labels)} ${series.value}`)
    }
    return `${lines.join("\n")}\n`
  }

  private histogramLines({ counts, value }: Series, labels: ReadonlyArray<string>, lines: Array<string>): void {
    const { name } = this.shape
    let below = 0
    for (const [at, count] of counts.entries()) {
      below += count
      lines.push(`${name}_bucket${braced([...labels, `le="${this.bounds[at] ?? "+Inf"}"`])} ${below}`)
    }
    lines.push(`${name}_sum${braced(labels)} ${value}`, `${name}_count${braced(labels)} ${below}`)
  }
}

const braced = (labels: ReadonlyArray<string>): string => (labels.length === 0 ? "" : `{${labels.join(",")}}`)

const escaped = (value: string): string =>
  value.replaceAll(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`))

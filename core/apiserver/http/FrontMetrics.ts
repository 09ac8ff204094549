// What the front counts, under the names and labels that kube-apiserver gives them, so that its dashboards and alerts work.
// Owns counters, histograms and their text; refuses to serve it.

const durationBuckets = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60
]
const sizeBuckets = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]
const eventBuckets = [1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072]

/** Requests with the same labels. */
export interface RequestSeries {
  readonly labels: Readonly<Record<string, string>>
  /** Requests by HTTP code. */
  readonly codes: Map<number, number>
  readonly duration: Histogram
  readonly size: Histogram
  active: number
}

class Histogram {
  readonly bounds: ReadonlyArray<number>
  readonly counts: Float64Array
  sum = 0
  count = 0

  constructor(bounds: ReadonlyArray<number>) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length)
  }

  observe(value: number): void {
    this.sum += value
    this.count++
    const at = this.bounds.findIndex((bound) => value <= bound)
    if (at >= 0) this.counts[at] = (this.counts[at] ?? 0) + 1
  }
}

/** Label sets that are kept; further ones are counted under the labels of "other". */
const SERIES_MAX = 10_000

export interface SeriesKey {
  readonly verb: string
  readonly dryRun: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  readonly scope: string
}

export class FrontMetrics {
  private readonly series = new Map<string, RequestSeries>()
  private readonly watches = new Map<string, { events: number; sizes: Histogram }>()
  private readonly terminations = new Map<string, number>()
  private readonly sources: Array<() => string> = []
  auditEvents = 0
  readonly inflight = { readOnly: 0, mutating: 0 }

  /** Adds families of somebody else to the page. */
  add(source: () => string): void {
    this.sources.push(source)
  }

  seriesOf(key: SeriesKey): RequestSeries {
    const { dryRun, group, resource, scope, subresource, verb, version } = key
    const id = `${verb} ${dryRun} ${group} ${version} ${resource} ${subresource} ${scope}`
    const known = this.series.get(id)
    if (known !== undefined) return known
    if (this.series.size >= SERIES_MAX) return this.seriesOf(otherKey)
    const labels = { component: "apiserver", dry_run: dryRun, group, resource, scope, subresource, verb, version }
    const made = {
      labels,
      codes: new Map<number, number>(),
      duration: new Histogram(durationBuckets),
      size: new Histogram(sizeBuckets),
      active: 0
    }
    this.series.set(id, made)
    return made
  }

  request(series: RequestSeries, code: number, seconds: number, bytes: number): void {
    series.codes.set(code, (series.codes.get(code) ?? 0) + 1)
    series.duration.observe(seconds)
    if (bytes > 0) series.size.observe(bytes)
  }

  /** `kind` is group, version and resource with spaces between. */
  watchEvent(kind: string, bytes: number): void {
    const known = this.watches.get(kind)
    if (known !== undefined) {
      known.events++
      known.sizes.observe(bytes)
      return
    }
    const made = { events: 1, sizes: new Histogram(eventBuckets) }
    made.sizes.observe(bytes)
    this.watches.set(kind, made)
  }

  /** A request that was broken off in self-defence, by its code. */
  terminated(code: number): void {
    const key = String(code)
    this.terminations.set(key, (this.terminations.get(key) ?? 0) + 1)
  }

  /** The page, in Prometheus' text format. */
  text(): string {
    const lines: Array<string> = []
    this.requestFamilies(lines)
    this.watchFamilies(lines)
    family(
      lines,
      "apiserver_current_inflight_requests",
      "gauge",
      "Requests in flight by kind, of those that are limited."
    )
    lines.push(`apiserver_current_inflight_requests{request_kind="mutating"} ${this.inflight.mutating}`)
    lines.push(`apiserver_current_inflight_requests{request_kind="readOnly"} ${this.inflight.readOnly}`)
    family(lines, "apiserver_request_terminations_total", "counter", "Requests broken off in self-defence.")
    for (const [code, count] of this.terminations) {
      lines.push(`apiserver_request_terminations_total{code="${code}",component="apiserver"} ${count}`)
    }
    family(lines, "apiserver_audit_event_total", "counter", "Audit events made and handed to the backends.")
    lines.push(`apiserver_audit_event_total ${this.auditEvents}`)
    return `${lines.join("\n")}\n${this.sources.map((source) => source()).join("")}`
  }

  private requestFamilies(lines: Array<string>): void {
    family(lines, "apiserver_request_total", "counter", "Requests by verb, resource, scope and HTTP code.")
    for (const { codes, labels } of this.series.values()) {
      const { subresource } = labels
      for (const [code, count] of codes) {
        lines.push(
          `apiserver_request_total${labelText({ code: String(code), ...labels, subresource: subresource ?? "" })} ${count}`
        )
      }
    }
    family(
      lines,
      "apiserver_request_duration_seconds",
      "histogram",
      "Time from a request's arrival to its answer's end."
    )
    for (const { duration, labels } of this.series.values()) {
      histogram(lines, "apiserver_request_duration_seconds", labels, duration)
    }
    family(lines, "apiserver_response_sizes", "histogram", "Bytes of answers.")
    for (const { labels, size } of this.series.values()) {
      if (size.count > 0) histogram(lines, "apiserver_response_sizes", labels, size)
    }
    family(lines, "apiserver_longrunning_requests", "gauge", "Open watches and streams.")
    for (const { active, labels } of this.series.values()) {
      if (active > 0) lines.push(`apiserver_longrunning_requests${labelText(labels)} ${active}`)
    }
  }

  private watchFamilies(lines: Array<string>): void {
    family(lines, "apiserver_watch_events_total", "counter", "Events sent to watchers.")
    for (const [kind, { events }] of this.watches) {
      lines.push(`apiserver_watch_events_total${labelText(watchLabels(kind))} ${events}`)
    }
    family(lines, "apiserver_watch_events_sizes", "histogram", "Bytes of events sent to watchers.")
    for (const [kind, { sizes }] of this.watches) {
      histogram(lines, "apiserver_watch_events_sizes", watchLabels(kind), sizes)
    }
  }
}

const otherKey: SeriesKey = {
  verb: "other",
  dryRun: "",
  group: "",
  version: "",
  resource: "",
  subresource: "",
  scope: ""
}

const watchLabels = (kind: string): Readonly<Record<string, string>> => {
  const [group = "", version = "", resource = ""] = kind.split(" ")
  return { group, version, resource }
}

const family = (lines: Array<string>, name: string, type: string, help: string): void => {
  lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
}

const labelText = (labels: Readonly<Record<string, string>>): string => {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return parts.length === 0 ? "" : `{${parts.join(",")}}`
}

const escaped = (value: string): string =>
  value.replaceAll(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`))

const histogram = (
  lines: Array<string>,
  name: string,
  labels: Readonly<Record<string, string>>,
  { bounds, count, counts, sum }: Histogram
): void => {
  let cumulative = 0
  for (const [at, bound] of bounds.entries()) {
    cumulative += counts[at] ?? 0
    lines.push(`${name}_bucket${labelText({ ...labels, le: String(bound) })} ${cumulative}`)
  }
  lines.push(`${name}_bucket${labelText({ ...labels, le: "+Inf" })} ${count}`)
  lines.push(`${name}_sum${labelText(labels)} ${sum}`, `${name}_count${labelText(labels)} ${count}`)
}

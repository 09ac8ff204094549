// What is counted of requests. The hot path is two or three looks into small maps and a few additions: series are found by cluster,
// endpoint, verb and resource once and then kept together.
// Owns which request counts where, and that nothing a client makes up becomes a series: unknown hosts are `other`, a resource or a verb
// is `other` until an endpoint has answered for it. Refuses to serve a page. Bounds: `SERIES_MAX` label sets of a metric.
import { isLongRunning } from "../policy/RequestFacts.ts"
import { type Count, counts, type Family, type Histogram, histograms, OTHER } from "./MetricFamily.ts"
import { gatewayMetrics } from "./MetricTable.ts"
import type { RequestRecord } from "./Observer.ts"

const STAGES = ["authentication", "admission", "dispatch", "upstream_head", "body", "handling_delay"] as const

/** Verbs that are counted by their name; a method that is none of HTTP's is not. */
const knownVerbs: ReadonlySet<string> = new Set(
  "get list watch create update patch delete deletecollection proxy post put head options connect".split(" ")
)
/** Resources of one cluster and endpoint that are told apart. */
const RESOURCES_MAX = 1000

/** All that is counted for one verb and resource of one endpoint. */
interface Series {
  readonly labels: readonly [serverName: string, endpoint: string, verb: string, resource: string]
  readonly received: Count
  readonly duration: Histogram
  readonly sizes: Histogram
  readonly stages: ReadonlyArray<Histogram>
  readonly watchers: Count
  readonly requests: Map<number, Map<string, Count>>
}

interface EndpointSeries {
  readonly verbs: Map<string, Map<string, Series>>
  size: number
}

export class RequestMetrics {
  readonly received = counts(gatewayMetrics.received)
  readonly requests = counts(gatewayMetrics.requests)
  readonly duration = histograms(gatewayMetrics.duration)
  readonly sizes = histograms(gatewayMetrics.sizes)
  readonly terminations = counts(gatewayMetrics.terminations)
  readonly watchers = counts(gatewayMetrics.watchers)
  readonly stages = histograms(gatewayMetrics.stages)
  readonly unhealthy = counts(gatewayMetrics.unhealthy)
  /** Long-running requests that are open. */
  lasting = 0
  /** Requests that have begun and ended. */
  begun = 0
  over = 0
  receivedBytes = 0
  sentBytes = 0
  private readonly clusters = new Map<string, Map<string, EndpointSeries>>()

  families(): ReadonlyArray<Family<Count> | Family<Histogram>> {
    const { duration, received, requests, sizes, stages, terminations, unhealthy, watchers } = this
    return [received, requests, duration, sizes, unhealthy, terminations, watchers, stages]
  }

  /** A long-running request has its answer's head. */
  opened(record: RequestRecord): void {
    const series = this.series(record, true)
    series.received.value++
    series.watchers.value++
    this.lasting++
  }

  /** A request is over; `open` tells whether `opened` was called for it. */
  ended(record: RequestRecord, open: boolean): void {
    this.over++
    this.receivedBytes += record.receivedBytes
    this.sentBytes += record.sentBytes
    const { code, facts, reason } = record
    const answered = reason === "" && record.endpoint !== ""
    // What an endpoint does not know of was made up by the client.
    const series = this.series(record, answered && code > 0 && code !== 404)
    if (open) {
      series.watchers.value--
      this.lasting--
    } else series.received.value++
    if (!answered) return this.terminated(record, series)
    this.counted(series, code, record.flowControl).value++
    if (facts === undefined || isLongRunning(facts.info)) return
    series.duration.observe((record.endedMs - record.arrivedMs) / 1000)
    series.sizes.observe(record.sentBytes)
    observeStages(record, series.stages)
  }

  /** Forgets a cluster that is gone. */
  forget(cluster: string): void {
    this.clusters.delete(cluster)
    for (const family of this.families()) family.forget("serverName", cluster)
  }

  private terminated({ code, flowControl, reason }: RequestRecord, series: Series): void {
    const [serverName, , verb, resource] = series.labels
    this.terminations.of(
      serverName,
      verb,
      String(code),
      reason === "" ? "client_gone" : reason,
      resource,
      flowLabel(flowControl)
    ).value++
  }

  private counted({ labels, requests }: Series, code: number, flowControl: string): Count {
    let flows = requests.get(code)
    if (flows === undefined) requests.set(code, (flows = new Map()))
    const known = flows.get(flowControl)
    if (known !== undefined) return known
    const made = this.requests.of(...labels, String(code), flowLabel(flowControl))
    flows.set(flowControl, made)
    return made
  }

  /** The series of a request; `served`: whether its verb and resource may become one of their own. */
  private series({ cluster, endpoint, facts }: RequestRecord, served: boolean): Series {
    const serverName = cluster === "" ? OTHER : cluster
    let endpoints = this.clusters.get(serverName)
    if (endpoints === undefined) this.clusters.set(serverName, (endpoints = new Map()))
    let known = endpoints.get(endpoint)
    if (known === undefined) endpoints.set(endpoint, (known = { verbs: new Map(), size: 0 }))
    const info = facts?.info
    const verb = info === undefined ? "" : info.verb
    const resource = info === undefined ? "" : info.resource
    const subresource = info === undefined ? "" : info.subresource
    const name = subresource === "" ? resource : `${resource}/${subresource}`
    const found = known.verbs.get(verb)?.get(name)
    if (found !== undefined) return found
    const mayMint = (served || (verb === "" && name === "")) && known.size < RESOURCES_MAX
    return mayMint
      ? this.minted(known, serverName, endpoint, verb, name)
      : this.minted(known, serverName, endpoint, knownVerbs.has(verb) ? verb : OTHER, OTHER)
  }

  private minted(known: EndpointSeries, serverName: string, endpoint: string, asked: string, resource: string): Series {
    const verb = asked === "" || knownVerbs.has(asked) ? asked : OTHER
    let resources = known.verbs.get(verb)
    if (resources === undefined) known.verbs.set(verb, (resources = new Map()))
    const found = resources.get(resource)
    if (found !== undefined) return found
    known.size++
    const made: Series = {
      labels: [serverName, endpoint, verb, resource],
      received: this.received.of(serverName, verb, resource),
      duration: this.duration.of(serverName, endpoint, verb, resource),
      sizes: this.sizes.of(serverName, endpoint, verb, resource),
      stages: STAGES.map((stage) => this.stages.of(serverName, verb, resource, stage)),
      watchers: this.watchers.of(serverName, endpoint, resource),
      requests: new Map()
    }
    resources.set(resource, made)
    return made
  }
}

const flowLabel = (flowControl: string): string => (flowControl === "" ? "system-default" : flowControl)

/** Stages that were not reached are left out. */
const observeStages = (record: RequestRecord, stages: ReadonlyArray<Histogram>): void => {
  const { admittedMs, arrivedMs, authenticatedMs, endedMs, headMs, sentMs } = record
  if (authenticatedMs > 0) stages[0]?.observe((authenticatedMs - arrivedMs) / 1000)
  if (admittedMs > 0) stages[1]?.observe((admittedMs - authenticatedMs) / 1000)
  if (sentMs === 0) return
  stages[2]?.observe((sentMs - admittedMs) / 1000)
  stages[5]?.observe((sentMs - arrivedMs) / 1000)
  if (headMs === 0) return
  stages[3]?.observe((headMs - sentMs) / 1000)
  stages[4]?.observe((endedMs - headMs) / 1000)
}

// What is counted of requests by who asked, in the original's names: off unless it is asked for, because each user is a series.
// Owns these series and how users are put together: nodes are one. Beyond the bound of a metric everything is counted under `other`.
import { isLongRunning } from "../policy/RequestFacts.ts"
import { type Count, counts, type Family, type Histogram, histograms } from "./MetricFamily.ts"
import { userMetrics } from "./MetricTable.ts"
import type { RequestRecord } from "./Observer.ts"

/** The groups whose users are counted together, as one of this name. */
const TOGETHER: ReadonlySet<string> = new Set(["system:nodes"])

const flowLabel = (flowControl: string): string => (flowControl === "" ? "system-default" : flowControl)

export class UserMetrics {
  private readonly requests = counts(userMetrics.requests)
  private readonly load = counts(userMetrics.load)
  private readonly duration = histograms(userMetrics.duration)
  private readonly bytes = counts(userMetrics.bytes)

  families(): ReadonlyArray<Family<Count> | Family<Histogram>> {
    return [this.requests, this.load, this.duration, this.bytes]
  }

  /** A request is over that an endpoint answered. */
  ended({ arrivedMs, cluster, code, endedMs, facts, flowControl, receivedBytes, sentBytes }: RequestRecord): void {
    if (facts === undefined) return
    const { info, user } = facts
    const resource = info.subresource === "" ? info.resource : `${info.resource}/${info.subresource}`
    const who = user.groups.find((group) => TOGETHER.has(group)) ?? user.name
    // What an endpoint does not know of was made up by the client.
    const asked = code === 404 ? "" : resource
    const flow = flowLabel(flowControl)
    this.requests.of(cluster, info.verb, asked, String(code), flow, who).value++
    this.bytes.of("request", cluster, info.verb, asked, flow, who).value += receivedBytes
    this.bytes.of("response", cluster, info.verb, asked, flow, who).value += sentBytes
    if (isLongRunning(info)) return
    const seconds = (endedMs - arrivedMs) / 1000
    this.load.of(cluster, info.verb, asked, String(code), flow, who).value += seconds
    this.duration.of(cluster, info.verb, asked, flow, who, "default").observe(seconds)
  }

  /** Forgets a cluster that is gone. */
  forget(cluster: string): void {
    for (const family of this.families()) family.forget("serverName", cluster)
  }
}

// What is told of limits: requests in flight and waiting, decisions, and leases.
// Owns their reading when somebody asks; nothing is counted here, the flows count themselves.
import type { LimiterClient } from "../global/LimiterClient.ts"
import type { Limits } from "../limits/Limits.ts"
import { counts } from "./MetricFamily.ts"
import { gatewayMetrics } from "./MetricTable.ts"

/** The lines of all flows at this moment. */
export const flowMetrics = (limits: Limits, client: LimiterClient | undefined): string => {
  const inFlight = counts(gatewayMetrics.flowInFlight)
  const waiting = counts(gatewayMetrics.flowWaiting)
  const decided = counts(gatewayMetrics.flowDecided)
  const lease = counts(gatewayMetrics.flowLease)
  const acquired = counts(gatewayMetrics.acquired)
  const said = counts(gatewayMetrics.limiterRequests)
  for (const { cluster, flow, name } of limits.flows()) {
    inFlight.of(cluster, name, "short").value = flow.counts.inFlight
    inFlight.of(cluster, name, "longrunning").value = flow.counts.longRunning
    waiting.of(cluster, name).value = flow.waiting
    decided.of(cluster, name, "admitted").value = flow.counts.admitted
    decided.of(cluster, name, "refused").value = flow.counts.refused
  }
  for (const managed of client?.managed() ?? []) {
    const { cluster, kind, name } = managed
    lease.of(cluster, name, kind).value = managed.leased ? managed.amount : 0
    const { fallback, leased } = managed.decided()
    acquired.of(cluster, kind, "lease", name).value = leased
    acquired.of(cluster, kind, "fallback", name).value = fallback
    said.of(cluster, "report", "sent", name).value = managed.reports
    said.of(cluster, "report", "answered", name).value = managed.answers
  }
  return [inFlight, waiting, decided, lease, acquired, said].map((family) => family.text()).join("")
}

// Every metric of the gateway and of its limiter, in one table: name, kind, labels, meaning. The names are the original's where it has them.
// Owns the definitions and their printing (`wharf gateway metrics`); refuses to count.
// Values of labels are bounded: serverName is a cluster's name or `other`, never what a client wrote; resource and verb become a series of
// their own only once an endpoint has served them; beyond the bound of a metric everything is counted under `other`.
import { durationBounds, type MetricDefinition, sizeBounds } from "./MetricFamily.ts"

const perRequest = ["serverName", "endpoint", "verb", "resource"] as const

/** Of the gateway's process. */
export const gatewayMetrics = {
  received: {
    name: "kubegateway_proxy_received_apiserver_request_total",
    kind: "counter",
    help: "Requests whose head was read.",
    labels: ["serverName", "verb", "resource"]
  },
  requests: {
    name: "kubegateway_proxy_apiserver_request_total",
    kind: "counter",
    help: "Requests that an endpoint answered.",
    labels: [...perRequest, "code", "flowcontrol"]
  },
  duration: {
    name: "kubegateway_proxy_apiserver_request_duration_seconds",
    kind: "histogram",
    help: "From a request's head to its answer's end; long-running requests are left out.",
    labels: perRequest,
    bounds: durationBounds
  },
  sizes: {
    name: "kubegateway_proxy_apiserver_response_sizes",
    kind: "histogram",
    help: "Bytes of answers' bodies; long-running requests are left out.",
    labels: perRequest,
    bounds: sizeBounds
  },
  unhealthy: {
    name: "kubegateway_proxy_upstream_unhealthy",
    kind: "counter",
    help: "How often an endpoint was found unfit for requests, with the reason.",
    labels: ["serverName", "endpoint", "reason"]
  },
  terminations: {
    name: "kubegateway_proxy_apiserver_request_terminations_total",
    kind: "counter",
    help: "Requests that the gateway itself ended, with the reason.",
    labels: ["serverName", "verb", "code", "reason", "resource", "flowcontrol"]
  },
  watchers: {
    name: "kubegateway_proxy_apiserver_registered_watchers",
    kind: "gauge",
    help: "Long-running requests that are open.",
    labels: ["serverName", "endpoint", "resource"]
  },
  stages: {
    name: "kubegateway_proxy_handling_duration_seconds",
    kind: "histogram",
    help: "Where a request's time went: authentication, admission, dispatch, upstream_head, body; handling_delay is all before it was sent.",
    labels: ["serverName", "verb", "resource", "stage"],
    bounds: durationBounds
  },
  inflight: {
    name: "kubegateway_proxy_http_request_inflight",
    kind: "gauge",
    help: "Requests that are worked on, long-running ones among them.",
    labels: []
  },
  rate: {
    name: "kubegateway_proxy_http_request_rate",
    kind: "gauge",
    help: "Requests a second since the page was asked for last.",
    labels: []
  },
  bytes: {
    name: "kubegateway_proxy_http_data_size_bytes_total",
    kind: "counter",
    help: "Bytes of bodies, by type: request, response.",
    labels: ["type"]
  },
  acquired: {
    name: "kubegateway_proxy_global_flowcontrol_acquire_total",
    kind: "counter",
    help: "Requests that a limit across gateways decided on; limitMethod tells whose word held: lease or fallback.",
    labels: ["serverName", "type", "limitMethod", "flowcontrol"]
  },
  limiterRequests: {
    name: "kubegateway_proxy_ratelimter_request_total",
    kind: "counter",
    help: "What was said to the limiter, by result (the original's spelling).",
    labels: ["serverName", "method", "result", "flowcontrol"]
  },
  flowInFlight: {
    name: "kubegateway_proxy_flowcontrol_inflight",
    kind: "gauge",
    help: "Requests of a flow control in flight; class longrunning is counted apart.",
    labels: ["serverName", "flowcontrol", "class"]
  },
  flowWaiting: {
    name: "kubegateway_proxy_flowcontrol_waiting",
    kind: "gauge",
    help: "Requests of a flow control that wait.",
    labels: ["serverName", "flowcontrol"]
  },
  flowDecided: {
    name: "kubegateway_proxy_flowcontrol_decided_total",
    kind: "counter",
    help: "Requests that a flow control let in or refused.",
    labels: ["serverName", "flowcontrol", "decision"]
  },
  flowLease: {
    name: "kubegateway_proxy_flowcontrol_lease",
    kind: "gauge",
    help: "This gateway's part of a limit across gateways; 0 without a lease.",
    labels: ["serverName", "flowcontrol", "type"]
  },
  dropped: {
    name: "kubegateway_proxy_observer_dropped_total",
    kind: "counter",
    help: "Log lines, audit events and spans that were dropped because their sink was slower, by sink.",
    labels: ["sink"]
  }
} as const satisfies Record<string, MetricDefinition>

const perUser = ["serverName", "verb", "resource"] as const

/** Of the gateway's process, where requests are counted by user. */
export const userMetrics = {
  requests: {
    name: "kubegateway_proxy_apiserver_request_total_with_user",
    kind: "counter",
    help: "Requests that an endpoint answered, by user; nodes are one user.",
    labels: [...perUser, "code", "flowcontrol", "user"]
  },
  load: {
    name: "kubegateway_proxy_apiserver_request_load_with_user",
    kind: "counter",
    help: "Seconds that a user's requests took in all; long-running requests are left out.",
    labels: [...perUser, "code", "flowcontrol", "user"]
  },
  duration: {
    name: "kubegateway_proxy_apiserver_request_duration_seconds_with_user",
    kind: "histogram",
    help: "From a request's head to its answer's end, by user; long-running requests are left out.",
    labels: [...perUser, "flowcontrol", "user", "priority"],
    bounds: durationBounds
  },
  bytes: {
    name: "kubegateway_proxy_http_data_size_bytes_with_user",
    kind: "counter",
    help: "Bytes of bodies by user, by type: request, response. The original sets its gauge to the last request's.",
    labels: ["type", ...perUser, "flowcontrol", "user"]
  }
} as const satisfies Record<string, MetricDefinition>

/** Of the limiter's process. */
export const limiterMetrics = {
  requests: {
    name: "kubegateway_ratelimiter_request_total",
    kind: "counter",
    help: "Messages and requests of gateways.",
    labels: ["method", "code"]
  },
  duration: {
    name: "kubegateway_ratelimiter_request_duration_seconds",
    kind: "histogram",
    help: "How long their answers took.",
    labels: ["method"],
    bounds: durationBounds
  },
  sizes: {
    name: "kubegateway_ratelimiter_response_size_bytes",
    kind: "histogram",
    help: "Bytes of the answers.",
    labels: ["method"],
    bounds: sizeBounds
  },
  allocated: {
    name: "kubegateway_ratelimiter_allocated_limit",
    kind: "gauge",
    help: "The part of a limit that a gateway has.",
    labels: ["serverName", "clientId", "flowcontrol", "type", "strategy", "method"]
  },
  tokens: {
    name: "kubegateway_ratelimiter_allocated_token_total",
    kind: "counter",
    help: "Tokens that a gateway was handed.",
    labels: ["serverName", "clientId", "flowcontrol", "type", "strategy", "method"]
  },
  leader: {
    name: "kubegateway_ratelimiter_leader_election_status",
    kind: "gauge",
    help: "1 for a shard that this server leads, with the leader that it knows.",
    labels: ["shard", "leader"]
  },
  sessions: {
    name: "kubegateway_ratelimiter_sessions",
    kind: "gauge",
    help: "Gateways that are connected.",
    labels: []
  }
} as const satisfies Record<string, MetricDefinition>

/** All of them as a Markdown table. */
export const metricTable = (): string => {
  const row = ({ help, kind, labels, name }: MetricDefinition): string =>
    `| ${name} | ${kind} | ${labels.join(", ")} | ${help} |`
  return [
    "| metric | kind | labels | meaning |",
    "| --- | --- | --- | --- |",
    ...Object.values<MetricDefinition>(gatewayMetrics).map(row),
    ...Object.values<MetricDefinition>(userMetrics).map(row),
    ...Object.values<MetricDefinition>(limiterMetrics).map(row)
  ].join("\n")
}

// One cluster at run time: its endpoints, what it remembers of users, its checks and budgets, kept across changes of its
// configuration as far as the change leaves them valid.
// Owns that life; refuses requests (ProxyRequest.ts) and names (Directory.ts).
import { Redacted } from "effect"
import type { Cancel, Clockwork } from "#kube"
import type { HttpFields, TlsIdentity } from "#net"
import { Balancer } from "../balance/Balancer.ts"
import type { Dial } from "../balance/DialAdapter.ts"
import { HealthChecks } from "../balance/HealthChecks.ts"
import { RetryBudget } from "../balance/RetryBudget.ts"
import { Upstream } from "../balance/Upstream.ts"
import type { EndpointReports } from "../config/Snapshot.ts"
import type { DispatchPolicy, UpstreamCluster } from "../config/UpstreamCluster.ts"
import { AccessReviews } from "../identity/AccessReviews.ts"
import { Authenticator } from "../identity/Authenticator.ts"
import { CallRate } from "../identity/CallRate.ts"
import type { ReviewContext } from "../identity/Reviewer.ts"
import { TokenReviews } from "../identity/TokenReviews.ts"
import { HeadTimes } from "./HeadTimes.ts"

export interface RuntimeContext {
  readonly clockwork: Clockwork
  readonly dial: Dial
  readonly reports: EndpointReports
  /** The gateway's own certificate and client authority, for clusters without; undefined without TLS. */
  readonly own: TlsIdentity | undefined
}

const clientCaOf = ({ serving }: UpstreamCluster, own: TlsIdentity | undefined): string | undefined =>
  serving.clientCa ?? (serving.useGatewayClientCa ? own?.ca : undefined)

/** What the gateway shows to clients of the cluster; undefined: nothing can be shown. */
const tlsIdentityOf = (cluster: UpstreamCluster, own: TlsIdentity | undefined): TlsIdentity | undefined => {
  const { keyPair } = cluster.serving
  const pair = keyPair === undefined ? own : { cert: keyPair.cert, key: Redacted.value(keyPair.key) }
  if (pair === undefined) return undefined
  const authorities = [clientCaOf(cluster, own), cluster.authentication.frontProxy?.ca].filter(
    (pem) => pem !== undefined
  )
  return { cert: pair.cert, key: pair.key, ...(authorities.length === 0 ? {} : { ca: authorities.join("\n") }) }
}

const ownFieldsOf = ({ client }: UpstreamCluster): HttpFields =>
  client.token === undefined ? [] : [["authorization", `Bearer ${Redacted.value(client.token)}`]]

const ownCallsOf = ({ client }: UpstreamCluster): CallRate =>
  new CallRate(client.ownCallsPerSecond, client.ownCallsBurst)

export class ClusterRuntime {
  cluster: UpstreamCluster
  /** Fields that prove the gateway to the endpoints; the same object as long as the credentials are. */
  ownFields: HttpFields
  tlsIdentity: TlsIdentity | undefined
  authenticator: Authenticator
  tokens: TokenReviews
  access: AccessReviews
  budget: RetryBudget
  private ownCalls: CallRate
  closed = false
  readonly upstreams = new Map<string, Upstream>()
  /** Requests whose answer's head is awaited. */
  readonly heads = new HeadTimes()
  private readonly context: RuntimeContext
  private readonly checks: HealthChecks
  private readonly sweep: Cancel
  private groups = new WeakMap<DispatchPolicy, Balancer<Upstream>>()
  private everybody: Balancer<Upstream>

  constructor(context: RuntimeContext, cluster: UpstreamCluster) {
    this.context = context
    this.cluster = cluster
    const { clockwork, own } = context
    this.ownFields = ownFieldsOf(cluster)
    this.ownCalls = ownCallsOf(cluster)
    this.tlsIdentity = tlsIdentityOf(cluster, own)
    this.checks = new HealthChecks(clockwork, cluster.health, this.ownFields)
    for (const endpoint of cluster.endpoints) this.upstreams.set(endpoint.url, this.newUpstream(endpoint))
    this.everybody = new Balancer([...this.upstreams.values()])
    const reviews = this.reviewContext()
    this.tokens = new TokenReviews(reviews, cluster.authentication)
    this.access = new AccessReviews(reviews)
    this.authenticator = this.newAuthenticator()
    this.budget = new RetryBudget(cluster.retry.budgetPercent, cluster.retry.minPerSecond)
    for (const upstream of this.upstreams.values()) this.checks.add(upstream)
    this.sweep = clockwork.every(250, () => this.heads.expire(clockwork.monotonic()))
  }

  /** Takes a new version of the cluster at once; requests under way go on with what they have. */
  update(next: UpstreamCluster): void {
    const last = this.cluster
    if (next === last) return
    this.cluster = next
    const { own } = this.context
    if (next.client !== last.client) {
      this.ownFields = ownFieldsOf(next)
      this.ownCalls = ownCallsOf(next)
    }
    const serving = next.serving !== last.serving || next.authentication !== last.authentication
    if (serving) this.tlsIdentity = tlsIdentityOf(next, own)
    this.updateEndpoints(next)
    if (next.authentication !== last.authentication) {
      this.tokens = new TokenReviews(this.reviewContext(), next.authentication)
    }
    if (serving) this.authenticator = this.newAuthenticator()
    if (next.retry !== last.retry) this.budget = new RetryBudget(next.retry.budgetPercent, next.retry.minPerSecond)
    this.checks.update(next.health, this.ownFields)
  }

  private updateEndpoints(next: UpstreamCluster): void {
    const kept = new Map(this.upstreams)
    this.upstreams.clear()
    for (const endpoint of next.endpoints) {
      const known = kept.get(endpoint.url)
      kept.delete(endpoint.url)
      known?.update(endpoint, next)
      const upstream = known ?? this.newUpstream(endpoint)
      this.upstreams.set(endpoint.url, upstream)
    }
    for (const gone of kept.values()) {
      this.checks.remove(gone)
      gone.remove()
    }
    this.everybody = new Balancer([...this.upstreams.values()])
    this.groups = new WeakMap()
    for (const upstream of this.upstreams.values()) {
      if (upstream.endpoint.disabled) this.checks.remove(upstream)
      else this.checks.add(upstream)
    }
  }

  /** No new requests; what is open may go on for the cluster's `drainMs`. */
  close(): void {
    this.closed = true
    this.checks.close()
    for (const upstream of this.upstreams.values()) upstream.remove()
    const { clockwork } = this.context
    clockwork.after(this.cluster.timeouts.drainMs, this.sweep)
  }

  /** Ends at once. */
  destroy(): void {
    this.closed = true
    this.sweep()
    this.checks.close()
    for (const upstream of this.upstreams.values()) upstream.close()
  }

  /** The endpoints that a policy sends to. */
  groupOf(policy: DispatchPolicy): Balancer<Upstream> {
    if (policy.subset.length === 0) return this.everybody
    let group = this.groups.get(policy)
    if (group === undefined) {
      group = new Balancer([...this.upstreams.values()].filter(({ url }) => policy.subset.includes(url)))
      this.groups.set(policy, group)
    }
    return group
  }

  /** Whether every endpoint that is on was checked once. */
  get checked(): boolean {
    return [...this.upstreams.values()].every(({ checked, endpoint }) => checked || endpoint.disabled)
  }

  /** Why no endpoint of the group is usable, for people. */
  describe(group: Balancer<Upstream>): string {
    const lines = group.members.map((upstream) => {
      const { message, reason } = upstream.state
      return `${upstream.url}: ${upstream.endpoint.disabled ? "disabled" : `${reason}${message === "" ? "" : ` (${message})`}`}`
    })
    return lines.length === 0 ? "the policy names none" : lines.join("; ")
  }

  private newUpstream(endpoint: UpstreamCluster["endpoints"][number]): Upstream {
    const { clockwork, dial, reports } = this.context
    const upstream: Upstream = new Upstream(
      {
        dial,
        clockwork,
        changed: ({ state, url }) => reports.report(this.cluster.name, url, state),
        mayEject: () => this.mayEject(),
        checkSoon: (which) => this.checks.soon(which)
      },
      endpoint,
      this.cluster
    )
    return upstream
  }

  private mayEject(): boolean {
    let ejected = 1
    for (const each of this.upstreams.values()) if (each.ejected) ejected++
    return (ejected / this.upstreams.size) * 100 <= this.cluster.health.maxEjectedPercent
  }

  private newAuthenticator(): Authenticator {
    const { clockwork, own } = this.context
    const clientCa = clientCaOf(this.cluster, own)
    return new Authenticator({ clockwork, settings: this.cluster.authentication, clientCa, reviews: this.tokens })
  }

  private reviewContext(): ReviewContext {
    const { clockwork } = this.context
    const fields = (): HttpFields => this.ownFields
    const rate = (): CallRate => this.ownCalls
    return {
      clockwork,

      pick: (tried) => this.everybody.pick("RoundRobin", clockwork.monotonic(), clockwork.random, tried),
      get fields() {
        return fields()
      },
      get rate() {
        return rate()
      }
    }
  }
}

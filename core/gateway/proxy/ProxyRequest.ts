// One request on its way through the gateway: understood, proven, let in, sent to an endpoint, answered.
// Owns the order of these steps up to the choice of an endpoint, and the one end that each request has; refuses the exchange with
// the endpoint (Forwarding.ts, Tunnel.ts) and every decision of a step. No Effect here: this runs for each request.
import { type UserInfo, uuidFrom } from "#apiserver"
import type { HttpExchange, HttpFields } from "#net"
import type { Upstream } from "../balance/Upstream.ts"

import type { DispatchPolicy, UpstreamCluster } from "../config/UpstreamCluster.ts"
import type { Credentials } from "../identity/Authenticator.ts"
import { type Denied, denied, type Identity, identityOf } from "../identity/Identity.ts"
import { questionsOf, readImpersonation } from "../identity/Impersonation.ts"
import type { Permit, Refusal, Waiting } from "../limits/Admission.ts"
import type { RequestRecord, RequestTrace } from "../observe/Observer.ts"
import { isLongRunning, type RequestFacts } from "../policy/RequestFacts.ts"
import type { ClusterRuntime } from "./ClusterRuntime.ts"
import { Forwarding } from "./Forwarding.ts"
import { respondStatus, statusOf } from "./GatewayStatus.ts"
import type { ProxyContext } from "./ProxyContext.ts"
import { type BadHead, planOf, type RequestPlan } from "./RequestPlan.ts"
import { Tunnel } from "./Tunnel.ts"

/** What stands between the client and an endpoint once one is chosen. */
interface Passage {
  /** The client went away. */
  clientGone(): void
}

export class ProxyRequest implements RequestRecord {
  readonly context: ProxyContext
  readonly exchange: HttpExchange
  // What the observer reads.
  arrivedMs: number
  authenticatedMs = 0
  admittedMs = 0
  sentMs = 0
  headMs = 0
  endedMs = 0
  readonly receivedAtMs: number
  cluster = ""
  endpoint = ""
  flowControl = ""
  facts: RequestFacts | undefined
  impersonator: UserInfo | undefined
  log = false
  code = 0
  reason = ""
  receivedBytes = 0
  sentBytes = 0
  trace: RequestTrace | undefined
  // What the steps leave for each other.
  plan!: RequestPlan
  runtime!: ClusterRuntime
  identity!: Identity
  policy!: DispatchPolicy
  /** The cluster that the policy is of. */
  private seen: UpstreamCluster | undefined
  lasting = false
  /** Whether its answer may bring much: it goes where small answers do not wait behind it. */
  heavy = false
  permit: Permit | undefined
  ended = false
  private named: string | undefined
  private waiting: Waiting | undefined
  private passage: Passage | undefined

  constructor(context: ProxyContext, exchange: HttpExchange) {
    this.context = context
    this.exchange = exchange
    this.arrivedMs = context.clockwork.monotonic()
    this.receivedAtMs = context.clockwork.now()
  }

  /** The client's, else one that is made when somebody asks for it. */
  get auditId(): string {
    return (this.named ??= this.exchange.header("audit-id") ?? uuidFrom(this.context.clockwork.random))
  }

  begin(): void {
    const { exchange } = this
    let plan = exchange.memo as RequestPlan | BadHead | undefined
    if (plan === undefined) {
      plan = planOf(exchange)
      exchange.memo = plan
    }
    exchange.onClose = () => this.clientGone()
    if (plan.kind === "bad") {
      this.trace = this.context.observer.arrived(exchange, false)
      return this.refuse(400, "bad_request", plan.message)
    }
    this.plan = plan
    const runtime = this.context.directory.find(plan.host)
    if (runtime === undefined) return this.unknownHost()
    this.runtime = runtime
    const { cluster } = runtime
    this.cluster = cluster.name
    this.trace = this.context.observer.arrived(exchange, cluster.features.Tracing)
    if (!this.isOfServerName()) {
      return this.refuse(421, "misdirected", "the host is not of the cluster that the connection was opened for")
    }
    const { clockwork, goAway } = this.context
    const { chance } = goAway
    if (cluster.features.CloseConnectionWhenIdle || (chance > 0 && clockwork.random() < chance)) {
      exchange.hangUp()
    }
    if (cluster.features.DenyAllRequests) {
      return this.refuse(429, "circuit_breaker", "the cluster takes no requests at the moment")
    }
    const credentials: Credentials = { exchange, token: plan.token, tokenKey: plan.found.tokenKey }
    const known = runtime.authenticator.authenticate(credentials, (outcome) => this.proven(outcome))
    plan.found.tokenKey = credentials.tokenKey
    if (known !== undefined) this.proven(known)
  }

  /** A client that asked for one cluster's certificate gets answers of that cluster only. */
  private isOfServerName(): boolean {
    const { exchange, runtime } = this
    if (!exchange.secure) return true
    const { serverName } = exchange
    if (serverName === undefined) return !this.showsOtherCluster()
    return this.context.directory.findServerName(serverName) === runtime
  }

  /** Without a server name the identity shown is the gateway's own, whose authorities are no cluster's. */
  private showsOtherCluster(): boolean {
    const { tlsIdentity } = this.exchange
    return tlsIdentity !== undefined && tlsIdentity !== this.context.directory.own
  }

  private unknownHost(): void {
    const { exchange } = this
    const { directory, others } = this.context
    if (others !== undefined) {
      exchange.onClose = undefined
      this.ended = true
      return others(exchange)
    }
    this.trace = this.context.observer.arrived(exchange, false)
    if (directory.empty) return this.refuse(503, "not_ready", "the gateway has no configuration yet", 1)
    this.refuse(421, "cluster_not_being_proxied", "no cluster is served under this host")
  }

  private proven(outcome: Identity | Denied): void {
    if (this.ended) return
    if (outcome.kind === "denied") return this.deny(outcome)
    this.identity = outcome
    if (this.plan.impersonates) this.impersonate()
    else this.authenticated()
  }

  private deny({ code, message, retryAfterSeconds }: Denied): void {
    const reason = code === 401 ? "unauthorized" : code === 503 ? "authentication_unavailable" : "forbidden"
    this.refuse(code, reason, message, retryAfterSeconds)
  }

  private impersonate(): void {
    const { exchange, identity, runtime } = this
    const asked = readImpersonation(exchange.fields())
    if (asked.kind === "malformed") return this.refuse(400, "bad_request", asked.message)
    if (identity.proof === "passthrough") {
      return this.deny(denied(403, "whose token is passed on unread cannot act as somebody else through the gateway"))
    }
    const next = identityOf(asked.user, identity.proof, runtime.cluster.authentication.neverImpersonate)
    if (next.kind === "denied") return this.deny(next)
    runtime.access.all(identity.user, questionsOf(asked), (outcome, question) => {
      if (this.ended) return
      if (outcome.kind === "unavailable") {
        return this.refuse(503, "authorization_unavailable", outcome.message, outcome.retryAfterSeconds)
      }
      if (!outcome.allowed) {
        const { name, resource } = question
        const why = `User ${JSON.stringify(identity.user.name)} cannot impersonate resource ${JSON.stringify(resource)}`
        return this.refuse(
          403,
          "forbidden",
          `${resource} ${JSON.stringify(name)} is forbidden: ${why}: ${outcome.reason}`
        )
      }
      this.impersonator = identity.user
      this.identity = next
      this.authenticated()
    })
  }

  private authenticated(): void {
    const { context, plan, runtime } = this
    const { clockwork } = context
    this.authenticatedMs = clockwork.monotonic()
    const { info, query, sourceIp, userAgent } = plan
    const facts = { info, user: this.identity.user, userAgent, sourceIp, query, draw: clockwork.random() }
    this.facts = facts
    this.lasting = isLongRunning(info)
    this.heavy = this.lasting || info.verb === "list"
    const policy = runtime.cluster.policyOf(facts)
    if (policy !== undefined) {
      this.policy = policy
      this.flowControl = policy.flowControl
      this.log = policy.log
    }
    context.observer.received(this)
    if (policy === undefined) return this.refuseUnmatched()
    this.seen = runtime.cluster
    const outcome = context.admission.admit(this.cluster, policy.flowControl, facts, (later) => this.admitted(later))
    if (outcome.kind === "waiting") this.waiting = outcome
    else this.admitted(outcome)
  }

  private refuseUnmatched(): void {
    const message = "no dispatch policy of the cluster matches the request"
    this.refuse(403, "no_router_rule_matches_this_request", message)
  }

  private admitted(outcome: Permit | Refusal): void {
    this.waiting = undefined
    if (outcome.kind === "refusal") {
      if (this.ended) return
      const message = "the request is over a limit of the gateway, please try again later"
      return this.refuse(429, outcome.reason, message, outcome.retryAfterSeconds)
    }
    if (this.ended) return outcome.release()
    this.permit = outcome
    this.admittedMs = this.context.clockwork.monotonic()
    const { runtime } = this

    if (this.plan.upgrade === undefined) {
      runtime.budget.count(this.admittedMs)
      const forwarding = new Forwarding(this)
      this.passage = forwarding
      forwarding.begin()
    } else {
      const tunnel = new Tunnel(this)
      this.passage = tunnel
      tunnel.begin()
    }
  }

  /** An endpoint for this request; undefined after the refusal was sent. */
  choose(tried: ReadonlyArray<Upstream>): Upstream | undefined {
    const { clockwork } = this.context
    const { runtime } = this
    const { cluster } = runtime
    if (cluster !== this.seen) {
      // While the request waited its cluster changed: what holds now decides where it goes.
      const policy = this.facts === undefined ? undefined : cluster.policyOf(this.facts)
      if (policy === undefined) {
        this.refuseUnmatched()
        return undefined
      }
      this.policy = policy
      this.seen = cluster
    }
    const { policy } = this
    const group = runtime.groupOf(policy)
    const upstream = group.pick(policy.strategy, clockwork.monotonic(), clockwork.random, tried)
    if (upstream !== undefined) return upstream
    this.refuse(503, "no_ready_endpoints", `no endpoint of the cluster is ready: ${runtime.describe(group)}`, 1)
    return undefined
  }

  /** Answers with a Status of the gateway's own; the end. */
  refuse(code: number, reason: string, message: string, retryAfterSeconds?: number): void {
    if (this.ended) return
    this.code = code
    this.reason = reason
    const challenge: HttpFields = code === 401 ? [["www-authenticate", 'Bearer realm="kubernetes"']] : []
    respondStatus(this.exchange, statusOf(code, message, retryAfterSeconds), challenge)
    this.end()
  }

  /** The one end. */
  end(): void {
    if (this.ended) return
    this.ended = true
    const { context, exchange, permit } = this
    this.endedMs = context.clockwork.monotonic()
    exchange.onClose = undefined
    permit?.release()
    context.observer.ended(this)
  }

  private clientGone(): void {
    if (this.ended) return
    this.reason ||= "client_gone"
    this.waiting?.cancel()
    this.passage?.clientGone()
    this.end()
  }
}

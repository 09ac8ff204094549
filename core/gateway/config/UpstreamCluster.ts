// One cluster as the data path sees it: decoded, completed with defaults, validated, never changed in place.
// Owns the shape of what was configured, without the wire's optional fields; refuses reading manifests (DecodeCluster.ts) and what
// happens at run time (health, counters, connections). Every list here is bounded by the size of an object, 1.5 MiB.
import type { Redacted } from "effect"
import type { RequestFacts } from "../policy/RequestFacts.ts"

/** PEM text or a token that no log, error or JSON shows; `Redacted.value` reads it. */
export type Secret = Redacted.Redacted

/** A certificate with its key, in PEM. */
export interface KeyPair {
  readonly cert: string
  readonly key: Secret
}

/** One kube-apiserver. */
export interface Endpoint {
  /** As written, without a trailing slash: the name in subsets, status, logs and metrics. */
  readonly url: string
  readonly secure: boolean
  readonly host: string
  readonly port: number
  /** What stands before every path, like "/k8s/clusters/c1"; empty for nearly all. */
  readonly pathPrefix: string
  /** No new requests and no health checks; open requests go on. */
  readonly disabled: boolean
  /** Share among its siblings, 0 to 1000; 0 gets requests only when no other is left. */
  readonly weight: number
}

/** How the gateway proves itself to the endpoints, and how it knows them. */
export interface ClientIdentity {
  readonly insecure: boolean
  readonly token: Secret | undefined
  readonly keyPair: KeyPair | undefined
  /** PEM; undefined: the system's authorities. */
  readonly ca: string | undefined
  /** SNI and the name that endpoints' certificates carry; the cluster's name by default. */
  readonly serverName: string
  /** Of the gateway's own calls (health, TokenReview, SubjectAccessReview): per second, 0 is unlimited. */
  readonly ownCallsPerSecond: number
  readonly ownCallsBurst: number
}

/** What the gateway shows to clients of the cluster, and whose certificates it takes. */
export interface SecureServing {
  /** Undefined: the gateway's own. */
  readonly keyPair: KeyPair | undefined
  /** PEM of authorities of client certificates; undefined: the gateway's own, where `useGatewayClientCa` says so. */
  readonly clientCa: string | undefined
  /** Whether certificates of the gateway's --client-ca-file count for this cluster when it has no authority of its own. */
  readonly useGatewayClientCa: boolean
}

/** Who may be passed on under which name. */
export interface NeverImpersonate {
  /** Exact, or with a trailing `*` as a prefix. */
  readonly users: ReadonlyArray<string>
  readonly groups: ReadonlyArray<string>
  /** Those that are let through all the same when a client certificate proves them. */
  readonly exceptCertificates: boolean
}

/** Headers in which a front proxy with a certificate of `ca` names the user. */
export interface FrontProxy {
  readonly ca: string
  /** Common names that may do so; empty: any. */
  readonly allowedNames: ReadonlyArray<string>
  readonly usernameHeaders: ReadonlyArray<string>
  readonly groupHeaders: ReadonlyArray<string>
  readonly uidHeaders: ReadonlyArray<string>
  readonly extraHeaderPrefixes: ReadonlyArray<string>
}

export interface Authentication {
  /** Whether requests that prove nobody go on as system:anonymous. */
  readonly anonymous: boolean
  /** Whether bearer tokens are reviewed by the cluster (and the caller impersonated), passed on as they are, or refused. */
  readonly tokens: "Review" | "Passthrough" | "Refuse"
  readonly tokenSuccessTtlMs: number
  readonly tokenFailureTtlMs: number
  /** TokenReviews a second that this cluster is asked at most, and at once. */
  readonly tokenReviewsPerSecond: number
  readonly tokenReviewsBurst: number
  readonly neverImpersonate: NeverImpersonate
  readonly frontProxy: FrontProxy | undefined
}

export interface HealthCheck {
  /** All must answer 200, in this order. */
  readonly paths: ReadonlyArray<string>
  readonly intervalMs: number
  readonly timeoutMs: number
  /** Good answers in a row that bring an endpoint back, and bad ones that take it out. */
  readonly rise: number
  readonly fall: number
  /** Passive: failures of requests in a row that eject an endpoint (0: never), for how long, and how many of all at most. */
  readonly ejectAfterFailures: number
  readonly ejectionMs: number
  readonly maxEjectedPercent: number
}

export type BalancingStrategy = "RoundRobin" | "LeastInflight" | "PowerOfTwoChoices"

export interface Balancing {
  /** HTTP/2 connections to each endpoint, shared by all clients. */
  readonly connectionsPerEndpoint: number
  /** How long an endpoint that came back takes to reach its full share; 0: at once. */
  readonly slowStartMs: number
}

export interface Timeouts {
  readonly connectMs: number
  /** Until the answer's head, of requests that are not long-running; 0: none. */
  readonly responseHeaderMs: number
  /** How long requests to an endpoint that was removed may go on. */
  readonly drainMs: number
}

export interface Retry {
  /** Tries of one request in all; 1: no retry. */
  readonly attempts: number
  /** Retries as a part of requests, over ten seconds, and how many a second are free. */
  readonly budgetPercent: number
  readonly minPerSecond: number
}

export interface TokenBucket {
  /** A second. */
  readonly qps: number
  readonly burst: number
}

/** What waits instead of being refused. */
export interface LimitQueue {
  /** Requests that may wait. */
  readonly length: number
  readonly timeoutMs: number
}

/** How a limit is counted across gateways. */
export type LimitScope = "Local" | "GlobalAllocate" | "GlobalCount"

export interface FlowControl {
  readonly name: string
  readonly limit:
    | { readonly kind: "Exempt" }
    | {
        readonly kind: "MaxRequestsInflight"
        readonly max: number
        readonly globalMax: number | undefined
        /** Watches and other long-running requests, counted apart; undefined: unlimited. */
        readonly maxLongRunning: number | undefined
      }
    | { readonly kind: "TokenBucket"; readonly local: TokenBucket; readonly global: TokenBucket | undefined }
  readonly scope: LimitScope
  /** Undefined: what is over the limit is refused at once. */
  readonly queue: LimitQueue | undefined
  /** Between whom waiting is fair, and whose share is kept apart. */
  readonly fairness: "None" | "User" | "Namespace"
  /** What holds while the limiter cannot be reached: the local limit, no limit, or nothing passes. */
  readonly onLimiterLoss: "Local" | "Open" | "Closed"
  /** A bucket of each user's own, which holds beside the limit; absent: none. */
  readonly perUser?: TokenBucket
  /** System components that this limit never holds up; their requests count all the same. Absent: nobody. */
  readonly neverLimited?: NeverLimited
}

/** Names, exact or with a trailing `*` as a prefix. */
export interface NeverLimited {
  readonly users: ReadonlyArray<string>
  readonly groups: ReadonlyArray<string>
}

/** What a matching request is done with. */
export interface DispatchPolicy {
  /** Its place in the manifest, from 0. */
  readonly index: number
  readonly strategy: BalancingStrategy
  /** URLs of endpoints as in `servers`; empty: all. */
  readonly subset: ReadonlyArray<string>
  /** Name of a flow control; empty: exempt, and metrics say "system-default". */
  readonly flowControl: string
  /** Whether requests are written to the access log when the gateway's flag allows it at all. */
  readonly log: boolean
}

/** Switches of the annotation `proxy.kubegateway.io/feature-gates`. */
export interface FeatureGates {
  readonly CloseConnectionWhenIdle: boolean
  readonly DenyAllRequests: boolean
  readonly GlobalRateLimiter: boolean
  readonly Tracing: boolean
}

/** A cluster behind the gateway. A part that a change left as it was is the same object in the next snapshot. */
export interface UpstreamCluster {
  /** Lower case. */
  readonly name: string
  readonly uid: string
  readonly generation: number
  /** The name and the further server names, lower case; "*.example.io" stands for one label more. */
  readonly hosts: ReadonlyArray<string>
  /** Whether hosts that no cluster has come here. */
  readonly isDefault: boolean
  readonly endpoints: ReadonlyArray<Endpoint>
  readonly client: ClientIdentity
  readonly serving: SecureServing
  readonly authentication: Authentication
  readonly health: HealthCheck
  readonly balancing: Balancing
  readonly timeouts: Timeouts
  readonly retry: Retry
  /** By name. */
  readonly flowControls: ReadonlyMap<string, FlowControl>
  readonly policies: ReadonlyArray<DispatchPolicy>
  /** The first policy of which a rule matches, else the default one; undefined: nothing matches, and the request is refused. */
  readonly policyOf: (facts: RequestFacts) => DispatchPolicy | undefined
  readonly features: FeatureGates
}

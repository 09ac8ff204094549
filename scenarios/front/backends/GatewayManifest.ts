// The UpstreamCluster that a run's gateways serve, as a manifest in KubeGateway's own fields.
// Owns its text: the upstream's endpoints, the front's own credentials, the clients' authority, limits and who they are for.
import type { Front, FrontLimit } from "../Front.ts"
import type { Identity } from "../FrontPhase.ts"
import { clusterHost, userName } from "../load/FrontEndpoint.ts"
import type { FrontCertificates } from "../upstream/FrontCertificates.ts"
import { pairsOf, swapped } from "./GatewaySwaps.ts"

/** What the manifest speaks of. */
export interface ManifestSettings {
  readonly front: Front
  readonly certificates: FrontCertificates
  readonly upstreamCa: string
  readonly upstreamPorts: ReadonlyArray<number>
  /** Each turn is another configuration: what GatewaySwaps.ts changes, and a rule that no request of the run is matched by. */
  readonly turn: number
}

const reviewsPerSecond = 100_000

const gates = { annotations: { "proxy.kubegateway.io/feature-gates": "GlobalRateLimiter=true" } }

/** Whether some limit holds over all instances together, so that a limiter is needed. */
export const isGlobal = ({ limits }: Pick<Front, "limits">): boolean => limits.some(({ scope }) => scope === "global")

const base64 = (text: string): string => Buffer.from(text).toString("base64")

/** Everything, in the language of dispatch rules. */
const everything = [
  { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
  { verbs: ["*"], nonResourceURLs: ["*"] }
]

const schemaOf = ({ burst, inFlight, name, qps = 1, scope }: FrontLimit, instances: number) => {
  const shared = scope === "global"
  const strategy = shared ? { strategy: "globalAllocate" } : {}
  // While the limiter is away each instance holds to its even part.
  const part = (whole: number): number => (shared ? Math.max(1, Math.floor(whole / instances)) : whole)
  if (inFlight !== undefined) {
    const global = shared ? { globalMaxRequestsInflight: { max: inFlight } } : {}
    return { name, ...strategy, maxRequestsInflight: { max: part(inFlight) }, ...global }
  }
  const bucket = { qps: Math.round(qps), burst: Math.round(burst ?? qps) }
  const global = shared ? { globalTokenBucket: bucket } : {}
  return { name, ...strategy, tokenBucket: { qps: part(bucket.qps), burst: part(bucket.burst) }, ...global }
}

const identitiesOf = ({ phases }: Front): ReadonlyArray<Identity> =>
  phases.flatMap(({ load, watch }) => [...load, ...watch].map(({ identity }) => identity))

/** Every user of an identity. */
const usersOf = (front: Front, user: string): ReadonlyArray<string> => {
  const most = Math.max(0, ...identitiesOf(front).map((one) => (one.user === user ? one.users : 0)))
  return Array.from({ length: most }, (_, index) => userName(user, index))
}

const policiesOf = (front: Front): ReadonlyArray<unknown> => [
  ...front.limits
    .toSorted((left, right) => Number(left.user === undefined) - Number(right.user === undefined))
    .map(({ name, user }) => ({
      strategy: "RoundRobin",
      flowControlSchemaName: name,
      rules: everything.map((rule) => (user === undefined ? rule : { ...rule, users: usersOf(front, user) }))
    })),
  { strategy: "RoundRobin", rules: everything }
]

/** The manifest's text. */
export const gatewayManifest = ({ certificates, front, turn, upstreamCa, upstreamPorts }: ManifestSettings): string => {
  const nobody = {
    strategy: "RoundRobin",
    rules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"], users: [`nobody-${turn}`] }]
  }
  const pairs = pairsOf(certificates, turn)
  const spec = {
    servers: upstreamPorts.map((port) => ({ endpoint: `https://127.0.0.1:${port}` })),
    clientConfig: {
      caData: base64(upstreamCa),
      certData: base64(pairs.front.cert),
      keyData: base64(pairs.front.key),
      serverName: clusterHost
    },
    secureServing: {
      certData: base64(pairs.server.cert),
      keyData: base64(pairs.server.key),
      clientCAData: base64(certificates.ca)
    },
    // What a review costs is measured, not how many are allowed.
    authentication: { tokenReviewsPerSecond: reviewsPerSecond, tokenReviewsBurst: reviewsPerSecond },
    flowControl: { flowControlSchemas: front.limits.map((limit) => schemaOf(limit, front.instances)) },
    dispatchPolicies: [nobody, ...policiesOf(front)]
  }
  return JSON.stringify(
    {
      apiVersion: "proxy.kubegateway.io/v1alpha1",
      kind: "UpstreamCluster",
      metadata: { name: clusterHost, generation: turn + 1, ...(isGlobal(front) ? gates : {}) },
      spec: swapped(spec, turn)
    },
    null,
    2
  )
}

// What the limiter knows, as RateLimitConditions and a RateLimitServerInfo in the original's shapes: for people, for the original's
// clients, and to be kept (--limit-store=k8s). One condition a gateway and cluster, and `<cluster>.state` with the totals.
// Owns the reading and the names; refuses to be the truth: leases are, and nothing is restored from conditions after a restart.
import { isJsonObject, type JsonObject, rfc3339 } from "#kube"
import type { LimitItem } from "./LimitItem.ts"
import type { LimiterServer } from "./LimiterServer.ts"

const API_VERSION = "proxy.kubegateway.io/v1alpha1"
const INSTANCE_LABEL = "proxy.kubegateway.io/ratelimitcondition.instance"

const detail = ({ limit }: LimitItem, amount: number): JsonObject => {
  const whole = Math.round(amount)
  if (limit.kind === "slots") return { maxRequestsInflight: { max: whole } }
  const burst = limit.total > 0 ? Math.round((limit.burst * amount) / limit.total) : 0
  return { tokenBucket: { qps: whole, burst } }
}

const strategyOf = ({ limit }: LimitItem): string => (limit.spare ? "globalAllocate" : "globalCount")

type Entries = ReadonlyArray<readonly [name: string, item: LimitItem]>

/** The condition of one gateway at one cluster. */
const conditionFor = (cluster: string, instance: string, entries: Entries): JsonObject => ({
  apiVersion: API_VERSION,
  kind: "RateLimitCondition",
  metadata: {
    name: conditionName(cluster, instance),
    labels: { [INSTANCE_LABEL]: instance.replaceAll(":", "-") }
  },
  spec: {
    upstreamCluster: cluster,
    instance,
    limitItemConfigurations: entries.map(([name, item]) => ({
      name,
      strategy: strategyOf(item),
      ...detail(item, item.grantOf(instance))
    }))
  },
  status: {
    limitItemStatuses: entries.map(([name, item]) => {
      const used = item.statements.get(instance)?.used ?? 0
      const granted = item.grantOf(instance)
      return { name, requestLevel: granted > 0 ? Math.round((used * 100) / granted) : 0, ...detail(item, used) }
    })
  }
})

/** The totals of one cluster: the limits, and what is given out of them. */
const stateOf = (cluster: string, entries: Entries): JsonObject => ({
  apiVersion: API_VERSION,
  kind: "RateLimitCondition",
  metadata: { name: `${cluster}.state` },
  spec: {
    upstreamCluster: cluster,
    instance: "",
    limitItemConfigurations: entries.map(([name, item]) => ({
      name,
      strategy: strategyOf(item),
      ...detail(item, item.limit.total)
    }))
  },
  status: {
    limitItemStatuses: entries.map(([name, item]) => ({
      name,
      requestLevel: item.limit.total > 0 ? Math.round((item.reserved() * 100) / item.limit.total) : 0,
      ...detail(item, item.reserved())
    }))
  }
})

/** The name of a gateway's condition: a name cannot hold a colon. */
export const conditionName = (cluster: string, instance: string): string =>
  `${cluster}.${instance.replaceAll(":", "-")}`

/** Everything that the shards led here know. */
export const allConditions = (server: LimiterServer): ReadonlyArray<JsonObject> => {
  const byCluster = new Map<string, Array<readonly [string, LimitItem]>>()
  for (const shard of server.leading.values()) {
    for (const [cluster, name, item] of shard.entries()) {
      const entries = byCluster.get(cluster) ?? []
      entries.push([name, item])
      byCluster.set(cluster, entries)
    }
  }
  return Array.from(byCluster, ([cluster, entries]) => {
    const instances = new Set(entries.flatMap(([, { statements }]) => [...statements.keys()]))
    return [stateOf(cluster, entries), ...Array.from(instances, (instance) => conditionFor(cluster, instance, entries))]
  }).flat()
}

/** As a list that kubectl prints. */
export const conditionsOf = (server: LimiterServer): JsonObject => ({
  apiVersion: API_VERSION,
  kind: "RateLimitConditionList",
  metadata: {},
  items: allConditions(server)
})

/** The name of a condition. */
export const nameIn = ({ metadata }: JsonObject): string => {
  const name = isJsonObject(metadata) ? metadata["name"] : undefined
  return typeof name === "string" ? name : ""
}

export const conditionOf = (server: LimiterServer, name: string): JsonObject | undefined =>
  allConditions(server).find((condition) => nameIn(condition) === name)

/** Who leads which shard, for gateways that look for leaders. */
export const serverInfo = (server: LimiterServer, address: string, nowMs: number): JsonObject => ({
  apiVersion: API_VERSION,
  kind: "RateLimitServerInfo",
  server: address,
  id: address,
  version: "kubewharf",
  shardCount: server.shards,
  managedShards: [...server.leading.keys()],
  endpoints: Array.from(server.knownLeaders, ([shardID, leader]) => ({
    leader,
    shardID,
    lastHeartbeat: rfc3339(nowMs)
  }))
})

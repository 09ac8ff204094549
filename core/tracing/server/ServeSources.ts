// Where a serving store's facts come from beside the webhook: watches and audit log files of the configured clusters.
// Owns their opening and their end with the scope; refuses to read what they say.
import { join } from "node:path"
import { Effect, Schema } from "effect"
import {
  type ApiFailure,
  type Client,
  httpClient,
  isJsonObject,
  type KubeObject,
  loadAccess,
  machineClockwork,
  Reflector
} from "#kube"
import { type ClusterConfig, type TracingConfig, watchedResources } from "../config/TracingConfig.ts"
import { eventLineFacts } from "../ingest/AuditBatch.ts"
import { type AuditHead, AuditInvalid } from "../ingest/AuditEvent.ts"
import type { AuditSetting } from "../ingest/AuditFacts.ts"
import { AuditLogReader } from "../ingest/AuditLogReaderAdapter.ts"
import { FactQueue } from "../ingest/FactQueue.ts"
import { Watches } from "../ingest/Watches.ts"
import type { RequestMetrics } from "../observe/RequestMetrics.ts"
import type { ServerMetrics } from "../observe/ServerMetrics.ts"
import type { SpanStore } from "../store/SpanStore.ts"

/** A cluster that cannot be followed as configured. */
export class ClusterInvalid extends Schema.TaggedError<ClusterInvalid>()("ClusterInvalid", {
  cluster: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `cluster ${this.cluster}: ${this.detail}`
  }
}

export interface SourceParts {
  readonly store: SpanStore
  readonly setting: AuditSetting
  readonly metrics: ServerMetrics
  readonly requests: RequestMetrics
  readonly dataDir: string
  /** Writes a line for people; the same one is not written again and again. */
  readonly say: (line: string) => void
}

const queueOf = ({ metrics, say, store }: SourceParts): FactQueue =>
  new FactQueue({
    store,
    clockwork: machineClockwork,
    onTaken: ({ added, known }) => {
      metrics.facts.add(["added"], added)
      metrics.facts.add(["known"], known)
    },
    onTrouble: (detail) => say(`facts cannot be written, tried again: ${detail}`)
  })

const followLog = (cluster: string, path: string, parts: SourceParts) => {
  const { metrics, requests, say, setting } = parts
  const queue = queueOf(parts)
  const observe = (head: AuditHead, dropped: string | undefined): void => {
    metrics.events.add([cluster, "log"])
    if (dropped !== undefined) metrics.dropped.add([cluster, dropped])
    requests.observe(cluster, "", head, machineClockwork.now() * 1000)
  }
  const take = (line: Buffer): boolean => {
    try {
      return queue.add(eventLineFacts(cluster, line, setting, observe))
    } catch (error) {
      if (!(error instanceof AuditInvalid)) throw error
      // Nobody would send it again: it is counted, and the lines after it are read.
      metrics.dropped.add([cluster, "invalid"])
      return true
    }
  }
  const reader = new AuditLogReader({
    path,
    statePath: join(parts.dataDir, `audit-log-${cluster}.json`),
    take,
    onRoom: (resume) => queue.onRoom(resume),
    afterAll: (done) => queue.afterAll(done),
    onTrouble: (detail) => say(`audit log of ${cluster}: ${detail}`)
  })
  return Effect.acquireRelease(
    Effect.sync(() => reader.start()),
    () => Effect.sync(() => reader.stop())
  )
}

const followFilter = (client: Client, place: string, { say, setting }: SourceParts) => {
  const [namespace = "", name = ""] = place.split("/")
  const resource = { group: "", version: "v1", resource: "configmaps" }
  const read = (objects: ReadonlyArray<KubeObject>): void => {
    const data = objects[0]?.["data"]
    const text = isJsonObject(data as never) ? (data as Readonly<Record<string, unknown>>)["exclude-regex"] : undefined
    try {
      setting.filter.setRegex(typeof text === "string" && text !== "" ? new RegExp(text) : undefined)
    } catch {
      say(`ConfigMap ${place}: exclude-regex is no regular expression, the one before stays`)
    }
  }
  const reflector = new Reflector(
    {
      client,
      clockwork: machineClockwork,
      collection: { resource, namespace },
      fieldSelector: `metadata.name=${name}`
    },
    { replace: read, event: ({ object, type }) => read(type === "DELETED" ? [] : [object]) }
  )
  return Effect.acquireRelease(
    Effect.sync(() => reflector.start()),
    () => Effect.sync(() => reflector.stop())
  )
}

const followCluster = Effect.fnUntraced(function* (
  { context, kubeconfig, name, watch = ["*", "events"] }: ClusterConfig,
  configMap: string | undefined,
  parts: SourceParts
) {
  const resources = watchedResources(watch)
  if (typeof resources === "string") {
    const detail = `watch: ${resources} is none of Kubernetes' own; write GROUP/VERSION/${resources}`
    return yield* new ClusterInvalid({ cluster: name, detail })
  }
  const { metrics, say, setting } = parts
  const access = yield* loadAccess({
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context })
  })
  const client = yield* httpClient({ access, userAgent: "kubewharf-tracing" })
  if (configMap !== undefined) yield* followFilter(client, configMap, parts)
  const watches = new Watches(
    {
      ...setting,
      cluster: name,
      client,
      clockwork: machineClockwork,
      queue: queueOf(parts),
      onEvent: (resource) => metrics.watched.add([name, resource]),
      onFailure: (resource, failure: ApiFailure) => say(`watch of ${resource} in ${name}: ${failure.message}`)
    },
    resources
  )
  yield* Effect.acquireRelease(
    Effect.sync(() => watches.start()),
    () => Effect.sync(() => watches.stop())
  )
  return watches
})

/** Follows everything that is configured until the scope closes; answers whether all of it was listed once. */
export const openSources = Effect.fnUntraced(function* (config: TracingConfig, parts: SourceParts) {
  const watches: Array<Watches> = []
  let configMap = config.filters?.configMap
  for (const cluster of config.clusters ?? []) {
    if (cluster.auditLog !== undefined) yield* followLog(cluster.name, cluster.auditLog, parts)
    if (cluster.kubeconfig === undefined) continue
    watches.push(yield* followCluster(cluster, configMap, parts))
    // The filter is the first cluster's.
    configMap = undefined
  }
  return { hasSynced: () => watches.every(({ hasSynced }) => hasSynced) }
})

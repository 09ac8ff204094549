// What a tracing store holds before a run: as many spans as asked for, of 200,000 pods over an hour and a half that ends now, and one
// trace of one object that is as long as asked for. Owns these spans and what searches for them ask; refuses to serve them.
import { machineClockwork, rfc3339Micro } from "#kube"
import {
  type AuditFact,
  defaultStoreBounds,
  idOf,
  objectId,
  type ObjectKey,
  openTracingStore,
  traceIdIn,
  WINDOW_SECONDS,
  windowStartUs
} from "#tracing"
import { Effect } from "effect"
import type { Tracing, TracingOperation } from "../Tracing.ts"

/** What a fill is made from. */
export interface Filled extends Pick<Tracing, "spans" | "longTrace"> {
  /** The end of the time that the spans lie in, in microseconds. */
  readonly endUs: number
}

const PODS = 200_000
const LENGTH_US = 5_400_000_000
const BATCH = 10_000
const hot: ObjectKey = { cluster: "prod", group: "", resource: "configmaps", namespace: "shop", name: "hot" }

const spacingUs = (spans: number): number => Math.max(1, Math.floor(LENGTH_US / spans))

const audit = (fact: Partial<AuditFact> & Pick<AuditFact, "id" | "object" | "atUs" | "auditId">): AuditFact => ({
  kind: "audit",
  uid: "",
  version: "v1",
  subresource: "",
  verb: "update",
  level: "Metadata",
  stage: "ResponseComplete",
  endUs: fact.atUs + 1000,
  username: "bench",
  impersonator: "",
  userAgent: "kubelet/v1.37.2",
  sourceIps: ["10.1.0.7"],
  fieldManager: "",
  code: 200,
  reason: "",
  message: "",
  causes: [],
  resourceVersion: "",
  newResourceVersion: "",
  generation: 1,
  truncated: false,
  dryRun: false,
  ...fact
})

/** The span of that number. */
const podSpan = (number: number, { endUs, spans = 1 }: Filled): AuditFact => {
  const pod = (number * 7919) % PODS
  const failed = number % 997 === 0
  const atUs = endUs - LENGTH_US + number * spacingUs(spans)
  return audit({
    id: idOf("fill", String(number)),
    object: {
      cluster: "prod",
      group: "",
      resource: "pods",
      namespace: `team-${pod % 200}`,
      name: `web-${pod % 5000}-${pod}`
    },
    uid: `${pod}-1111-4222-8333-444455556666`,
    atUs,
    subresource: "status",
    verb: number % 10 === 0 ? "create" : "patch",
    auditId: `${number}-4b2a-4c1d-9e3f-0123456789ab`,
    endUs: atUs + (number % 500) * 100,
    username: `system:node:node-${pod % 1000}`,
    sourceIps: [`10.1.${pod % 250}.7`],
    code: failed ? 409 : 200,
    reason: failed ? "Conflict" : "",
    newResourceVersion: String(number)
  })
}

/** The long trace lies at the start of the last whole window. */
const longStartUs = ({ endUs }: Filled): number => windowStartUs(endUs, WINDOW_SECONDS) - WINDOW_SECONDS * 1_000_000

const longSpan = (number: number, filled: Filled): AuditFact =>
  audit({
    id: idOf("long", String(number)),
    object: hot,
    atUs: longStartUs(filled) + number * 1000,
    auditId: `${number}-5c3b-4c1d-9e3f-0123456789ab`,
    resourceVersion: String(number),
    newResourceVersion: String(number + 1),
    fieldManager: "bench"
  })

/** The long trace's id. */
export const longTraceId = (filled: Filled): string => traceIdIn(objectId(hot, WINDOW_SECONDS), longStartUs(filled))

/** Writes the spans into an empty folder. */
export const fillTraces = (dataDir: string, filled: Filled): Effect.Effect<void, { readonly message: string }> =>
  Effect.scoped(
    Effect.gen(function* () {
      const store = yield* openTracingStore({
        dataDir,
        windowSeconds: WINDOW_SECONDS,
        bounds: { ...defaultStoreBounds, recentMax: 100_000 },
        clockwork: machineClockwork,
        compress: true
      })
      const add = (count: number, make: (number: number, filled: Filled) => AuditFact) =>
        Effect.gen(function* () {
          for (let from = 0; from < count; from += BATCH) {
            const length = Math.min(BATCH, count - from)
            const facts = Array.from({ length }, (_, at) => make(from + at, filled))
            yield* Effect.callback<void, { readonly message: string }>((resume) =>
              store.append(facts, (outcome) =>
                resume(outcome.kind === "durable" ? Effect.void : Effect.fail({ message: `spans: ${outcome.kind}` }))
              )
            )
          }
        })
      yield* add(filled.spans ?? 0, podSpan)
      yield* add(filled.longTrace ?? 0, longSpan)
    })
  )

interface Search {
  readonly service?: string
  readonly operation?: string
  readonly attributes?: Readonly<Record<string, string>>
  readonly durationMin?: string
  readonly fromUs?: number
  readonly toUs?: number
  readonly limit?: number
}

const searchOf = (query: TracingOperation["query"], filled: Filled): Search => {
  const spans = filled.spans ?? 1
  const { atUs, auditId, object } = podSpan(Math.floor(spans / 3), filled)
  const failed = podSpan(Math.floor(spans / 3 / 997) * 997, filled)
  switch (query) {
    case "newest":
      return {}
    case "object":
      return { attributes: { name: object.name, namespace: object.namespace, resource: "pods" } }
    case "auditId":
      return { attributes: { auditId } }
    case "failures":
      return { attributes: { username: failed.username, responseCode: "409" } }
    case "namespace":
      return { attributes: { namespace: "team-7" }, limit: 100 }
    case "nobody":
      return { operation: "nobody create" }
    case "unindexed":
      return { attributes: { newResourceVersion: String(Math.floor(spans / 3)) } }
    case "slow":
      return { durationMin: "49.9ms", fromUs: atUs, toUs: atUs + 1_800_000_000 }
    case "mode":
      return { service: "", attributes: { namespace: "team-7" } }
  }
}

/** The path and query of a search. */
export const searchPath = (query: TracingOperation["query"], filled: Filled): string => {
  const { attributes, durationMin, fromUs, limit, operation, service, toUs } = searchOf(query, filled)
  const parameters = new URLSearchParams({
    "query.service_name": service ?? "audit",
    "query.start_time_min": rfc3339Micro((fromUs ?? filled.endUs - LENGTH_US) / 1000),
    "query.start_time_max": rfc3339Micro((toUs ?? filled.endUs) / 1000),
    "query.num_traces": String(limit ?? 20)
  })
  if (operation !== undefined) parameters.set("query.operation_name", operation)
  if (attributes !== undefined) parameters.set("query.attributes", JSON.stringify(attributes))
  if (durationMin !== undefined) parameters.set("query.duration_min", durationMin)
  return `/api/v3/trace-summaries?${parameters.toString()}`
}

// The run record: one run of one scenario against one backend is one JSON document of this shape, and everything a
// report says is computed from such documents.
// Owns the document's top level, its id and version, and its published JSON Schema. Does not measure, judge or render.
import { Schema } from "effect"
import { RecordedCluster } from "./RecordedCluster.ts"
import { RecordedFederation } from "./RecordedFederation.ts"
import { RecordedFront } from "./RecordedFront.ts"
import { Count, RecordedOperation, RecordedSeries, RecordedWatch } from "./RecordedLoad.ts"
import { Backend, Component, Generator, Machine, Versions } from "./RecordedPlatform.ts"
import { RecordedTracingServer } from "./RecordedTracingServer.ts"

/** Names the document type; stands in the record's `schema` field. */
export const runRecordSchema = "kubewharf/run-record"

/** Raised when a field changes its meaning or disappears; new optional fields do not raise it. */
export const runRecordVersion = 1

const Milliseconds = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/** The scenario file as it was run; `hash` is the SHA-256 of its canonical form before overrides, hex. */
export const RecordedScenario = Schema.Struct({
  name: Schema.NonEmptyString,
  hash: Schema.NonEmptyString,
  text: Schema.String,
  overrides: Schema.Record(Schema.String, Schema.String)
}).annotate({ identifier: "RecordedScenario" })

/** Where this run stood among its repeats: `position` counts all runs of the invocation in the order they really ran. */
export const RecordedRepeat = Schema.Struct({
  index: Count,
  of: Count,
  position: Count,
  order: Schema.String.annotate({ description: "The interleaving, for example ABBA" })
}).annotate({ identifier: "RecordedRepeat" })

/** A stretch of the run; only operations of `measure` phases enter verdicts. Times count from the start of the run. */
export const RecordedPhase = Schema.Struct({
  name: Schema.NonEmptyString,
  kind: Schema.Literals(["prepare", "warmup", "measure", "cooldown"]),
  startMs: Milliseconds,
  endMs: Milliseconds,
  loop: Schema.Literals(["open", "closed"]),
  clients: Count.annotate({
    description: "Calls that may be in flight at once (closed loop), or connections (open loop)"
  }),
  targetPerS: Schema.NullOr(Milliseconds).annotate({ description: "Planned rate of all operations, null when closed" })
}).annotate({ identifier: "RecordedPhase" })

/** Something that happened while the load ran: a compaction, a restart, the longest pause. */
export const Annotation = Schema.Struct({
  kind: Schema.NonEmptyString,
  text: Schema.String,
  atMs: Milliseconds,
  durationMs: Schema.NullOr(Milliseconds)
}).annotate({ identifier: "Annotation" })

/** One target of the scenario and what was seen; `missing` when nothing was measured for it. */
export const SloVerdict = Schema.Struct({
  name: Schema.NonEmptyString,
  expression: Schema.String,
  threshold: Schema.Finite,
  unit: Schema.String,
  observed: Schema.NullOr(Schema.Finite),
  verdict: Schema.Literals(["pass", "fail", "missing"])
}).annotate({ identifier: "SloVerdict" })

/** Why a measurement cannot be trusted. */
export const InvalidReason = Schema.Literals([
  "lost-samples",
  "generator-saturated",
  "rate-below-plan",
  "error-rate",
  "clock",
  "no-samples",
  "accounting",
  "interrupted"
])

/** May this run's numbers be used at all. */
export const Validity = Schema.Struct({
  valid: Schema.Boolean,
  reasons: Schema.Array(Schema.Struct({ code: InvalidReason, text: Schema.String }))
}).annotate({ identifier: "Validity" })

/** A broken promise of the system under test: a lost write, an event out of order, a stale read. */
export const Violation = Schema.Struct({ rule: Schema.NonEmptyString, text: Schema.String }).annotate({
  identifier: "Violation"
})

/** One run. Unknown fields are ignored when read, so that older tools can open newer records of the same version. */
export const RunRecord = Schema.Struct({
  schema: Schema.Literal(runRecordSchema),
  schemaVersion: Schema.Literal(runRecordVersion),
  id: Schema.NonEmptyString.annotate({ description: "Unique among the runs of one folder" }),
  command: Schema.String.annotate({ description: "The command line that reproduces the run" }),
  scenario: RecordedScenario,
  seed: Schema.Int,
  startedAt: Schema.String.check(Schema.isPattern(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/)).annotate({
    description: "UTC, RFC 3339"
  }),
  durationMs: Milliseconds,
  target: Schema.Literals(["sim", "process", "kind", "kubeconfig"]),
  backend: Backend,
  repeat: RecordedRepeat,
  phases: Schema.Array(RecordedPhase),
  machine: Machine,
  versions: Versions,
  generator: Generator,
  operations: Schema.Array(RecordedOperation),
  watch: Schema.Array(RecordedWatch),
  counters: Schema.Record(Schema.String, Count).annotate({
    description: "Deterministic counts (operations, events, bytes): two runs of one seed are expected to agree exactly"
  }),
  series: RecordedSeries,
  components: Schema.Array(Component),
  annotations: Schema.Array(Annotation),
  cluster: Schema.optionalKey(RecordedCluster).annotate({
    description: "Of a run of a simulated cluster, which has no operations and watches of a load generator"
  }),
  federation: Schema.optionalKey(RecordedFederation).annotate({
    description: "Of a run of a federation"
  }),
  front: Schema.optionalKey(RecordedFront).annotate({
    description: "Of a run against a Kubernetes API front"
  }),
  tracing: Schema.optionalKey(RecordedTracingServer).annotate({
    description: "Of a run against a tracing server"
  }),
  slos: Schema.Array(SloVerdict),
  validity: Validity,
  violations: Schema.Array(Violation)
}).annotate({ identifier: "RunRecord", title: "KubeWharf run record" })

export type RecordedScenario = typeof RecordedScenario.Type
export type RecordedRepeat = typeof RecordedRepeat.Type
export type RecordedPhase = typeof RecordedPhase.Type
export type Annotation = typeof Annotation.Type
export type SloVerdict = typeof SloVerdict.Type
export type InvalidReason = typeof InvalidReason.Type
export type Validity = typeof Validity.Type
export type Violation = typeof Violation.Type
export type RunRecord = typeof RunRecord.Type

/** The JSON Schema (draft 2020-12) that `reports/run-record.schema.json` publishes. */
export const runRecordJsonSchema = (): Record<string, unknown> => {
  const { definitions, schema } = Schema.toJsonSchemaDocument(RunRecord)
  return { $schema: "https://json-schema.org/draft/2020-12/schema", ...schema, $defs: definitions }
}

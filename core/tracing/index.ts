// The door of the room: what happened to every object of some clusters, as traces.
// Owns what other rooms may use; everything else in this folder is the room's own business.
export { type Answer, type AnswerKind, answerKinds, type Evidence, objectWords } from "./answers/Answer.ts"
export { answersText, countsOf, familyText } from "./answers/FamilyText.ts"
export { type Moment, momentsOf } from "./answers/Moments.ts"
export { lifeOf, type ObjectLife } from "./answers/ObjectLife.ts"
export { type Stuck, stuck } from "./answers/Stuck.ts"
export { type Member, why, type Why } from "./answers/Why.ts"
export { traceCommand, whyCommand } from "./answers/WhyCommand.ts"
export { type BatchFacts, eventLineFacts, eventListFacts, takeEventList } from "./ingest/AuditBatch.ts"
export { type AuditHead, AuditInvalid } from "./ingest/AuditEvent.ts"
export type { AuditSetting, DropReason } from "./ingest/AuditFacts.ts"
export { eventFactsOf } from "./ingest/EventFacts.ts"
export { watchFactsOf } from "./ingest/WatchFacts.ts"
export type { AuditFact, EventFact, Fact, LinkFact, SnapshotFact, Take } from "./model/Fact.ts"
export { idOf, objectId, objectSpanId, parseTraceId, traceIdIn, traceIdOf } from "./model/Ids.ts"
export {
  type ObjectKey,
  objectText,
  parseObjectText,
  sameObject,
  WINDOW_SECONDS,
  windowStartUs
} from "./model/ObjectKey.ts"
export {
  Attribute,
  type DiffLine,
  HIDDEN_PREFIX,
  type LogType,
  type Span,
  type SpanEvent,
  type SpanLink,
  type SpanService,
  services
} from "./model/Span.ts"
export { type CollectorInvalid, type CollectorOptions, openExporter } from "./otlp/OpenExporter.ts"
export type { OutLog, OutSpan } from "./otlp/OutSpan.ts"
export {
  type BatchSender,
  type ExporterOptions,
  type ExportStats,
  type Sent,
  SpanExporter
} from "./otlp/SpanExporter.ts"
export { outward, type Outward, type OutwardOptions } from "./Outward.ts"
export { Access as TracingAccess, TokensInvalid } from "./server/Access.ts"
export { mounts } from "./server/Mounts.ts"
export {
  ingestSetting,
  openTracingStore,
  type RunningTracing,
  serveTracing,
  type ServeTracingOptions
} from "./server/ServeTracing.ts"
export { serveTracingCommand } from "./server/ServeTracingCommand.ts"
export type { Asker, MakeMount, Mount, Route, TracingParts } from "./server/Route.ts"
export { LmdbSegmentsAdapter } from "./store/LmdbSegmentsAdapter.ts"
export { defaultStoreBounds, LmdbSpanStore, type LmdbSpanStoreOptions } from "./store/LmdbSpanStore.ts"
export { MemorySpanStore, type MemorySpanStoreOptions } from "./store/MemorySpanStore.ts"
export type {
  Appended,
  Change,
  FoundTrace,
  ObjectQuery,
  Range,
  Revision,
  SpanChunks,
  SpanStore,
  StoreStats,
  TraceQuery
} from "./store/SpanStore.ts"
export { type DisplayMode, DisplayModes } from "./view/DisplayModes.ts"
export { shippedModes } from "./view/ShippedModes.ts"
export { parseTransformFile } from "./view/TransformConfig.ts"
export { TransformInvalid } from "./view/TransformInvalid.ts"
export { type TraceView, TraceViews } from "./view/TraceViews.ts"

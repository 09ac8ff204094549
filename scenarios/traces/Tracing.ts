// The part of a scenario that loads a tracing server: what audit stream it is sent, what its store holds before, and the phases of load.
// Owns names, defaults and bounds of these fields; rules across fields are TracingRules.ts's.
import { Effect, Schema } from "effect"
import { LoadShape } from "../LoadShape.ts"
import { Count, Name, Span } from "../Quantity.ts"

/** Where the audit events come from, with what each is. */
export const streamNotes = {
  full: "generated: status patches of pods as kubelets send them, RequestResponse with managed fields, about 7 KB an event",
  lean: "generated: the same requests under a policy with omitManagedFields, about 2.7 KB an event",
  recorded: "an audit log of a real kube-apiserver, sent again and again, each round as another cluster's"
} as const

/** What searches ask for, with what each is. */
export const searchNotes = {
  newest: "the newest 20 traces",
  object: "one object by namespace and name, anywhere in time",
  auditId: "one audit id, anywhere in time",
  failures: "a user's failed requests",
  namespace: "the newest 100 of a namespace",
  nobody: "an operation that nobody had, so that everything is looked at",
  unindexed: "a field that has no column of its own",
  slow: "requests of 49.9 ms and more within half an hour",
  mode: "a namespace's objects in the default display mode, with what they belong to"
} as const

/** What loads do. */
export const tracingOperationNotes = {
  audit: "POST of one batch to the audit webhook; answered when it is durable and indexed",
  search: "GET of trace summaries, as Jaeger's page asks for them",
  trace: "GetTraces of the long trace over jaeger.storage.v2, read to its end"
} as const

const notesOf = (notes: Readonly<Record<string, string>>): string =>
  Object.entries(notes)
    .map(([name, note]) => `${name}: ${note}`)
    .join("; ")

// SAFETY: Object.keys of a literal gives exactly its keys.
const names = <Notes extends object>(notes: Notes) =>
  Object.keys(notes) as ReadonlyArray<string> as ReadonlyArray<keyof Notes & string>

/** One entry of a mix. */
export const TracingOperation = Schema.Struct({
  name: Schema.optionalKey(Name).annotate({ description: "Name in the report; by default that of the operation" }),
  op: Schema.Literals(names(tracingOperationNotes)).annotate({ description: notesOf(tracingOperationNotes) }),
  weight: Schema.Finite.check(
    Schema.isBetween({ minimum: 0, maximum: 1e9, exclusiveMinimum: true }, { expected: "a weight above 0" })
  ).pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
  query: Schema.Literals(names(searchNotes))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("newest" as const)))
    .annotate({ description: `search: what for. ${notesOf(searchNotes)}` })
})

export type TracingOperation = typeof TracingOperation.Type

/** One stream of calls. */
export const TracingLoad = Schema.Struct({
  name: Name,
  shape: Schema.optionalKey(LoadShape).annotate({ description: "Of batches, searches or traces; or else pace" }),
  pace: Schema.optionalKey(
    Schema.Struct({
      of: Name,
      part: Schema.Finite.check(
        Schema.isBetween({ minimum: 0, maximum: 10, exclusiveMinimum: true }, { expected: "above 0 and at most 10" })
      )
    })
  ).annotate({ description: "Open loop at this part of the rate that an earlier phase reached" }),
  duration: Schema.optionalKey(Span).annotate({ description: "Ends the load after this long" }),
  actions: Schema.optionalKey(Count(100_000_000)).annotate({ description: "Ends the load after this many calls" }),
  timeout: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("30s"))),
  inFlightMax: Count(48)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(32)))
    .annotate({
      description: "Open loop: calls in flight at most; what is due beyond waits, and its wait is measured"
    }),
  mix: Schema.Array(TracingOperation).check(Schema.isMinLength(1), Schema.isMaxLength(32))
})

export type TracingLoad = typeof TracingLoad.Type

/** A stretch of the run. Only phases of kind `measure` are judged. */
export const TracingPhase = Schema.Struct({
  name: Name,
  kind: Schema.Literals(["prepare", "warmUp", "measure", "coolDown"]),
  order: Schema.Literals(["parallel", "sequential"])
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("parallel" as const)))
    .annotate({ description: "Whether the phase's loads run together or one after the other" }),
  pause: Schema.optionalKey(Span).annotate({ description: "Quiet time before the phase begins" }),
  load: Schema.Array(TracingLoad).check(Schema.isMinLength(1), Schema.isMaxLength(16))
})

export type TracingPhase = typeof TracingPhase.Type

/** What the audit webhook is sent. */
const Stream = Schema.Struct({
  source: Schema.Literals(names(streamNotes))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("full" as const)))
    .annotate({ description: notesOf(streamNotes) }),
  file: Schema.optionalKey(Schema.NonEmptyString).annotate({
    description: "recorded: the log, plain or .gz; without it the one that comes with wharf"
  }),
  batch: Count(4000)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(400)))
    .annotate({ description: "Events of a batch; an API server sends 400 at most unless told otherwise" }),
  every: Span.pipe(Schema.withDecodingDefaultKey(Effect.succeed("0.05ms"))).annotate({
    description:
      "generated: how far events are apart in the time that they tell of, whatever the speed at which they are sent"
  })
})

export type TracingStream = typeof Stream.Type

/** A tracing server under load. */
export const Tracing = Schema.Struct({
  stream: Stream.pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  spans: Schema.optionalKey(Count(1_000_000_000)).annotate({
    description: "Spans that the store holds before it is opened, of 200,000 pods over an hour and a half"
  }),
  longTrace: Schema.optionalKey(Count(1_000_000)).annotate({
    description: "Spans of one more trace, which the operation trace reads"
  }),
  phases: Schema.Array(TracingPhase).check(Schema.isMinLength(1), Schema.isMaxLength(32))
}).annotate({ description: "A tracing server: audit events in, searches and traces out" })

export type Tracing = typeof Tracing.Type

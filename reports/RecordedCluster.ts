// The cluster's part of a run record: what a simulated cluster did in virtual time, what its API server answered how fast, how
// pods got going, what watchers heard how late, and the cluster's state over time.
// Owns the shape. Times in ms count from the beginning of the cluster in virtual time; latencies are in µs of virtual time.
import { Schema } from "effect"
import { RecordedCalibration } from "./RecordedCalibration.ts"
import { Count, RecordedHistogram } from "./RecordedLoad.ts"

const Milliseconds = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
const Column = Schema.Array(Count)

/** One of the slowest calls: which object, for whom, when it was sent and how long it took. */
export const SlowCall = Schema.Struct({
  namespace: Schema.String,
  name: Schema.String,
  client: Schema.String,
  atMs: Milliseconds,
  us: Milliseconds
}).annotate({ identifier: "SlowCall" })

/** All calls of one verb on one resource in one scope, as the clients saw them; `latency.count` = answered. */
export const RecordedCalls = Schema.Struct({
  by: Schema.optionalKey(Schema.Literal("control-plane")).annotate({
    description: "Calls of controllers and schedulers; absent: those of nodes, users and readers"
  }),
  verb: Schema.Literals(["get", "list", "create", "update", "patch", "delete", "deletecollection"]),
  resource: Schema.NonEmptyString.annotate({
    description: "With group and subresource: pods, pods/status, leases.coordination.k8s.io"
  }),
  scope: Schema.Literals(["object", "namespace", "cluster"]).annotate({
    description: "What a call was about: one object, a namespace's objects, or all of them"
  }),
  answered: Count.annotate({ description: "Calls that ended in any way but a refused connection" }),
  items: Schema.optionalKey(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))).annotate({
    description: "Of lists: objects in an answer, on average"
  }),
  errors: Schema.Record(Schema.String, Count).annotate({
    description: "Failures by HTTP code, and connections that were refused"
  }),
  latency: RecordedHistogram,
  slowest: Schema.Array(SlowCall)
}).annotate({ identifier: "RecordedCalls" })

/** One of the slowest pods, with the times of its way; null where it was not seen to take that step. */
export const SlowPod = Schema.Struct({
  namespace: Schema.String,
  name: Schema.String,
  node: Schema.String,
  createdMs: Milliseconds,
  scheduledMs: Schema.NullOr(Milliseconds),
  seenMs: Schema.NullOr(Milliseconds),
  runningMs: Schema.NullOr(Milliseconds),
  watchedMs: Milliseconds
}).annotate({ identifier: "SlowPod" })

/** The stages of a pod's start: created → scheduled → seen by its node → running → watched, and the whole way. */
export const podStages = ["scheduled", "seen", "running", "watched", "whole"] as const

/** How pods started; each histogram holds the time of one stage. */
export const RecordedPodStarts = Schema.Struct({
  scheduled: RecordedHistogram,
  seen: RecordedHistogram,
  running: RecordedHistogram,
  watched: RecordedHistogram,
  whole: RecordedHistogram,
  slowest: Schema.Array(SlowPod)
}).annotate({ identifier: "RecordedPodStarts" })

/** What the scheduler did, and how long pods waited for it. */
export const RecordedScheduling = Schema.Struct({
  attempts: Count,
  bound: Count,
  unschedulable: Count.annotate({ description: "Attempts that found no node" }),
  failures: Count.annotate({ description: "Bindings and other calls that failed" }),
  preemptions: Count.annotate({ description: "Attempts that sent other pods away" }),
  victims: Count.annotate({ description: "Pods that were sent away" }),
  waiting: Count.annotate({ description: "Pods without a node at the end" }),
  gated: Count.annotate({ description: "Pods behind scheduling gates at the end" }),
  busyBound: Count.annotate({ description: "Pods bound within a second of virtual time after the one before" }),
  busyVirtualMs: Milliseconds.annotate({ description: "Virtual time of those stretches" }),
  busyWallMs: Milliseconds.annotate({ description: "Real time of those stretches" }),
  mostInSecond: Count.annotate({ description: "Most pods bound in one second of virtual time" }),
  waits: Schema.Array(Schema.Struct({ priority: Schema.NonEmptyString, wait: RecordedHistogram })).annotate({
    description: "From a pod's creation, or the opening of its gates, until it had a node; by priority class"
  })
}).annotate({ identifier: "RecordedScheduling" })

/** One of the events that were heard latest. */
export const SlowEvent = Schema.Struct({
  namespace: Schema.String,
  name: Schema.String,
  type: Schema.String,
  client: Schema.String,
  atMs: Milliseconds.annotate({ description: "When the write was committed" }),
  us: Milliseconds
}).annotate({ identifier: "SlowEvent" })

/** How late watchers of one resource heard of changes, from the commit to the event's arrival. */
export const RecordedInformers = Schema.Struct({
  resource: Schema.NonEmptyString,
  watches: Count,
  lag: RecordedHistogram,
  slowest: Schema.Array(SlowEvent)
}).annotate({ identifier: "RecordedInformers" })

/** The cluster's state at the moments of `atMs`; every column is as long. */
export const RecordedState = Schema.Struct({
  atMs: Schema.Array(Milliseconds),
  zones: Schema.Array(Schema.Struct({ name: Schema.NonEmptyString, nodes: Count, ready: Column })),
  pods: Schema.Record(Schema.String, Column).annotate({
    description: "Pods by phase; Unscheduled are those without a node, Terminating those that are being deleted"
  }),
  objects: Schema.Record(Schema.String, Column).annotate({ description: "Stored objects by resource" }),
  queues: Schema.Record(Schema.String, Column).annotate({
    description: "Keys that wait or are worked on, by controller: the most that was seen since the sample before"
  }),
  wallMs: Schema.Array(Milliseconds).annotate({ description: "Real time that had passed" }),
  residentBytes: Column
}).annotate({ identifier: "RecordedState" })

/** Something that was done to the cluster, or went wrong in it, in virtual time. */
export const ClusterMark = Schema.Struct({
  kind: Schema.Literals(["fault", "action", "violation"]),
  text: Schema.String,
  atMs: Milliseconds,
  durationMs: Schema.NullOr(Milliseconds)
}).annotate({ identifier: "ClusterMark" })

/** What a cluster of some size costs: one point of the curve. */
export const CostPoint = Schema.Struct({
  nodes: Count,
  pods: Count,
  readyWallMs: Milliseconds.annotate({ description: "Real time until all nodes were registered" }),
  wallMsPerVirtualS: Milliseconds.annotate({ description: "Real time for a second of the cluster's steady state" }),
  residentBytes: Count
}).annotate({ identifier: "CostPoint" })

/** Something that happened to an object, as its trace tells it. */
export const LifeMoment = Schema.Struct({
  atMs: Milliseconds,
  who: Schema.String,
  what: Schema.String,
  says: Schema.String.annotate({ description: "What changed or was said" })
}).annotate({ identifier: "LifeMoment" })

/** One object's life. */
export const RecordedLife = Schema.Struct({
  resource: Schema.NonEmptyString,
  namespace: Schema.String,
  name: Schema.NonEmptyString,
  moments: Schema.Array(LifeMoment)
}).annotate({ identifier: "RecordedLife" })

/** An object that did not get on at the end, and why. */
export const StuckObject = Schema.Struct({
  kind: Schema.NonEmptyString,
  resource: Schema.NonEmptyString,
  namespace: Schema.String,
  name: Schema.NonEmptyString,
  ageMs: Milliseconds,
  sentence: Schema.NonEmptyString
}).annotate({ identifier: "StuckObject" })

/** What the traces of every object say: who was stuck at the end, and the lives of those and of the slowest pods. */
export const RecordedTracing = Schema.Struct({
  facts: Count,
  writes: Count.annotate({ description: "Requests that could change something" }),
  untraced: Count.annotate({ description: "Of those, the ones for which no room was left" }),
  stuck: Schema.Array(StuckObject),
  lives: Schema.Array(RecordedLife)
}).annotate({ identifier: "RecordedTracing" })

/** A simulated cluster's run. */
export const RecordedCluster = Schema.Struct({
  eventLogHash: Schema.NonEmptyString.annotate({ description: "The same for every run of one scenario and seed" }),
  events: Count.annotate({ description: "Events that the simulator delivered" }),
  virtualMs: Milliseconds,
  wallMs: Milliseconds,
  residentMaxBytes: Count,
  nodes: Count,
  podsMax: Count,
  model: Schema.Array(Schema.String).annotate({
    description: "The network and disk below the latencies, in sentences"
  }),
  calibration: Schema.optionalKey(RecordedCalibration).annotate({
    description: "Of a simulated run: where its constants come from"
  }),
  facts: Schema.optionalKey(Schema.Record(Schema.String, Milliseconds)).annotate({
    description: "Of a real run: what its programs said of themselves at the end"
  }),
  storeWrites: Schema.optionalKey(Count).annotate({ description: "Revisions of the store that the run went through" }),
  objectBytes: Schema.optionalKey(Schema.Record(Schema.String, Milliseconds)).annotate({
    description: "Bytes of one object as JSON, on average at the end, by resource"
  }),
  calls: Schema.Array(RecordedCalls),
  podStarts: RecordedPodStarts,
  scheduling: Schema.optionalKey(RecordedScheduling),
  informers: Schema.Array(RecordedInformers),
  state: RecordedState,
  marks: Schema.Array(ClusterMark),
  tracing: Schema.optionalKey(RecordedTracing),
  replay: Schema.optionalKey(Schema.String).annotate({ description: "The command that shows the violation again" }),
  curve: Schema.optionalKey(Schema.Array(CostPoint))
}).annotate({ identifier: "RecordedCluster" })

export type SlowCall = typeof SlowCall.Type
export type RecordedCalls = typeof RecordedCalls.Type
export type SlowPod = typeof SlowPod.Type
export type PodStage = (typeof podStages)[number]
export type RecordedPodStarts = typeof RecordedPodStarts.Type
export type RecordedScheduling = typeof RecordedScheduling.Type
export type SlowEvent = typeof SlowEvent.Type
export type RecordedInformers = typeof RecordedInformers.Type
export type RecordedState = typeof RecordedState.Type
export type ClusterMark = typeof ClusterMark.Type
export type CostPoint = typeof CostPoint.Type
export type RecordedLife = typeof RecordedLife.Type
export type StuckObject = typeof StuckObject.Type
export type RecordedTracing = typeof RecordedTracing.Type
export type RecordedCluster = typeof RecordedCluster.Type

// Every difference from etcd that is accepted, in one table, each with its reason.
// Owns the table; whatever is not in it is a bug of ours. A row rewrites both answers into what must still agree.
import type { Operation } from "./Operations.ts"

type Plain = Readonly<Record<string, unknown>>

export interface Accepted {
  readonly what: string
  readonly why: string
  readonly appliesTo: (operation: Operation) => boolean
  /** What is left of an answer for comparison. */
  readonly reduce: (answer: Plain, operation: Operation) => unknown
}

const isCall =
  (...methods: ReadonlyArray<string>) =>
  (operation: Operation): boolean =>
    operation.kind === "call" && methods.includes(operation.method)

const mapAnswer = (outcome: Plain, map: (answer: Plain) => unknown): Plain =>
  "answer" in outcome ? { ...outcome, answer: map(outcome["answer"] as Plain) } : outcome
const without =
  (...names: ReadonlyArray<string>) =>
  (answer: Plain): Plain =>
    Object.fromEntries(Object.entries(answer).filter(([name]) => !names.includes(name)))

/** From this many on, Go's sort is no longer the insertion sort that keeps ties in place. */
const STABLE_UP_TO = 12
const sortField = ["key", "version", "createRevision", "modRevision", "value"]

export const accepted: ReadonlyArray<Accepted> = [
  {
    what: "a transaction that deletes all keys from one on and then puts one of them with ignore_value or ignore_lease",
    why: "etcd 3.7.3 panics on it and is gone; ours carries it out. The sequence ends there (JudgeDied in Trial.ts)",
    appliesTo: () => false,
    reduce: (outcome) => outcome
  },
  {
    what: "order of ties in a sorted range of more than 12 records",
    why: "etcd sorts with Go's sort.Sort, which is unstable from 13 elements on; ours keeps ties in key order",
    appliesTo: (operation) => operation.kind === "call" && operation.method === "range" && isSorted(operation.request),
    reduce: (outcome, operation) => mapAnswer(outcome, (answer) => withoutTies(answer, operation))
  },
  {
    what: "RangeStream with a sort target but no order",
    why: "etcd sorts each chunk by itself and goes on after the last key of the sorted chunk, so it repeats and omits keys",
    appliesTo: (operation) =>
      operation.kind === "stream" && operation.method === "rangeStream" && isSorted(operation.requests[0]),
    reduce: ({ code, details }) => ({ code, details })
  },
  {
    what: "Status: database sizes, raft indexes, storage version",
    why: "they count pages of another engine and entries of a log that we do not have; etcd says 3.5.0 for its first seconds",
    appliesTo: isCall("status"),
    reduce: (outcome) =>
      mapAnswer(
        outcome,
        without("dbSize", "dbSizeInUse", "raftIndex", "raftAppliedIndex", "dbSizeQuota", "storageVersion")
      )
  },
  {
    what: "Hash: the number",
    why: "it is a checksum of the backend's own pages",
    appliesTo: isCall("hash"),
    reduce: (outcome) => mapAnswer(outcome, without("hash"))
  },
  {
    what: "HashKV at a revision at which etcd has once been compacted",
    why: "etcd keeps the hashes that it took while it compacted and answers those for good, of rows that are gone",
    appliesTo: (operation) => operation.kind === "call" && operation.request["compactedThere"] === true,
    reduce: () => ({})
  },
  {
    what: "HashKV of now, when now is the compacted revision",
    why: "the same: what etcd hashes then depends on which rows its compaction has reached",
    appliesTo: isCall("hashKv"),
    reduce: (outcome) =>
      mapAnswer(outcome, (answer) => (answer["hashRevision"] === answer["compactRevision"] ? {} : answer))
  },
  {
    what: "MemberList: the client URLs",
    why: "each server has a port of its own",
    appliesTo: isCall("memberList"),
    reduce: (outcome) => mapAnswer(outcome, without("members"))
  },
  {
    what: "LeaseLeases: the order",
    why: "both sort by expiry, and grants within a millisecond have no order that clocks agree on",
    appliesTo: isCall("leaseLeases"),
    reduce: (outcome) =>
      mapAnswer(outcome, (answer) => ({
        ...answer,
        leases: (answer["leases"] as Array<{ id: bigint }>).map(({ id }) => String(id)).sort()
      }))
  },
  {
    what: "LeaseTimeToLive: a second more or less",
    why: "the remaining time is cut to seconds by two clocks",
    appliesTo: isCall("leaseTimeToLive"),
    reduce: (outcome) => mapAnswer(outcome, (answer) => ({ ...answer, ttl: Number(answer["ttl"]) < 0 ? -1 : 0 }))
  }
]

const isSorted = ({ sortTarget = 0 }: Readonly<Record<string, unknown>>): boolean => sortTarget !== 0

/** With ties and many records, only the sort values must agree. */
const withoutTies = (answer: Plain, operation: Operation): unknown => {
  const kvs = answer["kvs"] as ReadonlyArray<Plain>
  if (Number(answer["count"] ?? 0) <= STABLE_UP_TO || operation.kind !== "call") return answer
  const target = sortField[operation.request["sortTarget"] as number]
  return { ...answer, kvs: kvs.map((kv) => kv[target]) }
}

/** What of an answer must agree. */
export const reduce = (operation: Operation, outcome: Plain): unknown =>
  accepted.reduce<Plain>(
    (rest, row) => (row.appliesTo(operation) ? (row.reduce(rest, operation) as Plain) : rest),
    outcome
  )

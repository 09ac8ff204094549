// Random operations: every request type, every option, odd keys, odd numbers.
// Owns how likely each is; refuses to know answers. Keys come from a small pool, because only operations that meet say much.
import * as fc from "fast-check"
import type { Fields } from "../GrpcDriver.ts"
import type { Named, Operation } from "./Operations.ts"

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1")
const LONG = latin1("long/".repeat(400))
const longKey = (rest: string): Buffer => Buffer.concat([LONG, latin1(rest)])

const SHORT_KEYS = ["a", "a\0", "a\0\0", "a!", "ab", "b", "c", "d"].map(latin1)
const ODD_KEYS = ["\0", "\0\0", "\0\xff", "$", "a\0\xff", "a\xff", "\xfe", "\xff", "\xff\xff"].map(latin1)
const LONG_KEYS = [LONG, longKey("\0"), longKey("a"), longKey("b"), longKey("b".repeat(900)), LONG.subarray(0, 1900)]
const EMPTY = Buffer.alloc(0)
const FROM_KEY = Buffer.alloc(1)

const anyOf = (keys: ReadonlyArray<Buffer>) => fc.constantFrom(...keys)
/** Keys that exist sooner or later. */
export const key = fc.oneof(
  { arbitrary: anyOf(SHORT_KEYS), weight: 12 },
  { arbitrary: anyOf(ODD_KEYS), weight: 4 },
  { arbitrary: anyOf(LONG_KEYS), weight: 2 }
)
const keyOrNone = fc.oneof({ arbitrary: key, weight: 40 }, { arbitrary: fc.constant(EMPTY), weight: 1 })
/** The end of a range: none, from-key, another key (so that some ranges are empty or inverted). */
const rangeEnd = fc.oneof(
  { arbitrary: fc.constant(EMPTY), weight: 6 },
  { arbitrary: fc.constant(FROM_KEY), weight: 4 },
  { arbitrary: key, weight: 6 }
)
const value = fc.oneof(
  { arbitrary: fc.constantFrom("", "x", "y", "z", "\0", "xx").map(latin1), weight: 30 },
  { arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)), weight: 3 }
)
const fill = (size: number): fc.Arbitrary<Named> =>
  fc.integer({ min: 97, max: 99 }).map((byte) => ({ named: "fill", byte, size }))
const bigValue = fc.oneof(fill(1_048_576), fill(1_572_000), fill(1_573_000), fill(2_200_000))

const HUGE = 2n ** 62n
const revisionAt = (name: "revision" | "compacted") =>
  fc.integer({ min: -4, max: 1 }).map((delta): Named => ({ named: name, delta }))
/** 0 mostly; around now and around the compacted revision; odd ones. */
const revision = fc.oneof(
  { arbitrary: fc.constant(0), weight: 8 },
  { arbitrary: fc.integer({ min: -9, max: 0 }).map((delta): Named => ({ named: "revision", delta })), weight: 10 },
  { arbitrary: revisionAt("compacted"), weight: 4 },
  { arbitrary: revisionAt("revision"), weight: 2 },
  { arbitrary: fc.constantFrom(-1, -2, 1, 2, 1_000_000, HUGE, -HUGE), weight: 2 }
)
const bound = fc.oneof(
  { arbitrary: fc.constant(0), weight: 8 },
  { arbitrary: fc.integer({ min: -9, max: 1 }).map((delta): Named => ({ named: "revision", delta })), weight: 3 },
  { arbitrary: fc.constantFrom(-1, 1, HUGE), weight: 1 }
)
const limit = fc.oneof(
  { arbitrary: fc.constant(0), weight: 6 },
  { arbitrary: fc.integer({ min: 1, max: 5 }), weight: 6 },
  { arbitrary: fc.constantFrom(-1, 1000, HUGE, 2n ** 63n - 1n, -HUGE), weight: 1 }
)
const rarely = fc.integer({ min: 0, max: 4 }).map((n) => n === 4)
const LEASES = [71, 72, 73, 2n ** 53n + 1n, -5]
const leaseId = fc.oneof(
  { arbitrary: fc.constantFrom(...LEASES), weight: 12 },
  { arbitrary: fc.constant(99), weight: 1 }
)
const leaseOrNone = fc.oneof({ arbitrary: fc.constant(0), weight: 4 }, { arbitrary: leaseId, weight: 2 })

const plainRange = fc.record({ key: keyOrNone, rangeEnd, limit, revision, keysOnly: rarely, countOnly: rarely })
const fullRange = fc.record({
  key: keyOrNone,
  rangeEnd,
  limit,
  revision,
  sortOrder: fc.oneof(
    { arbitrary: fc.constantFrom(0, 1, 2), weight: 20 },
    { arbitrary: fc.constantFrom(3, -1), weight: 1 }
  ),
  sortTarget: fc.oneof(
    { arbitrary: fc.constantFrom(0, 1, 2, 3, 4), weight: 20 },
    { arbitrary: fc.constantFrom(5, -1), weight: 1 }
  ),
  serializable: fc.boolean(),
  keysOnly: rarely,
  countOnly: rarely,
  minModRevision: bound,
  maxModRevision: bound,
  minCreateRevision: bound,
  maxCreateRevision: bound
})
const rangeRequest: fc.Arbitrary<Fields> = fc.oneof(plainRange, fullRange)
const putRequest: fc.Arbitrary<Fields> = fc.oneof(
  { arbitrary: fc.record({ key: keyOrNone, value, lease: leaseOrNone, prevKv: fc.boolean() }), weight: 4 },
  {
    arbitrary: fc.record({
      key,
      value,
      lease: leaseOrNone,
      prevKv: fc.boolean(),
      ignoreValue: rarely,
      ignoreLease: rarely
    }),
    weight: 1
  },
  {
    arbitrary: fc.record({
      key,
      lease: leaseOrNone,
      prevKv: fc.boolean(),
      ignoreValue: fc.boolean(),
      ignoreLease: fc.boolean()
    }),
    weight: 1
  }
)
const deleteRequest: fc.Arbitrary<Fields> = fc.record({ key: keyOrNone, rangeEnd, prevKv: fc.boolean() })

const compareValue = fc.oneof(
  fc.integer({ min: 0, max: 3 }).map((version) => ({ target: 0, version })),
  bound.map((createRevision) => ({ target: 1, createRevision })),
  bound.map((modRevision) => ({ target: 2, modRevision })),
  value.map((content) => ({ target: 3, value: content })),
  leaseOrNone.map((lease) => ({ target: 4, lease })),
  // A target whose value is of another kind, or that there is not.
  fc.record({ target: fc.constantFrom(0, 1, 2, 3, 4, 9), version: fc.constantFrom(0, 1) })
)
const compare: fc.Arbitrary<Fields> = fc
  .tuple(
    fc.record({
      key: fc.oneof({ arbitrary: key, weight: 30 }, { arbitrary: fc.constant(EMPTY), weight: 1 }),
      rangeEnd: fc.oneof({ arbitrary: fc.constant(EMPTY), weight: 3 }, { arbitrary: rangeEnd, weight: 1 }),
      result: fc.oneof({ arbitrary: fc.constantFrom(0, 1, 2, 3), weight: 30 }, { arbitrary: fc.constant(7), weight: 1 })
    }),
    compareValue
  )
  .map(([common, wanted]) => ({ ...common, ...wanted }))

const { txn: txnRequest } = fc.letrec<{ txn: Fields; op: Fields }>((tie) => ({
  op: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    { arbitrary: putRequest.map((requestPut) => ({ requestPut })), weight: 8 },
    { arbitrary: rangeRequest.map((requestRange) => ({ requestRange })), weight: 6 },
    { arbitrary: deleteRequest.map((requestDeleteRange) => ({ requestDeleteRange })), weight: 4 },
    { arbitrary: tie("txn").map((requestTxn) => ({ requestTxn })), weight: 3 },
    { arbitrary: fc.constant({}), weight: 1 }
  ),
  txn: fc.record({
    compare: fc.array(compare, { maxLength: 2, depthIdentifier: "txn" }),
    success: fc.array(tie("op"), { maxLength: 4, depthIdentifier: "txn" }),
    failure: fc.array(tie("op"), { maxLength: 3, depthIdentifier: "txn" })
  })
}))
/** What kube-apiserver sends: a write if the key has not moved, else a read. */
const guardedTxn: fc.Arbitrary<Fields> = fc
  .record({ key, wanted: bound, content: value, doomed: rarely })
  .map(({ content, doomed, key, wanted }) => ({
    compare: [{ target: 2, result: 0, key, modRevision: wanted }],
    success: [doomed ? { requestDeleteRange: { key, prevKv: true } } : { requestPut: { key, value: content } }],
    failure: [{ requestRange: { key } }]
  }))
const readOnlyTxn: fc.Arbitrary<Fields> = fc.record({
  compare: fc.array(compare, { maxLength: 2 }),
  success: fc.array(
    rangeRequest.map((requestRange) => ({ requestRange })),
    { maxLength: 3 }
  ),
  failure: fc.array(
    rangeRequest.map((requestRange) => ({ requestRange })),
    { maxLength: 2 }
  )
})
const crowdedTxn: fc.Arbitrary<Fields> = fc.constantFrom(127, 128, 129).chain((size) =>
  fc.constantFrom("compare", "success", "failure").map((list) => ({
    [list]: Array.from({ length: size }, (_, index) =>
      list === "compare" ? { key: latin1("a"), target: 0, version: 0 } : { requestPut: { key: latin1(`t${index}`) } }
    )
  }))
)
const anyTxn = fc.oneof(
  { arbitrary: txnRequest, weight: 12 },
  { arbitrary: guardedTxn, weight: 6 },
  { arbitrary: readOnlyTxn, weight: 3 },
  { arbitrary: crowdedTxn, weight: 1 }
)

const call =
  (method: Extract<Operation, { kind: "call" }>["method"]) =>
  (request: Fields): Operation => ({
    kind: "call",
    method,
    request
  })

const write = fc.oneof(
  { arbitrary: putRequest.map((request) => ({ method: "put" as const, request })), weight: 6 },
  { arbitrary: deleteRequest.map((request) => ({ method: "deleteRange" as const, request })), weight: 2 },
  { arbitrary: fc.oneof(txnRequest, guardedTxn).map((request) => ({ method: "txn" as const, request })), weight: 5 },
  { arbitrary: leaseId.map((id) => ({ method: "leaseRevoke" as const, request: { id } })), weight: 1 },
  { arbitrary: leaseId.map((id) => ({ method: "leaseGrant" as const, request: { id, ttl: 5000 } })), weight: 1 }
)

const watchStream = fc.integer({ min: 0, max: 2 })
const watchId = fc.oneof(
  { arbitrary: fc.constant(0), weight: 4 },
  { arbitrary: fc.constantFrom(1, 2, 7, -1, HUGE), weight: 2 }
)
const watchCreate: fc.Arbitrary<Fields> = fc
  .record({
    key: keyOrNone,
    rangeEnd: fc.oneof(rangeEnd, fc.constant(FROM_KEY)),
    startRevision: fc.oneof(
      revision,
      fc.integer({ min: 1, max: 4 }).map((delta): Named => ({ named: "revision", delta }))
    ),
    filters: fc.oneof({ arbitrary: fc.constant([]), weight: 4 }, { arbitrary: fc.subarray([0, 1]), weight: 1 }),
    prevKv: fc.boolean(),
    fragment: rarely,
    watchId
  })
  .map((createRequest) => ({ createRequest }))
const watch: fc.Arbitrary<Operation> = fc
  .tuple(
    watchStream,
    fc.oneof(
      { arbitrary: watchCreate, weight: 8 },
      { arbitrary: fc.constantFrom(0, 1, 2, 7, -1).map((id) => ({ cancelRequest: { watchId: id } })), weight: 2 },
      { arbitrary: fc.constant({ progressRequest: {} }), weight: 2 },
      { arbitrary: fc.constant({}), weight: 1 }
    )
  )
  .map(([stream, request]) => ({ kind: "watch", stream, request }))

const compaction = fc
  .record({
    revision: fc.oneof(
      { arbitrary: fc.integer({ min: -6, max: 0 }).map((delta): Named => ({ named: "revision", delta })), weight: 6 },
      { arbitrary: revision, weight: 2 }
    ),
    physical: fc.boolean()
  })
  .map(call("compact"))

const leases: fc.Arbitrary<Operation> = fc.oneof(
  {
    arbitrary: fc.record({ id: leaseId, ttl: fc.constantFrom(1000, 5000, 9_000_000_000) }).map(call("leaseGrant")),
    weight: 6
  },
  { arbitrary: leaseId.map((id) => call("leaseRevoke")({ id })), weight: 2 },
  { arbitrary: fc.record({ id: leaseId, keys: fc.boolean() }).map(call("leaseTimeToLive")), weight: 3 },
  { arbitrary: fc.constant(call("leaseLeases")({})), weight: 1 },
  {
    arbitrary: fc
      .array(leaseId, { maxLength: 3 })
      .map((ids): Operation => ({ kind: "stream", method: "leaseKeepAlive", requests: ids.map((id) => ({ id })) })),
    weight: 1
  },
  {
    arbitrary: fc
      .record({ id: fc.constantFrom(0, 88), ttl: fc.constantFrom(0, -1, 1, 9_000_000_001, HUGE, -HUGE) })
      .map((lease): Operation => ({ kind: "passing", ...lease })),
    weight: 1
  }
)

const maintenance: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ revision }).map(call("hashKv")),
  fc.constantFrom(
    call("status")({}),
    call("memberList")({}),
    call("alarm")({ action: 0 }),
    call("hash")({}),
    call("defragment")({}),
    call("moveLeader")({ targetId: 5 })
  )
)

/** One operation of a sequence; `rare` are those that take seconds. */
const operation = (rare: boolean): fc.Arbitrary<Operation> =>
  fc.oneof(
    { arbitrary: putRequest.map(call("put")), weight: 24 },
    { arbitrary: rangeRequest.map(call("range")), weight: 16 },
    { arbitrary: deleteRequest.map(call("deleteRange")), weight: 6 },
    { arbitrary: anyTxn.map(call("txn")), weight: 20 },
    {
      arbitrary: fc
        .array(write, { minLength: 2, maxLength: 6 })
        .map((writes): Operation => ({ kind: "burst", writes })),
      weight: 8
    },
    {
      arbitrary: rangeRequest.map((request): Operation => ({
        kind: "stream",
        method: "rangeStream",
        requests: [request]
      })),
      weight: 4
    },
    { arbitrary: compaction, weight: 2 },
    { arbitrary: leases, weight: 8 },
    { arbitrary: watch, weight: 10 },
    {
      arbitrary: fc
        .tuple(watchStream, fc.constantFrom("half", "cancel"))
        .map(([stream, how]): Operation => ({ kind: "endWatch", stream, how: how as "half" })),
      weight: 1
    },
    { arbitrary: maintenance, weight: 1 },
    ...(rare
      ? [
          { arbitrary: fc.record({ key, value: bigValue, prevKv: fc.boolean() }).map(call("put")), weight: 6 },
          { arbitrary: key.map((key): Operation => ({ kind: "expire", id: 55, key })), weight: 1 }
        ]
      : [])
  )

/** A sequence: most are short and quick; one in twelve has big values and expiring leases in it. */
export const sequence: fc.Arbitrary<ReadonlyArray<Operation>> = fc.oneof(
  { arbitrary: fc.array(operation(false), { minLength: 1, maxLength: 40, size: "max" }), weight: 11 },
  { arbitrary: fc.array(operation(true), { minLength: 1, maxLength: 25, size: "max" }), weight: 1 }
)

// The operations a load may mix, and the key spaces and values they work on, as a schema.
// Owns the vocabulary only; generator/ turns each operation into the bytes that go on the wire.
import { Effect, Schema } from "effect"
import { Count, Name, Size, Span } from "./Quantity.ts"

/** Every operation, with what it sends; the kube shapes are those of kube-apiserver 1.34 and later. */
export const operationNotes = {
  create: "Txn: if mod revision is 0 then put (kube-apiserver's create)",
  update: "Txn: if mod revision is n then put, else range (kube-apiserver's update)",
  delete: "Txn: if mod revision is n then delete, else range (kube-apiserver's delete)",
  get: "Range of one key, limit 1",
  list: "Range over the key space in pages of `limit`, every page at the first page's revision",
  staleList: "One page at a revision `revisionsBack` behind the newest one seen",
  count: "Range over the key space with count_only",
  rangeStream: "RangeStream over the key space (etcd 3.7); one action ends with the stream",
  put: "Put",
  deleteRange: "DeleteRange of `limit` neighbouring keys",
  leaseGrant: "LeaseGrant with `ttl`",
  leaseKeepAlive: "LeaseKeepAlive of a granted lease, on one stream per connection",
  leaseAttach: "Put with a granted lease attached",
  compact: "kube-apiserver's compaction: Txn on compact_rev_key, then Compact `retain` revisions back",
  snapshot: "Maintenance.Snapshot, read to its end"
} as const

export type OperationName = keyof typeof operationNotes

/** The names of all operations. */
export const operationNames = Object.keys(operationNotes) as ReadonlyArray<OperationName>

/** Value sizes: one size, or a range with its distribution. */
const ValueSize = Schema.Union([
  Size,
  Schema.Struct({
    min: Size,
    max: Size,
    distribution: Schema.Literals(["uniform", "logUniform"]).pipe(
      Schema.withDecodingDefaultKey(Effect.succeed("uniform" as const))
    )
  })
]).annotate({ description: "Bytes of each value: one size, or {min, max, distribution}" })

const weight = Schema.Finite.check(
  Schema.isBetween({ minimum: 0, maximum: 1e9, exclusiveMinimum: true }, { expected: "a weight above 0" })
).pipe(Schema.withDecodingDefaultKey(Effect.succeed(1)))

/** One entry of a mix. */
export const Operation = Schema.Struct({
  name: Schema.optionalKey(Name).annotate({ description: "Name in the report; by default that of the operation" }),
  op: Schema.Literals(operationNames).annotate({
    description: Object.entries(operationNotes)
      .map(([name, note]) => `${name}: ${note}`)
      .join("; ")
  }),
  weight,
  keys: Schema.optionalKey(Name).annotate({ description: "Name of the key space; may be left out when there is one" }),
  order: Schema.Literals(["uniform", "zipf", "sequential"])
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("uniform" as const)))
    .annotate({ description: "How a key is chosen among those that exist" }),
  value: Schema.optionalKey(ValueSize),
  limit: Schema.optionalKey(Count(1_000_000)).annotate({
    description: "Keys per page (list), keys deleted (deleteRange)"
  }),
  pages: Schema.optionalKey(Count(1_000_000)).annotate({
    description: "list: stop after this many pages; without it every page to the end"
  }),
  serializable: Schema.optionalKey(Schema.Boolean),
  keysOnly: Schema.optionalKey(Schema.Boolean),
  revisionsBack: Schema.optionalKey(Count(10_000_000)),
  retain: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1e9 }))),
  ttl: Schema.optionalKey(Span)
})

export type Operation = typeof Operation.Type

/** A named set of keys: a fixed prefix and a suffix made from the seed and the key's number. */
export const KeySpace = Schema.Struct({
  name: Name,
  prefix: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(512)),
  keyBytes: Count(4096).annotate({
    description: "Length of each key in bytes, prefix included (at least prefix + 16)"
  }),
  suffix: Schema.Literals(["random", "sequential"])
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed("random" as const)))
    .annotate({ description: "random scatters new keys over the space; sequential appends at its end" }),
  preset: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 50_000_000 }))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(0)))
    .annotate({ description: "Keys that put, get and leaseAttach may use from the start, whether they exist or not" })
})

export type KeySpace = typeof KeySpace.Type

/** The name under which an operation is recorded: its load comes first where a phase has several. */
export const recordedName = (loads: number, load: string, operation: string): string =>
  loads > 1 ? `${load}/${operation}` : operation

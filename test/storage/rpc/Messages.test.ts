import * as fc from "fast-check"
import protobuf from "protobufjs"
import { assert, describe, it } from "vitest"
import { type Message, ProtoError } from "#net"
import * as Admin from "../../../core/storage/rpc/AdminMessages.ts"
import * as Kv from "../../../core/storage/rpc/KvMessages.ts"
import { etcdProto } from "./EtcdProto.ts"

const judge = protobuf.parse(etcdProto, { keepCase: true }).root
judge.resolveAll()
const ours: Readonly<Record<string, unknown>> = {
  ...Kv,
  HashKvResponse: Admin.HashKvResponse,
  AlarmRequest: Admin.AlarmRequest,
  Member: Admin.Member
}
const types = judge.nestedArray.filter((one) => one instanceof protobuf.Type)
const codecOf = (type: protobuf.Type): Message<object> => ours[type.name] as Message<object>

const int64 = fc.oneof(
  fc.integer(),
  fc.constantFrom(0, 1, -1, 127, 128, 2 ** 31, 2 ** 32, 2 ** 53 - 1),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
)
const uint64 = fc.oneof(
  fc.nat(),
  fc.constantFrom(0, 1, 2 ** 32, 2 ** 53 - 1),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
)
/** The canonical form: a number where that is exact. */
const canonical = (value: number | bigint): number | bigint =>
  value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value

const scalars: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  bytes: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  string: fc.string({ unit: "grapheme", maxLength: 20 }),
  bool: fc.boolean(),
  int32: fc.oneof(fc.integer(), fc.constantFrom(0, 1, -1)),
  uint32: fc.oneof(fc.nat(), fc.constantFrom(0, 2 ** 32 - 1)),
  int64: int64.map(canonical),
  uint64: uint64.map(canonical)
}

/** Random content of a message, as our codecs take it. */
const content = (type: protobuf.Type, depth: number): fc.Arbitrary<Record<string, unknown>> => {
  const fields = type.fieldsArray.filter(({ resolvedType }) => depth > 0 || resolvedType === null)
  const one = (field: protobuf.Field): fc.Arbitrary<unknown> => {
    const { resolvedType } = field
    const plain = resolvedType instanceof protobuf.Type ? content(resolvedType, depth - 1) : scalars[field.type]
    return field.repeated ? fc.array(plain, { maxLength: 3 }) : plain
  }
  const alone = fields.filter(({ partOf }) => partOf === null)
  const record = fc.record(Object.fromEntries(alone.map((field) => [field.name, one(field)])), { requiredKeys: [] })
  const unions = type.oneofsArray.map(({ fieldsArray }) => {
    const members = fieldsArray.filter((field) => fields.includes(field))
    if (members.length === 0) return fc.constant({})
    return fc.oneof(fc.constant({}), ...members.map((field) => one(field).map((value) => ({ [field.name]: value }))))
  })
  return fc.tuple(record, ...unions).map((parts) => Object.assign({}, ...parts) as Record<string, unknown>)
}

/** Both sides' messages in one form: every field that is not at its default, 64-bit integers as text. */
const plain = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex")
  if (typeof value === "bigint" || typeof value === "number") return String(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, field]) => [name, plain(field)] as const)
      .filter(([, field]) => field !== undefined && field !== "" && field !== "0" && field !== false)
      .filter(([, field]) => !Array.isArray(field) || field.length > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1))
  )
}
const toJudge = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return value
  if (typeof value === "bigint") {
    return new protobuf.util.LongBits(Number(value & 0xffff_ffffn), Number((value >> 32n) & 0xffff_ffffn)).toLong()
  }
  if (Array.isArray(value)) return value.map(toJudge)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, toJudge(field)]))
}

describe.each(types.map((type) => [type.name, type] as const))("%s", (_name, type) => {
  it("is read by protobufjs as it was written, and the other way round", () => {
    const codec = codecOf(type)
    fc.assert(
      fc.property(content(type, 3), (message) => {
        const bytes = codec.encode(message)
        assert.deepStrictEqual(plain(codec.decode(bytes)), plain(message))
        assert.deepStrictEqual(
          plain(type.toObject(type.decode(bytes), { longs: String, bytes: Buffer })),
          plain(message)
        )
        const theirs = type.encode(toJudge(message) as Record<string, unknown>).finish()
        assert.deepStrictEqual(plain(codec.decode(Buffer.from(theirs))), plain(message))
      }),
      { numRuns: 60 }
    )
  })

  it("reads a damaged message as something or refuses it with a ProtoError", () => {
    const codec = codecOf(type)
    fc.assert(
      fc.property(content(type, 2), fc.nat(), fc.nat(255), fc.nat(), (message, at, byte, cut) => {
        const bytes = Buffer.from(codec.encode(message))
        if (bytes.length > 0) bytes[at % bytes.length] = byte
        for (const damaged of [bytes, bytes.subarray(0, cut % (bytes.length + 1))]) {
          try {
            codec.decode(damaged)
          } catch (error) {
            assert.instanceOf(error, ProtoError)
          }
        }
      }),
      { numRuns: 60 }
    )
  })
})

describe("any bytes", () => {
  it("never crash a codec", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.constantFrom(...types), (bytes, type) => {
        try {
          codecOf(type).decode(bytes)
        } catch (error) {
          assert.instanceOf(error, ProtoError)
        }
      }),
      { numRuns: 3000 }
    )
  })

  it("nested deeper than a stack are refused", () => {
    let bytes = Buffer.alloc(0)
    for (let depth = 0; depth < 20_000; depth++) {
      // success { request_txn { … } }
      const inner = Buffer.concat([Buffer.from([0x22]), lengthOf(bytes.length), bytes])
      bytes = Buffer.concat([Buffer.from([0x12]), lengthOf(inner.length), inner])
    }
    assert.throws(() => Kv.TxnRequest.decode(bytes), ProtoError)
  })
})

const lengthOf = (size: number): Buffer => {
  const bytes: Array<number> = []
  for (let rest = size; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest > 127 ? (rest % 128) | 128 : rest)
    if (rest <= 127) return Buffer.from(bytes)
  }
}

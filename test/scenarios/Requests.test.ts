// The hand-laid requests and the answer cursor, judged by the store's own message definitions.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import {
  CompactionRequest,
  DeleteRangeRequest,
  LeaseKeepAliveRequest,
  PutRequest,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
  WatchRequest
} from "../../core/storage/rpc/KvMessages.ts"
import { rawVarint, readRange, readWrite, subMessage, varintField } from "../../scenarios/generator/Answer.ts"
import {
  compactClaimRequest,
  compactRequest,
  createRequest,
  deleteRangeRequest,
  deleteRequest,
  leaseKeepAliveRequest,
  prefixEnd,
  putRequest,
  rangeRequest,
  updateRequest,
  watchRequest
} from "../../scenarios/generator/KubeRequests.ts"
import { varintBytes, writeVarint } from "../../scenarios/generator/Template.ts"

const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength })
const key = bytes(1, 300)
const value = bytes(1, 5000)
const revision = fc.oneof(fc.nat({ max: 300 }), fc.maxSafeNat())
const same = (left: Uint8Array | undefined, right: Uint8Array) =>
  assert.isTrue(left !== undefined && Buffer.from(left).equals(right), "the bytes differ")

describe("templates of kube-apiserver's transactions", () => {
  it("create: if mod revision is 0 then put, and nothing else", () => {
    fc.assert(
      fc.property(key, value, (key, value) => {
        const { compare, failure, success } = TxnRequest.decode(createRequest(key, value).bytes)
        assert.lengthOf(compare, 1)
        assert.include(compare[0], { result: 0, target: 2, modRevision: 0 })
        same(compare[0].key, key)
        same(success[0].requestPut?.key, key)
        same(success[0].requestPut?.value, value)
        assert.lengthOf(failure, 0)
      })
    )
  })

  it("update and delete: if mod revision is n then act, else range", () => {
    fc.assert(
      fc.property(key, value, revision, (key, value, revision) => {
        const update = TxnRequest.decode(updateRequest(key, value, revision).bytes)
        const remove = TxnRequest.decode(deleteRequest(key, revision).bytes)
        for (const { compare, failure } of [update, remove]) {
          assert.include(compare[0], { result: 0, target: 2, modRevision: revision })
          same(compare[0].key, key)
          same(failure[0].requestRange?.key, key)
        }
        same(update.success[0].requestPut?.value, value)
        same(remove.success[0].requestDeleteRange?.key, key)
      })
    )
  })

  it("patching keys, revision and value gives the bytes that laying out anew would give", () => {
    fc.assert(
      fc.property(
        bytes(20, 20),
        bytes(20, 20),
        bytes(64, 64),
        bytes(64, 64),
        fc.integer({ min: 128, max: 16_383 }),
        (a, b, v, w, n) => {
          const patched = updateRequest(a, v, 200)
          for (const at of patched.keysAt) patched.bytes.set(b, at)
          patched.bytes.set(w, patched.valueAt)
          writeVarint(patched.bytes, patched.revisionAt, n)
          same(patched.bytes, updateRequest(b, w, n).bytes)
        }
      )
    )
  })

  it("varints take the space that is said, for every whole number up to 2^53", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (number) => {
        const into = new Uint8Array(10)
        const end = writeVarint(into, 0, number)
        assert.strictEqual(end, varintBytes(number))
        assert.strictEqual(varintField(Uint8Array.from([8, ...into.subarray(0, end)]), 1), number)
      })
    )
  })
})

describe("other requests", () => {
  it("ranges carry their options, and absent ones are not written", () => {
    fc.assert(
      fc.property(
        key,
        key,
        fc.nat(),
        revision,
        fc.boolean(),
        fc.boolean(),
        (key, end, limit, revision, serializable, keysOnly) => {
          const decoded = RangeRequest.decode(rangeRequest(key, { end, limit, revision, serializable, keysOnly }).bytes)
          same(decoded.key, key)
          same(decoded.rangeEnd, end)
          assert.include(decoded, { limit, revision, serializable, keysOnly, countOnly: false })
        }
      )
    )
    assert.lengthOf(rangeRequest(Uint8Array.of(1), { limit: 0, revision: 0, serializable: false }).bytes, 3)
  })

  it("puts, range deletes, watches, compactions and keep-alives say what they are asked to say", () => {
    const [a, b] = [Uint8Array.of(97), Uint8Array.of(98)]
    const lease = Uint8Array.of(0xf1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)
    assert.strictEqual(PutRequest.decode(putRequest(a, b, lease).bytes).lease, 9_223_372_036_854_775_793n)
    assert.strictEqual(LeaseKeepAliveRequest.decode(leaseKeepAliveRequest(lease).bytes).id, 9_223_372_036_854_775_793n)
    same(DeleteRangeRequest.decode(deleteRangeRequest(a, b).bytes).rangeEnd, b)
    assert.strictEqual(CompactionRequest.decode(compactRequest(77).bytes).revision, 77)
    const watch = WatchRequest.decode(
      watchRequest(a, { end: b, startRevision: 5, prevKv: true, progressNotify: true, watchId: 3 }).bytes
    )
    assert.include(watch.createRequest, { startRevision: 5, prevKv: true, progressNotify: true, watchId: 3 })
    const claim = TxnRequest.decode(compactClaimRequest(4, 1234).bytes)
    assert.include(claim.compare[0], { target: 0, result: 0, version: 4 })
    assert.strictEqual(Buffer.from(claim.success[0].requestPut?.value ?? []).toString(), "1234")
  })

  it("the end of a prefix lies right behind every key with that prefix", () => {
    fc.assert(
      fc.property(bytes(1, 6), bytes(0, 6), bytes(1, 8), (prefix, rest, other) => {
        const end = Buffer.from(prefixEnd(prefix))
        if (prefix.every((byte) => byte === 0xff)) return assert.deepStrictEqual([...end], [0])
        const inside = Buffer.concat([prefix, rest])
        assert.isBelow(Buffer.compare(inside, end), 0)
        const between = Buffer.compare(other, Buffer.from(prefix)) >= 0 && Buffer.compare(other, end) < 0
        assert.strictEqual(between, Buffer.from(other).subarray(0, prefix.length).equals(prefix))
      })
    )
  })
})

describe("answers", () => {
  const header = (revision: number) => ({
    clusterId: 17_237_436_991_929_493_444n,
    memberId: 9_372_538_179_322_589_801n,
    revision,
    raftTerm: 2
  })

  it("gives revision and outcome of a transaction", () => {
    fc.assert(
      fc.property(revision, fc.boolean(), (revision, succeeded) => {
        const answer = readWrite(TxnResponse.encode({ header: header(revision), succeeded, responses: [] }))
        assert.include(answer, { revision, succeeded })
      })
    )
  })

  it("gives number, last key and last revision of a range, also inside the Else branch of a transaction", () => {
    const pair = fc.record({
      key,
      createRevision: revision,
      // A stored key has been modified at a revision: 0 never stands on the wire.
      modRevision: revision.filter((modified) => modified > 0),
      version: fc.nat(),
      value: bytes(0, 600),
      lease: fc.constant(0)
    })
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 20 }), fc.boolean(), revision, (kvs, more, revision) => {
        const range = { header: header(revision), kvs, more, count: kvs.length + 7 }
        const message = RangeResponse.encode(range)
        const answer = { ...readRange(message) }
        assert.include(answer, { keyValues: kvs.length, more, revision, count: kvs.length + 7 })
        const last = kvs.at(-1)
        if (last !== undefined) {
          assert.strictEqual(answer.modRevision, last.modRevision)
          same(message.subarray(answer.keyAt, answer.keyEnd), last.key)
        }
        const responses = [
          {
            responseRange: RangeResponse.make(range),
            responsePut: undefined,
            responseDeleteRange: undefined,
            responseTxn: undefined
          }
        ]
        const txn = TxnResponse.encode({ header: header(revision), succeeded: false, responses })
        assert.strictEqual(readRange(subMessage(subMessage(txn, 3), 1)).keyValues, kvs.length)
      })
    )
  })

  it("keeps every bit of a 64-bit id", () => {
    const id = 9_223_372_036_854_775_793n
    const message = LeaseKeepAliveRequest.encode({ id })
    const raw = rawVarint(message, 1)
    message.fill(0)
    assert.strictEqual(LeaseKeepAliveRequest.decode(leaseKeepAliveRequest(raw).bytes).id, id)
    assert.lengthOf(rawVarint(new Uint8Array(0), 1), 0)
  })
})

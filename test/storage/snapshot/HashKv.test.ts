import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { connect } from "#net"
import { crc32c } from "../../../core/storage/mvcc/Crc32c.ts"
import { program, startEtcd, startStore, temporaryFolder } from "./Programs.ts"
import { contents, hashKv, runWorkload } from "./Workload.ts"

describe("CRC-32C", () => {
  it("is that of RFC 3720", () => {
    assert.strictEqual(crc32c(Buffer.from("123456789")), 0xe3069283)
    assert.strictEqual(crc32c(Buffer.alloc(32)), 0x8a9136aa)
    assert.strictEqual(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43)
    assert.strictEqual(crc32c(Buffer.from("6789"), crc32c(Buffer.from("12345"))), 0xe3069283)
  })
})

describe("Maintenance.HashKV", () => {
  const cases = [
    { seed: 11, compactAfter: [] },
    { seed: 12, compactAfter: [150] },
    { seed: 13, compactAfter: [60, 150, 290] },
    { seed: 14, compactAfter: [299] },
    { seed: 15, compactAfter: [20, 40, 60, 80, 100, 120, 140, 160, 180, 200, 220, 240] }
  ]
  for (const { compactAfter, seed } of cases) {
    it.live(
      `equals a real etcd's after the same history (seed ${seed}, ${compactAfter.length} compactions)`,
      () =>
        Effect.gen(function* () {
          const etcd = yield* program("etcd")
          const folder = yield* temporaryFolder
          const ours = yield* startStore()
          const real = yield* startEtcd(etcd, folder, "--max-txn-ops", "1000")
          const theirs = yield* connect({ host: "127.0.0.1", port: real.port })
          const options = { seed, steps: 300, keys: 40, compactAfter }
          const { compacted, revision } = yield* runWorkload(ours.client, options)
          assert.deepStrictEqual(yield* runWorkload(theirs, options), { compacted, revision })
          assert.deepStrictEqual(yield* contents(ours.client, revision), yield* contents(theirs, revision))
          // At the compacted revision itself etcd answers the hash that it took while it compacted.
          for (let at = compacted + 1; at <= revision; at++) {
            const [mine, other] = [yield* hashKv(ours.client, at), yield* hashKv(theirs, at)]
            assert.deepStrictEqual(
              [mine.hash, mine.compactRevision, mine.hashRevision],
              [other.hash, other.compactRevision, other.hashRevision],
              `revision ${at}`
            )
          }
          assert.strictEqual((yield* hashKv(ours.client)).hash, (yield* hashKv(theirs)).hash)
          if (compacted > 1) assert.match((yield* Effect.flip(hashKv(ours.client, compacted - 1))).message, /compacted/)
          assert.match((yield* Effect.flip(hashKv(ours.client, revision + 1))).message, /future revision/)
        }),
      120_000
    )
  }
})

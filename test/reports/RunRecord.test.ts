import { assert, describe, it } from "@effect/vitest"
import { Ajv2020 } from "ajv/dist/2020.js"
import { Effect, Schema } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { Latency, RunRecord, runRecordJsonSchema } from "../../reports/index.ts"
import { syntheticRecord } from "./SyntheticRecord.ts"

const published = new URL("../../reports/run-record.schema.json", import.meta.url)

describe("the run record", () => {
  it("is published as a JSON Schema that is current", () => {
    if (process.env.UPDATE_SCHEMA) writeFileSync(published, `${JSON.stringify(runRecordJsonSchema(), null, 2)}\n`)
    assert.deepStrictEqual(
      JSON.parse(readFileSync(published, "utf8")),
      JSON.parse(JSON.stringify(runRecordJsonSchema())),
      "regenerate with: UPDATE_SCHEMA=1 npx vitest run --config test/vitest.config.ts test/reports/RunRecord.test.ts"
    )
  })

  it("validates what the runner writes and names what is wrong", () => {
    const validate = new Ajv2020({ strict: false }).compile(JSON.parse(readFileSync(published, "utf8")))
    const record = JSON.parse(JSON.stringify(syntheticRecord()))
    assert.isTrue(validate(record), JSON.stringify(validate.errors))
    assert.isFalse(validate({ ...record, durationMs: "long" }))
    assert.strictEqual(validate.errors?.[0]?.instancePath, "/durationMs")
  })

  it.effect("survives JSON and decodes to the same record", () =>
    Effect.gen(function* () {
      const record = syntheticRecord({ backend: "etcd", seed: 3 })
      const decoded = yield* Schema.decodeUnknownEffect(RunRecord)(JSON.parse(JSON.stringify(record)))
      assert.deepStrictEqual(decoded, record)
    })
  )

  it("keeps whole histograms that merge", () => {
    const [first, second] = [syntheticRecord({ seed: 1 }), syntheticRecord({ seed: 2 })]
    const parts = [first, second].flatMap((record) => record.operations.map((operation) => operation.latency))
    const merged = Latency.merge(parts)
    assert.strictEqual(
      merged.count,
      parts.reduce((sum, part) => sum + part.count, 0)
    )
    const highest = Math.max(...parts.map((part) => part.max ?? 0))
    assert.isTrue(Math.abs((merged.max ?? 0) / highest - 1) < 0.001, "the three significant digits of the histogram")
  })
})

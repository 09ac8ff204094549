// An event read in its bytes says what a parser says of it, however its JSON is written, or leaves it to the parser; and what comes again is
// known by its bytes alone.
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { auditHead } from "../../../core/tracing/ingest/AuditEvent.ts"
import { EventBytes } from "../../../core/tracing/ingest/EventBytes.ts"
import { JsonBroken } from "../../../core/tracing/ingest/JsonBytes.ts"
import { auditStream } from "../AuditStreams.ts"

const words = fc.constantFrom(
  "",
  "a",
  "get",
  "ü",
  "日本",
  'say "no"',
  "back\\slash",
  "\u0001",
  "node-17",
  "x".repeat(300)
)
const anything = fc.oneof(
  { weight: 6, arbitrary: words },
  fc.constantFrom(null, true, 7, -1.5, 200, 404, 1e3),
  fc.array(words, { maxLength: 2 }),
  fc.record({ username: words, code: fc.nat(999) })
)
const part = (...names: ReadonlyArray<string>) =>
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record(Object.fromEntries(names.map((name) => [name, anything])), { requiredKeys: [] })
    },
    anything
  )

const times = fc.constantFrom(
  "2026-11-28T08:00:05.123456Z",
  "2026-11-28T08:00:05Z",
  "2026-11-28T08:00:05.1Z",
  "2026-11-28T10:00:05+02:00"
)

const event = fc.record(
  {
    level: anything,
    auditID: fc.constantFrom("1", "2ü", 'q"'),
    stage: fc.constantFrom("ResponseComplete", "Panic"),
    requestURI: words,
    verb: fc.constantFrom("get", "create"),
    user: part("username", "groups", "extra"),
    impersonatedUser: part("username"),
    sourceIPs: fc.oneof(fc.array(anything, { maxLength: 3 }), anything),
    userAgent: anything,
    objectRef: part("apiGroup", "apiVersion", "resource", "subresource", "namespace", "name", "uid", "resourceVersion"),
    responseStatus: part("code", "reason", "message", "details", "metadata"),
    requestObject: anything,
    responseObject: part("kind", "metadata"),
    requestReceivedTimestamp: times,
    stageTimestamp: times,
    annotations: fc.oneof(fc.constant({ "audit.k8s.io/truncated": "true" }), part("audit.k8s.io/truncated", "x")),
    other: anything
  },
  { requiredKeys: ["auditID", "stage", "verb", "requestReceivedTimestamp", "stageTimestamp"] }
)

/** The JSON, spread out or with a member twice or a key in escapes, as a seed says. */
const written = (value: object, seed: number): string => {
  const text = JSON.stringify(value, undefined, seed % 4 === 0 ? 1 : undefined)
  if (seed % 5 === 0) return text.replace('"user"', String.raw`"\u0075ser"`)
  return seed % 7 === 0 ? text.replace(/\}$/, ',"verb":"delete","objectRef":{"name":"last"}}') : text
}

it("says what a parser says", () => {
  const reader = new EventBytes()
  fc.assert(
    fc.property(event, fc.nat(100), (value, seed) => {
      const text = written(value, seed)
      const bytes = Buffer.from(` ${text} `)
      expect(reader.read(bytes, 1)).toBe(bytes.length - 1)
      const head = reader.head()
      if (head !== undefined) expect(head).toEqual(auditHead(JSON.parse(text), "event"))
    }),
    { numRuns: 1000 }
  )
})

it("reads what an API server writes without a parser, the same each time", () => {
  const reader = new EventBytes()
  const texts = auditStream(
    Array.from({ length: 60 }, (_, at) => ({
      verb: "update" as const,
      object: at % 5,
      afterUs: 1000,
      code: at % 7 === 0 ? 409 : 200,
      level: "RequestResponse" as const
    }))
  )
  for (const text of [...texts, ...texts]) {
    reader.read(Buffer.from(text), 0)
    expect(reader.head()).toEqual(auditHead(JSON.parse(text), "event"))
    expect(reader.answer?.end).toBeGreaterThan(reader.answer?.start ?? 0)
  }
})

it("refuses what ends too early", () => {
  const [text] = auditStream([{ verb: "create", object: 2, afterUs: 5, code: 201, level: "RequestResponse" }])
  const reader = new EventBytes()
  for (let end = 1; end < text.length; end++) {
    expect(() => reader.read(Buffer.from(text.slice(0, end)), 0)).toThrow(JsonBroken)
  }
})

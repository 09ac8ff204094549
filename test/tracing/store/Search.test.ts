// Searches on disk find what the plain store finds, which looks at every fact: whatever is asked for, and whichever segment it is in.
import * as fc from "fast-check"
import { afterAll, beforeAll, expect, it } from "vitest"
import { machineClockwork } from "#kube"
import {
  eventListFacts,
  ingestSetting,
  MemorySpanStore,
  type ObjectKey,
  type ObjectQuery,
  type SpanStore,
  type TraceQuery
} from "#tracing"
import { auditStream, eventList, START_US, type Step } from "../AuditStreams.ts"
import { append, type OpenStore, openOnDisk, search } from "../Stores.ts"

const setting = ingestSetting({}, 1800)
const memory = new MemorySpanStore({ clockwork: machineClockwork })
let disk: OpenStore
/** Attributes and names of spans that are there. */
const attributes: Array<readonly [string, string]> = []
const names: Array<string> = []

beforeAll(async () => {
  disk = await openOnDisk()
  const steps: Array<Step> = []
  const verbs = ["create", "update", "patch", "delete", "status"] as const
  let chance = 7
  const next = (below: number): number => (chance = (chance * 48_271) % 2_147_483_647) % below
  for (let at = 0; at < 3000; at++) {
    steps.push({
      verb: verbs[next(5)],
      object: next(40),
      afterUs: 1 + next(6_000_000),
      code: next(6) === 0 ? 409 : 200,
      level: "RequestResponse"
    })
  }
  const events = auditStream(steps)
  for (let at = 0; at < events.length; at += 100) {
    const { facts } = eventListFacts(
      at % 200 === 0 ? "prod" : "test",
      eventList(events.slice(at, at + 100)),
      setting,
      () => {}
    )
    await append(memory, facts)
    await append(disk.store, facts)
  }
  const found = await search(memory, { service: "object", limit: 40 })
  for (const { traceId } of found) {
    for (const { attributes: said, name } of memory.trace(traceId, 20).next() ?? []) {
      names.push(name)
      attributes.push(...Object.entries(said))
    }
  }
})

afterAll(() => disk.close())

const END_US = START_US + 14_000_000_000

const query: fc.Arbitrary<TraceQuery> = fc.record(
  {
    service: fc.constantFrom("audit", "event", "link", "object"),
    operation: fc.nat().map((at) => names[at % names.length]),
    attributes: fc
      .array(
        fc.nat().map((at) => attributes[at % attributes.length]),
        { maxLength: 2 }
      )
      .map((pairs): Readonly<Record<string, string>> => Object.fromEntries(pairs)),
    fromUs: fc.integer({ min: START_US, max: END_US }),
    toUs: fc.integer({ min: START_US, max: END_US }),
    minDurationUs: fc.constantFrom(0, 4321, 4322, 1_800_000_000),
    maxDurationUs: fc.constantFrom(4320, 4321, 1_800_000_000),
    limit: fc.constantFrom(1, 3, 20, 1000)
  },
  { requiredKeys: ["limit"] }
)

it("finds the same traces in the same order", async () => {
  let hits = 0
  await fc.assert(
    fc.asyncProperty(query, async (asked) => {
      const expected = await search(memory, asked)
      hits += expected.length
      expect(await search(disk.store, asked)).toEqual(expected)
    }),
    { numRuns: 200 }
  )
  expect(hits).toBeGreaterThan(30)
})

const objects = (store: SpanStore, asked: ObjectQuery): Promise<ReadonlyArray<ObjectKey>> =>
  new Promise((resolve) => store.objects(asked, resolve))

it("finds the same objects, traces of an object, versions and names", async () => {
  const asked: fc.Arbitrary<ObjectQuery> = fc.record(
    {
      cluster: fc.constantFrom("prod", "test", "none"),
      group: fc.constantFrom("", "apps"),
      resource: fc.constantFrom("pods", "deployments", "secrets"),
      fromUs: fc.integer({ min: START_US, max: END_US }),
      toUs: fc.integer({ min: START_US, max: END_US }),
      limit: fc.constantFrom(1, 5, 500)
    },
    { requiredKeys: ["limit"] }
  )
  await fc.assert(
    fc.asyncProperty(asked, async (wanted) => {
      const expected = await objects(memory, wanted)
      expect(await objects(disk.store, wanted)).toEqual(expected)
      for (const object of expected.slice(0, 3)) {
        const range = { fromUs: START_US, toUs: wanted.toUs ?? END_US }
        expect(disk.store.tracesOf(object, range)).toEqual(memory.tracesOf(object, range))
        expect(disk.store.history(object, { limit: 50 })).toEqual(memory.history(object, { limit: 50 }))
      }
    }),
    { numRuns: 60 }
  )
  for (const service of ["audit", "event", "link", "object"] as const) {
    expect(disk.store.operations(service)).toEqual(memory.operations(service))
  }
  expect(disk.store.services()).toEqual(memory.services())
  expect(disk.store.clusters()).toEqual(["prod", "test"])
})

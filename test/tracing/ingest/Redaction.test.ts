// Nothing secret is written: not as a fact, not as a span, and not as a byte of the store's file, whatever the order of an object's fields.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { eventListFacts, ingestSetting } from "#tracing"
import { auditStream, eventList, SECRET_MARK, type Step } from "../AuditStreams.ts"
import { append, everything, openOnDisk, temporaryFolder } from "../Stores.ts"
import { rmSync } from "node:fs"

const setting = ingestSetting({}, 1800)

/** Secrets' own events and others', with bookkeeping full of marks. Object 3 is a Secret, failures tell of it in their message. */
const step: fc.Arbitrary<Step> = fc.record({
  verb: fc.constantFrom("create", "update", "patch", "delete"),
  object: fc.constantFrom(0, 2, 3, 3, 8),
  afterUs: fc.integer({ min: 1, max: 40_000_000 }),
  code: fc.constantFrom(200, 200, 201),
  level: fc.constant("RequestResponse")
})

const failing: fc.Arbitrary<Step> = step.map((made) => ({ ...made, object: 3, code: 422 }))

/** JSON of the same value with its fields in another order and spaces between. */
const reordered = (text: string, seed: number): string => {
  const shuffle = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shuffle)
    if (typeof value !== "object" || value === null) return value
    const entries = Object.entries(value).map(([name, field]) => [name, shuffle(field)] as const)
    return Object.fromEntries(seed % 2 === 0 ? entries.reverse() : entries.sort(([a], [b]) => (a < b ? 1 : -1)))
  }
  return JSON.stringify(shuffle(JSON.parse(text)), undefined, seed % 3 === 0 ? 2 : undefined)
}

it("writes no byte of a secret, of last-applied or of managed fields", async () => {
  const steps = fc.array(fc.oneof(step, failing), { minLength: 5, maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(5), async (made, seed) => {
      const events = auditStream(made).map((event) => reordered(event, seed))
      const directory = temporaryFolder()
      const opened = await openOnDisk({ directory, compress: false })
      const { facts } = eventListFacts("prod", eventList(events), setting, () => {})
      await append(opened.store, facts)
      const shown = await everything(opened.store)
      await opened.close()
      const bytes = readFileSync(join(directory, "traces.mdb"))
      rmSync(directory, { recursive: true })
      expect(bytes.includes("tester/1.0")).toBe(true)
      expect(bytes.includes(SECRET_MARK)).toBe(false)
      expect(shown.includes(SECRET_MARK)).toBe(false)
      expect(JSON.stringify(facts).includes(SECRET_MARK)).toBe(false)
    }),
    { numRuns: 25 }
  )
})

it("sees through keys that are written with escapes", () => {
  const [event] = auditStream([{ verb: "create", object: 0, afterUs: 5, code: 201, level: "RequestResponse" }])
  const hidden = event
    .replaceAll('"managedFields"', String.raw`"managed\u0046ields"`)
    .replaceAll('"kubectl.kubernetes.io/', String.raw`"kubectl.kubernetes.i\u006f/`)
  expect(hidden).not.toBe(event)
  const { facts } = eventListFacts("prod", eventList([hidden]), setting, () => {})
  expect(facts.some(({ kind }) => kind === "snapshot")).toBe(true)
  expect(JSON.stringify(facts).includes(SECRET_MARK)).toBe(false)
})

it("keeps an object that asks for it, or that configuration names, by name and version alone", () => {
  const [event] = auditStream([{ verb: "create", object: 0, afterUs: 5, code: 201, level: "RequestResponse" }])
  const labelled = event.replaceAll(
    '"metadata":{"name"',
    '"metadata":{"labels":{"kelemetry.kubewharf.io/diff-redacted":""},"name"'
  )
  const configured = ingestSetting({ redact: ["^apps/v1/deployments/default/dep-"] }, 1800)
  for (const [text, with_] of [
    [labelled, setting],
    [event, configured]
  ] as const) {
    const { facts } = eventListFacts("prod", eventList([text]), with_, () => {})
    const snapshot = facts.find((fact) => fact.kind === "snapshot")
    expect(snapshot?.redacted).toBe(true)
    expect(Object.keys(JSON.parse(snapshot?.body ?? "{}")).sort()).toEqual(["apiVersion", "kind", "metadata"])
  }
})

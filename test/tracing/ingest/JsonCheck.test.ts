// The walk that keeps bodies as they came accepts exactly what JSON.parse accepts, whatever is done to a text; and the facts of an event
// are the same whether its body was walked or parsed whole.
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { eventListFacts, type Fact, ingestSetting } from "#tracing"
import { checkValue } from "../../../core/tracing/ingest/JsonCheck.ts"
import { auditStream, eventList, type Step } from "../AuditStreams.ts"

const parses = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const isWalked = (text: string): boolean => {
  const bytes = Buffer.from(text)
  try {
    return checkValue(bytes, 0) === bytes.length
  } catch {
    return false
  }
}

const pieces = [
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"',
  "\\",
  "0",
  "-",
  ".",
  "e+1",
  "true",
  "nul",
  "\\u00g1",
  "\n",
  "\u0001",
  "é"
]

it("accepts what a parser accepts, and nothing else", () => {
  const text = fc.oneof(
    fc.json(),
    fc.json().map((json) => JSON.stringify(JSON.parse(json), undefined, 1)),
    fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((some) => some.join(""))
  )
  const change = fc.record({ at: fc.nat(), take: fc.nat(3), put: fc.constantFrom("", ...pieces) })
  fc.assert(
    fc.property(text, fc.array(change, { maxLength: 2 }), (made, changes) => {
      const told = changes.reduce((now, { at, put, take }) => {
        const place = at % (now.length + 1)
        return now.slice(0, place) + put + now.slice(place + take)
      }, made)
      // What stands around a value is not the value's.
      fc.pre(told === told.trim())
      expect(isWalked(told)).toBe(parses(told))
    }),
    { numRuns: 3000 }
  )
})

const step: fc.Arbitrary<Step> = fc.record({
  verb: fc.constantFrom("create", "update", "patch", "delete", "status"),
  object: fc.nat(9),
  afterUs: fc.integer({ min: 1, max: 40_000_000 }),
  code: fc.constantFrom(200, 200, 409),
  level: fc.constant("RequestResponse")
})

/** A key that is written with an escape is one that only a parser reads. */
const escaped = (event: string): string => event.replaceAll('"kind":', String.raw`"k\u0069nd":`)

const setting = ingestSetting({}, 1800)
const factsOf = (events: ReadonlyArray<string>): ReadonlyArray<Fact> =>
  eventListFacts("prod", eventList(events), setting, () => {}).facts

it("says of a walked body what it says of a parsed one", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      const events = auditStream(steps)
      const comparable = (facts: ReadonlyArray<Fact>) =>
        facts.map((fact) =>
          fact.kind === "snapshot" ? { ...fact, id: "", body: JSON.parse(fact.body) as unknown } : fact
        )
      expect(comparable(factsOf(events))).toEqual(comparable(factsOf(events.map(escaped))))
    }),
    { numRuns: 100 }
  )
})

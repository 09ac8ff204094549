// The same events in any order, cut into any batches, repeated as often as one likes: the same spans, byte for byte, on every store.
import { rmSync } from "node:fs"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { machineClockwork } from "#kube"
import { eventListFacts, type Fact, ingestSetting, MemorySpanStore } from "#tracing"
import { auditStream, eventList, type Step } from "../AuditStreams.ts"
import { append, everything, openOnDisk, temporaryFolder } from "../Stores.ts"

const step: fc.Arbitrary<Step> = fc.record({
  verb: fc.constantFrom("create", "update", "patch", "delete", "status"),
  object: fc.nat(7),
  afterUs: fc.integer({ min: 1, max: 40_000_000 }),
  code: fc.constantFrom(200, 200, 200, 201, 409),
  level: fc.constantFrom("RequestResponse", "RequestResponse", "Metadata")
})

const setting = ingestSetting({}, 1800)

const factsOf = (events: ReadonlyArray<string>): ReadonlyArray<Fact> =>
  eventListFacts("prod", eventList(events), setting, () => {}).facts

/** Events in another order, some of them again, cut into batches. */
const disturbed = (events: ReadonlyArray<string>) =>
  fc
    .tuple(
      fc.shuffledSubarray([...events], { minLength: events.length }),
      fc.subarray([...events]),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 12 })
    )
    .map(([shuffled, again, sizes]) => {
      const all = [...again, ...shuffled, ...again]
      const batches: Array<ReadonlyArray<string>> = []
      for (let at = 0, turn = 0; at < all.length; turn++) {
        const size = sizes[turn % sizes.length]
        batches.push(all.slice(at, at + size))
        at += size
      }
      return batches
    })

const life = fc.array(step, { minLength: 1, maxLength: 30 }).chain((steps) => {
  const events = auditStream(steps)
  return fc.record({ events: fc.constant(events), batches: disturbed(events) })
})

it("shows the same spans whatever the order, the repetition and the batches", async () => {
  await fc.assert(
    fc.asyncProperty(life, async ({ batches, events }) => {
      const inOrder = new MemorySpanStore({ clockwork: machineClockwork })
      await append(inOrder, factsOf(events))
      const other = new MemorySpanStore({ clockwork: machineClockwork })
      for (const batch of batches) await append(other, factsOf(batch))
      expect(await everything(other)).toBe(await everything(inOrder))
      expect(await everything(other)).not.toBe("")
    }),
    { numRuns: 150 }
  )
})

it("shows on disk what it shows in memory, after a restart as well", async () => {
  await fc.assert(
    fc.asyncProperty(life, fc.nat(), async ({ batches, events }, cut) => {
      const inOrder = new MemorySpanStore({ clockwork: machineClockwork })
      await append(inOrder, factsOf(events))
      const directory = temporaryFolder()
      const first = await openOnDisk({ directory })
      for (const batch of batches.slice(0, cut % batches.length)) await append(first.store, factsOf(batch))
      await first.close()
      const again = await openOnDisk({ directory })
      for (const batch of batches.slice(cut % batches.length)) await append(again.store, factsOf(batch))
      expect(await everything(again.store)).toBe(await everything(inOrder))
      expect(again.store.stats().facts).toBe(inOrder.stats().facts)
      await again.close()
      rmSync(directory, { recursive: true })
    }),
    { numRuns: 12 }
  )
})

// A store that is full drops its oldest facts and goes on; one that fails to take a batch keeps nothing of it.
import { rmSync } from "node:fs"
import { expect, it } from "vitest"
import { eventListFacts, type Fact, ingestSetting } from "#tracing"
import { auditStream, eventList, type Step } from "../AuditStreams.ts"
import { append, everything, openOnDisk, search, temporaryFolder } from "../Stores.ts"

const setting = ingestSetting({}, 1800)

const steps = (count: number): ReadonlyArray<Step> =>
  Array.from({ length: count }, (_, at) => ({
    verb: at < 40 ? ("create" as const) : ("update" as const),
    object: at % 40,
    afterUs: 1_000_001,
    code: 200,
    level: "RequestResponse" as const
  }))

const batches = (): ReadonlyArray<ReadonlyArray<Fact>> => {
  const events = auditStream(steps(1600))
  return Array.from({ length: 16 }, (_, at) => {
    return eventListFacts("prod", eventList(events.slice(at * 100, at * 100 + 100)), setting, () => {}).facts
  })
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20))
}

it("drops the oldest segments beyond its bytes, and is whole after a restart", async () => {
  const directory = temporaryFolder()
  const bounds = { bytesMax: 120_000 }
  const first = await openOnDisk({ directory, bounds })
  for (const facts of batches()) await append(first.store, facts)
  // On a slow machine the store's own timer has dropped some of them by now.
  const before = first.store.stats()
  await until(() => {
    // SAFETY: what the store does by its timer.
    ;(first.store as unknown as { retain: () => void }).retain()
    return first.store.stats().bytes <= bounds.bytesMax
  })
  const kept = first.store.stats()
  expect(kept.expired).toBeGreaterThan(0)
  expect(kept.facts + kept.expired).toBe(before.facts + before.expired)
  const newest = await search(first.store, { limit: 1 })
  expect(newest[0].newestUs).toBe(
    Math.max(
      ...batches()
        .flat()
        .filter(({ kind }) => kind === "audit")
        .map(({ atUs }) => atUs)
    )
  )
  const shown = await everything(first.store)
  await first.close()
  const again = await openOnDisk({ directory, bounds })
  expect(again.store.stats().facts).toBe(kept.facts)
  expect(await everything(again.store)).toBe(shown)
  await again.close()
  rmSync(directory, { recursive: true })
})

it("refuses more than may wait, and keeps what it took", async () => {
  const opened = await openOnDisk({ bounds: { waitingMax: 500 } })
  const outcomes = await Promise.all(
    batches().map(
      (facts) =>
        new Promise<readonly [string, number]>((resolve) =>
          opened.store.append(facts, ({ kind }) => resolve([kind, facts.length]))
        )
    )
  )
  const taken = outcomes.filter(([kind]) => kind === "durable")
  expect(taken.length).toBeGreaterThan(0)
  expect(outcomes.some(([kind]) => kind === "full")).toBe(true)
  for (const facts of batches()) await append(opened.store, facts)
  const all = new Set(batches().flatMap((facts) => facts.map(({ id }) => id)))
  expect(opened.store.stats().facts).toBe(all.size)
  await opened.close()
})

it("refuses another window length than its traces have", async () => {
  const directory = temporaryFolder()
  await (await openOnDisk({ directory })).close()
  await expect(openOnDisk({ directory, windowSeconds: 60 })).rejects.toThrow("holds windows of 1800 s, not 60 s")
  rmSync(directory, { recursive: true })
})

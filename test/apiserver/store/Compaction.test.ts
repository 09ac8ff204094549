// Which past a store keeps: every revision for the time it was promised, and hardly one for longer, whatever the store answers when.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { startCompaction } from "../../../core/apiserver/store/Compaction.ts"
import { type KeyValue, KeyValueFailure } from "../../../core/apiserver/store/KeyValue.ts"
import { VirtualClock } from "../../kube/VirtualClock.ts"

interface Round {
  /** How long the store takes to say its revision, in ms. */
  readonly lateMs: number
  readonly fails: boolean
}

const KEPT_MS = 300_000
const STEP_MS = KEPT_MS / 5
const rounds = fc.array(fc.record({ lateMs: fc.integer({ min: 0, max: 400_000 }), fails: fc.boolean() }), {
  minLength: 1,
  maxLength: 60
})

/** A store whose revision is the millisecond; what it was asked to forget, and when. */
const compacted = (all: ReadonlyArray<Round>) => {
  const clock = new VirtualClock(1)
  const asked: Array<{ readonly revision: number; readonly atMs: number }> = []
  let round = 0
  const store: Pick<KeyValue, "revision" | "compact"> = {
    revision: (done) => {
      const { fails, lateMs } = all[round++ % all.length]
      const now = clock.monotonic()
      const said = fails ? new KeyValueFailure("unavailable", "away") : now
      if (lateMs === 0) return done(said)
      clock.after(lateMs, () => done(said))
    },
    compact: (revision, done) => {
      asked.push({ revision, atMs: clock.monotonic() })
      done(undefined)
    }
  }
  const told: Array<number> = []
  // SAFETY: compaction asks for nothing else.
  const stop = startCompaction(store as KeyValue, clock, { intervalMs: KEPT_MS }, (revision) => told.push(revision))
  clock.run(all.length * STEP_MS)
  stop()
  const [rounded, before] = [round, asked.length]
  clock.run(10 * STEP_MS)
  assert.deepStrictEqual([round, asked.length], [rounded, before], "it goes on after it was stopped")
  assert.deepStrictEqual(
    told,
    asked.map(({ revision }) => revision)
  )
  return asked
}

describe("compaction", () => {
  it("keeps every revision for its time, whatever the store answers when", () => {
    fc.assert(
      fc.property(rounds, (all) => {
        for (const { atMs, revision } of compacted(all)) assert.isAtMost(revision, atMs - KEPT_MS)
      })
    )
  })

  it("keeps none for more than a step longer where the store answers at once", () => {
    const asked = compacted(Array.from({ length: 30 }, () => ({ lateMs: 0, fails: false })))
    assert.strictEqual(asked.length, 25)
    for (const { atMs, revision } of asked) assert.strictEqual(revision, atMs - KEPT_MS)
  })

  it("is never asked for where the past is kept for ever", () => {
    const clock = new VirtualClock(1)
    const never = (): never => assert.fail("the store was asked")
    startCompaction({ revision: never, compact: never } as unknown as KeyValue, clock, { intervalMs: 0 })
    clock.run(10 * KEPT_MS)
    assert.strictEqual(clock.monotonic(), 10 * KEPT_MS)
  })
})

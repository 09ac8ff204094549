// The watches of simulated clients: each goes on after a break from where it was, as client libraries do.
// Owns that life and hands every response to the watch's checker; refuses to judge.
import { FilterType } from "#storage"
import { StoreWatchChecker } from "../checkers/StoreWatchChecker.ts"
import type { Violations } from "../checkers/Violations.ts"
import type { StoreRecord } from "../history/StoreRecord.ts"
import type { StoreCalls } from "../store/StoreCalls.ts"
import type { SimProcess } from "../time/SimProcess.ts"
import { KEY_PREFIX, type StoreStep } from "./StoreWorkload.ts"

const RECONNECT_MS = 100
const bytes = (text: string): Buffer => Buffer.from(text, "latin1")

interface Following {
  checker: StoreWatchChecker
  /** Whether the stream stands: only then must everything have been told in the end. */
  live: boolean
}

export class StoreWatches {
  private readonly record: StoreRecord
  private readonly violations: Violations
  private readonly following = new Set<Following>()

  constructor(record: StoreRecord, violations: Violations) {
    this.record = record
    this.violations = violations
  }

  start(step: StoreStep & { readonly kind: "watch" }, process: SimProcess, calls: StoreCalls, known: number): void {
    const end = step.key === undefined ? `${KEY_PREFIX.slice(0, -1)}0` : undefined
    const key = step.key ?? KEY_PREFIX
    const filters = [...(step.puts ? [] : [FilterType.NoPut]), ...(step.deletes ? [] : [FilterType.NoDelete])]
    const following: Following = { checker: this.makeChecker(step, process, 0), live: false }
    this.following.add(following)
    const open = (startRevision: number): void => {
      const checker = this.makeChecker(step, process, startRevision)
      following.checker = checker
      const again = (): void => {
        following.live = false
        process.clockwork.after(RECONNECT_MS, () => open(startRevision === 0 && !told ? 0 : checker.resumeRevision))
      }
      let told = startRevision > 0
      const cancel = calls.watch(
        {
          key: bytes(key),
          rangeEnd: end === undefined ? Buffer.alloc(0) : bytes(end),
          startRevision,
          prevKv: step.previous,
          progressNotify: true,
          filters
        },
        {
          response: (response) => {
            process.note(22, Number(response.header?.revision ?? 0) * 64 + response.events.length)
            checker.response(response)
            told ||= response.events.length > 0
            if (response.created) following.live = true
            if (!response.canceled) return
            cancel()
            // What was asked for is compacted: a client lists again and follows from there.
            following.live = false
            const compacted = Number(response.compactRevision)
            process.clockwork.after(RECONNECT_MS, () => open(compacted > 0 ? compacted : 0))
          },
          ended: again
        }
      )
    }
    open(step.back === undefined ? 0 : Math.max(1, known - step.back))
  }

  /** Called when all is quiet. */
  finished(): void {
    for (const { checker, live } of this.following) if (live) checker.finished()
  }

  /** The store came back without what it had told. */
  lost(revision: number): void {
    for (const { checker } of this.following) checker.lost(revision)
  }

  private makeChecker(
    step: StoreStep & { readonly kind: "watch" },
    process: SimProcess,
    startRevision: number
  ): StoreWatchChecker {
    return new StoreWatchChecker(this.record, this.violations, {
      name: `${process.name}'s watch ${step.id}`,
      key: step.key ?? KEY_PREFIX,
      end: step.key === undefined ? `${KEY_PREFIX.slice(0, -1)}0` : undefined,
      startRevision,
      withPuts: step.puts,
      withDeletes: step.deletes,
      withPrevious: step.previous
    })
  }
}

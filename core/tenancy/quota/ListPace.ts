// How many lists are read and rewritten at once: as many as leave this process time for everybody's small requests.
// Owns the measure, by how much a timer is late, and the number that follows from it: one less for each late sample, a little more for
// each that is in time. Refuses to know who waits, which TenantTurns.ts does. Measures only while there are lists.
import type { Cancel, Clockwork } from "#kube"

/** Lists at once: however busy this process is, where it begins, and however idle it is. */
export interface ListPlaces {
  readonly min: number
  readonly start: number
  readonly max: number
}

export const defaultListPlaces: ListPlaces = { min: 2, start: 4, max: 16 }

const SAMPLE_MS = 10
/** A small request passes through the event loop four times, and waits about so long each time. */
const LATE_MS = 4
const MORE_IN_TIME = 0.1

export class ListPace {
  private readonly clockwork: Clockwork
  private readonly bounds: ListPlaces
  private readonly changed: (by: number) => void
  private places: number
  private lists = 0
  private stop: Cancel | undefined

  constructor(clockwork: Clockwork, bounds: ListPlaces, changed: (by: number) => void) {
    this.clockwork = clockwork
    this.bounds = bounds
    this.changed = changed
    this.places = bounds.start
  }

  /** A list came; the answer, once, that it is over. */
  began(): () => void {
    this.lists++
    if (this.stop === undefined) this.sample()
    let over = false
    return () => {
      if (over) return
      over = true
      this.lists--
    }
  }

  private sample(): void {
    const { clockwork } = this
    const dueMs = clockwork.monotonic() + SAMPLE_MS
    this.stop = clockwork.after(SAMPLE_MS, () => {
      this.stop = undefined
      this.judge(clockwork.monotonic() - dueMs)
      if (this.lists > 0) this.sample()
    })
  }

  private judge(lateMs: number): void {
    const { max, min } = this.bounds
    const before = Math.floor(this.places)
    this.places = lateMs > LATE_MS ? Math.max(min, before - 1) : Math.min(max, this.places + MORE_IN_TIME)
    const now = Math.floor(this.places)
    if (now !== before) this.changed(now - before)
  }
}

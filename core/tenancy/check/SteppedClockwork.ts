// Time as checks of the handler let it pass: nothing happens by itself, and what is due happens in its order.
// Owns the list of what is due; refuses chance: it draws the same middle each time.
import type { Cancel, Clockwork } from "#kube"

interface Due {
  readonly atMs: number
  readonly run: () => void
}

/** Steps of one stretch of time, above which something goes round in circles. */
const STEPS_MAX = 100_000

export class SteppedClockwork implements Clockwork {
  private nowMs = 0
  private due: Array<Due> = []

  readonly now = (): number => this.nowMs
  readonly monotonic = (): number => this.nowMs
  readonly random = (): number => 0.5
  readonly defer = (run: () => void): void => void this.after(0, run)

  readonly after = (delayMs: number, run: () => void): Cancel => {
    const due = { atMs: this.nowMs + Math.max(0, delayMs), run }
    // Behind what is due at the same time: the order of calls.
    let at = this.due.length
    while (at > 0 && (this.due[at - 1]?.atMs ?? 0) > due.atMs) at--
    this.due.splice(at, 0, due)
    return () => {
      this.due = this.due.filter((other) => other !== due)
    }
  }

  readonly every = (intervalMs: number, run: () => void): Cancel => {
    let cancel: Cancel = () => undefined
    const again = (): void => {
      cancel = this.after(intervalMs, again)
      run()
    }
    cancel = this.after(intervalMs, again)
    return () => cancel()
  }

  /** Lets so many milliseconds pass. */
  run(forMs: number): void {
    const endMs = this.nowMs + forMs
    for (let steps = 0; ; steps++) {
      if (steps > STEPS_MAX) throw new Error("a request goes round in circles")
      const [first] = this.due
      if (first === undefined || first.atMs > endMs) break
      this.due.shift()
      this.nowMs = first.atMs
      first.run()
    }
    this.nowMs = endMs
  }
}

// A Clockwork for tests whose time moves only when it is told to. Owns its timers; a seed decides its chance.
import type { Cancel, Clockwork } from "#kube"

export class VirtualClock implements Clockwork {
  nowMs = 0
  private seed: number
  private timers: Array<{ atMs: number; order: number; run: () => void }> = []
  private order = 0

  constructor(seed = 1) {
    this.seed = seed
  }

  readonly now = (): number => 1_700_000_000_000 + this.nowMs
  readonly monotonic = (): number => this.nowMs
  readonly random = (): number => {
    this.seed = (Math.imul(this.seed, 1_664_525) + 1_013_904_223) >>> 0
    return this.seed / 2 ** 32
  }
  readonly defer = (run: () => void): void => void this.after(0, run)
  readonly after = (delayMs: number, run: () => void): Cancel => {
    const timer = { atMs: this.nowMs + Math.max(0, delayMs), order: this.order++, run }
    this.timers.push(timer)
    return () => void (this.timers = this.timers.filter((other) => other !== timer))
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

  /** Lets time pass, with everything that falls due in it. */
  advance(byMs: number): void {
    const untilMs = this.nowMs + byMs
    for (;;) {
      let next: (typeof this.timers)[number] | undefined
      for (const timer of this.timers) {
        if (timer.atMs > untilMs) continue
        if (next === undefined || timer.atMs < next.atMs || (timer.atMs === next.atMs && timer.order < next.order))
          next = timer
      }
      if (next === undefined) break
      const due = next
      this.timers = this.timers.filter((other) => other !== due)
      this.nowMs = Math.max(this.nowMs, due.atMs)
      due.run()
    }
    this.nowMs = untilMs
  }
}

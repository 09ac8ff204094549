// The clock of a load generator, and what is counted per phase beside operations: the longest pause, broken promises.
// Owns that state; the moment is taken once per event and shared by everything that the event causes.

/** Moments in ms, and what a phase came to. */
export class PhaseClock {
  readonly seed: number
  /** Moment of the current event in ms, taken once per answer. */
  now = performance.now()
  /** The longest time in ms in which nothing ended although something was in flight, and when it ended. */
  pauseMs = 0
  pauseEndedAt = 0
  /** Broken promises seen in answers, by rule. */
  readonly violations = new Map<string, number>()
  #lastCompletion = 0

  constructor(seed: number) {
    this.seed = seed
  }

  tick(): void {
    this.now = performance.now()
  }

  /** Something that was sent at `sentAt` has ended now. */
  completed(sentAt: number): void {
    const quiet = this.now - Math.max(this.#lastCompletion, sentAt)
    if (quiet > this.pauseMs) {
      this.pauseMs = quiet
      this.pauseEndedAt = this.now
    }
    this.#lastCompletion = this.now
  }

  violated(rule: string): void {
    this.violations.set(rule, (this.violations.get(rule) ?? 0) + 1)
  }

  /** Forgets what is counted per phase. */
  startPhase(): void {
    this.tick()
    this.pauseMs = 0
    this.pauseEndedAt = this.now
    this.#lastCompletion = this.now
    this.violations.clear()
  }
}

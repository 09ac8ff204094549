// Facts from sources that cannot be told to come again later (watches, log files): they wait here, bounded, until the store has taken them.
// Owns the wait, the retry and the bound, at which the source is told to pause; refuses to drop anything.
import type { Clockwork } from "#kube"
import type { Fact } from "../model/Fact.ts"
import type { Appended, SpanStore } from "../store/SpanStore.ts"

export interface FactQueueOptions {
  readonly store: SpanStore
  readonly clockwork: Clockwork
  readonly onTaken: (outcome: Extract<Appended, { readonly kind: "durable" }>) => void
  readonly onTrouble: (detail: string) => void
}

/** Facts of one append. */
const APPEND_MAX = 4096
/** Facts beyond which a source should pause. */
const HIGH_WATER = 65_536
const RETRY_MS = 1000

interface Mark {
  readonly at: number
  readonly done: () => void
}

export class FactQueue {
  private readonly options: FactQueueOptions
  private readonly waiting: Array<Fact> = []
  private marks: Array<Mark> = []
  private appending = false
  private added = 0
  private taken = 0
  private resume: Array<() => void> = []

  constructor(options: FactQueueOptions) {
    this.options = options
  }

  /** Takes facts; false when the source should wait for `onRoom`. */
  add(facts: ReadonlyArray<Fact>): boolean {
    for (const fact of facts) this.waiting.push(fact)
    this.added += facts.length
    if (facts.length > 0) this.pump()
    return this.waiting.length < HIGH_WATER
  }

  get length(): number {
    return this.waiting.length
  }

  /** Calls once when everything added so far is durable. */
  afterAll(done: () => void): void {
    if (this.taken === this.added) return this.options.clockwork.defer(done)
    this.marks.push({ at: this.added, done })
  }

  onRoom(resume: () => void): void {
    if (this.waiting.length < HIGH_WATER / 2) this.options.clockwork.defer(resume)
    else this.resume.push(resume)
  }

  private pump(): void {
    if (this.appending || this.waiting.length === 0) return
    this.appending = true
    // Facts of the same turn go together.
    this.options.clockwork.defer(() => this.append())
  }

  private append(): void {
    const { clockwork, onTaken, onTrouble, store } = this.options
    const facts = this.waiting.slice(0, APPEND_MAX)
    store.append(facts, (outcome) => {
      if (outcome.kind === "durable") {
        this.waiting.splice(0, facts.length)
        this.taken += facts.length
        this.appending = false
        onTaken(outcome)
        this.settle()
        this.pump()
        return
      }
      if (outcome.kind === "failed") onTrouble(outcome.detail)
      clockwork.after(outcome.kind === "full" ? outcome.retryAfterMs : RETRY_MS, () => this.append())
    })
  }

  private settle(): void {
    const due = this.marks.filter(({ at }) => at <= this.taken)
    this.marks = this.marks.filter(({ at }) => at > this.taken)
    for (const { done } of due) done()
    if (this.waiting.length >= HIGH_WATER / 2) return
    const { resume } = this
    this.resume = []
    for (const again of resume) again()
  }
}

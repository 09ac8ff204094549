// The nodes of one zone that wait for their taint, let through at a rate: a zone that dies must not take all its pods at once.
// Owns order, rate and the memory of who was through; refuses to taint. Bound: one entry for each node of the zone.
import type { Clockwork } from "#kube"

export class EvictionQueue {
  readonly #clockwork: Clockwork
  /** In their order, with the moment before which each must not be tried. */
  readonly #waiting = new Map<string, number>()
  /** Those that were let through and not removed since. */
  readonly #passed = new Set<string>()
  #perSecond: number
  /** One node may go at once; a token comes back every 1 / perSecond seconds. */
  #tokens = 1
  #filledMs: number

  constructor(clockwork: Clockwork, perSecond: number) {
    this.#clockwork = clockwork
    this.#perSecond = perSecond
    this.#filledMs = clockwork.monotonic()
  }

  get length(): number {
    return this.#waiting.size
  }

  get perSecond(): number {
    return this.#perSecond
  }

  /** Adds a node that neither waits nor was let through; answers whether it did neither. */
  add(node: string): boolean {
    if (this.#passed.has(node) || this.#waiting.has(node)) return false
    this.#waiting.set(node, this.#clockwork.monotonic())
    return true
  }

  /** A node that was let through has no taint all the same: it may be added again. */
  forgetPassed(node: string): void {
    this.#passed.delete(node)
  }

  /** The node need not be tainted any more, and may be added again. */
  remove(node: string): boolean {
    const wasPassed = this.#passed.delete(node)
    return this.#waiting.delete(node) || wasPassed
  }

  /** A new rate; one that was exhausted stays so until its first token is due. */
  setRate(perSecond: number): void {
    if (perSecond === this.#perSecond) return
    const isExhausted = this.#perSecond <= 0 || this.#fill() < 1
    this.#perSecond = perSecond
    this.#tokens = perSecond <= 0 || isExhausted ? 0 : 1
    this.#filledMs = this.#clockwork.monotonic()
  }

  /** The next node, if one may go now. `retry` puts it back. */
  take(): string | undefined {
    const next = this.#first()
    if (next === undefined || this.#perSecond <= 0 || this.#fill() < 1) return undefined
    const [node, notBeforeMs] = next
    if (this.#clockwork.monotonic() < notBeforeMs) return undefined
    this.#tokens--
    this.#waiting.delete(node)
    this.#passed.add(node)
    return node
  }

  /** A node that was taken could not be tainted. */
  retry(node: string, delayMs: number): void {
    if (this.#passed.delete(node)) this.#waiting.set(node, this.#clockwork.monotonic() + delayMs)
  }

  /** Milliseconds until `take` may answer a node; undefined while nothing waits or nothing may go. */
  dueInMs(): number | undefined {
    const next = this.#first()
    if (next === undefined || this.#perSecond <= 0) return undefined
    const tokenMs = this.#fill() >= 1 ? 0 : ((1 - this.#tokens) / this.#perSecond) * 1000
    return Math.max(tokenMs, next[1] - this.#clockwork.monotonic(), 0)
  }

  #first(): readonly [node: string, notBeforeMs: number] | undefined {
    for (const entry of this.#waiting) return entry
    return undefined
  }

  #fill(): number {
    const now = this.#clockwork.monotonic()
    this.#tokens = Math.min(1, this.#tokens + ((now - this.#filledMs) / 1000) * this.#perSecond)
    this.#filledMs = now
    return this.#tokens
  }
}

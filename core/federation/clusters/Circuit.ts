// Whether a member is worth asking: after failures in a row it is left alone for a while, then tried with one call.
// Owns this state; refuses to decide what a failure is, and to send anything.
import type { Clockwork } from "#kube"

/** When a circuit opens, and for how long. */
export interface CircuitBounds {
  /** Failures in a row. */
  readonly failuresMax: number
  readonly firstMs: number
  /** The wait doubles with each failed trial up to this. */
  readonly longestMs: number
}

/** Five failures; one second, doubled up to half a minute. */
export const usualCircuit: CircuitBounds = { failuresMax: 5, firstMs: 1000, longestMs: 30_000 }

export class Circuit {
  readonly #clockwork: Clockwork
  readonly #bounds: CircuitBounds
  #failures = 0
  #waitMs: number
  #opensAt = -Infinity
  #open = false
  #trying = false

  constructor(clockwork: Clockwork, bounds: CircuitBounds = usualCircuit) {
    this.#clockwork = clockwork
    this.#bounds = bounds
    this.#waitMs = bounds.firstMs
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** Milliseconds until a call may be tried; 0: now. */
  waitMs(): number {
    if (!this.#open) return 0
    const left = this.#opensAt - this.#clockwork.monotonic()
    // While one call tries, the others wait for its end, which they cannot know: they look again.
    return left > 0 ? left : this.#trying ? this.#bounds.firstMs : 0
  }

  /** Whether a call may be made now; one that may must end with `succeeded` or `failed`. */
  enter(): boolean {
    if (!this.#open) return true
    if (this.#trying || this.#opensAt > this.#clockwork.monotonic()) return false
    this.#trying = true
    return true
  }

  succeeded(): void {
    this.#failures = 0
    this.#open = false
    this.#trying = false
    this.#waitMs = this.#bounds.firstMs
  }

  failed(): void {
    this.#failures++
    const again = this.#trying
    this.#trying = false
    if (!again && this.#failures < this.#bounds.failuresMax) return
    if (this.#open && !again) return
    if (again) this.#waitMs = Math.min(this.#bounds.longestMs, this.#waitMs * 2)
    this.#open = true
    this.#opensAt = this.#clockwork.monotonic() + this.#waitMs
  }
}

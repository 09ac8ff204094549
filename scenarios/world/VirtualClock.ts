// The time of a world that may not be there yet: what measures a world's clients is made before the world is.
// Owns that indirection and nothing else; time itself is the kernel's.

/** Milliseconds since the world began. */
export interface VirtualClock {
  readonly nowMs: number
}

/** A clock that stands at 0 until it is given a world's. */
export class LateClock implements VirtualClock {
  private source: VirtualClock | undefined

  get nowMs(): number {
    return this.source?.nowMs ?? 0
  }

  follow(source: VirtualClock): void {
    this.source = source
  }
}

// A cache with two bounds: how many entries it holds, and until when each is good.
// Owns recency by the order of a Map; refuses a clock, which callers bring.

interface Entry<V> {
  readonly value: V
  readonly untilMs: number
}

export class LruCache<V> {
  private readonly entries = new Map<string, Entry<V>>()
  private readonly max: number

  /** At the bound the entry that was used longest ago goes. */
  constructor(max: number) {
    this.max = max
  }

  get size(): number {
    return this.entries.size
  }

  get(key: string, nowMs: number): V | undefined {
    const entry = this.entries.get(key)
    if (entry === undefined) return undefined
    this.entries.delete(key)
    if (nowMs >= entry.untilMs) return undefined
    this.entries.set(key, entry)
    return entry.value
  }

  set(key: string, value: V, untilMs: number): void {
    this.entries.delete(key)
    this.entries.set(key, { value, untilMs })
    if (this.entries.size <= this.max) return
    for (const oldest of this.entries.keys()) {
      this.entries.delete(oldest)
      return
    }
  }
}

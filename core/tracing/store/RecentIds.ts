// Which facts were stored lately, so that a repeated batch is not stored again: 64-bit ids in two open tables, the older of which is
// emptied when the newer is full. Owns that memory and its bound; refuses to be the truth: what it has forgotten is told apart on reading.

/** Slots of one table; half of them are used. 32 bytes of memory for each id that is remembered. */
export class RecentIds {
  private readonly max: number
  private newer: Table
  private older: Table

  /** Remembers at least the last `max` ids. */
  constructor(max: number) {
    this.max = Math.max(16, max)
    const slots = 2 ** Math.ceil(Math.log2(this.max * 2))
    this.newer = new Table(slots)
    this.older = new Table(slots)
  }

  has(high: number, low: number): boolean {
    return this.newer.has(high, low) || this.older.has(high, low)
  }

  add(high: number, low: number): void {
    if (this.newer.size >= this.max) {
      const emptied = this.older
      emptied.clear()
      this.older = this.newer
      this.newer = emptied
    }
    this.newer.add(high, low)
  }
}

class Table {
  size = 0
  private readonly mask: number
  private readonly words: Uint32Array
  private zero = false

  constructor(slots: number) {
    this.mask = slots - 1
    this.words = new Uint32Array(slots * 2)
  }

  has(high: number, low: number): boolean {
    if (high === 0 && low === 0) return this.zero
    return this.words[this.place(high, low) + 1] !== 0 || this.words[this.place(high, low)] !== 0
  }

  add(high: number, low: number): void {
    if (high === 0 && low === 0) {
      this.zero = true
      return
    }
    const at = this.place(high, low)
    if (this.words[at] !== 0 || this.words[at + 1] !== 0) return
    this.words[at] = high
    this.words[at + 1] = low
    this.size++
  }

  clear(): void {
    this.words.fill(0)
    this.size = 0
    this.zero = false
  }

  /** Where the id is, or the empty slot where it would be. Ids are hashes, so their own bits spread them. */
  private place(high: number, low: number): number {
    for (let slot = low & this.mask; ; slot = (slot + 1) & this.mask) {
      const at = slot * 2
      const [a, b] = [this.words[at], this.words[at + 1]]
      if ((a === high && b === low) || (a === 0 && b === 0)) return at
    }
  }
}

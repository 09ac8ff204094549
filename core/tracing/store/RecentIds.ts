// Which facts were taken lately, so that a repeated batch is not stored again: 64-bit ids in two open tables, the older of which is
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

  /** Remembers an id; false when it was known. */
  add(high: number, low: number): boolean {
    if (this.older.size > 0 && this.older.has(high, low)) return false
    if (this.newer.size >= this.max) {
      if (this.newer.has(high, low)) return false
      const emptied = this.older
      emptied.clear()
      this.older = this.newer
      this.newer = emptied
    }
    return this.newer.add(high, low)
  }

  /** Forgets an id. */
  remove(high: number, low: number): void {
    this.newer.remove(high, low)
    this.older.remove(high, low)
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
    return this.isTaken(this.slotOf(high, low))
  }

  add(high: number, low: number): boolean {
    if (high === 0 && low === 0) {
      const known = this.zero
      this.zero = true
      return !known
    }
    const slot = this.slotOf(high, low)
    if (this.isTaken(slot)) return false
    this.put(slot, high, low)
    this.size++
    return true
  }

  remove(high: number, low: number): void {
    if (high === 0 && low === 0) {
      this.zero = false
      return
    }
    const { mask, words } = this
    let hole = this.slotOf(high, low)
    if (!this.isTaken(hole)) return
    // What was put further on because this slot was taken moves back, so that it is still found.
    for (let slot = (hole + 1) & mask; this.isTaken(slot); slot = (slot + 1) & mask) {
      const home = words[slot * 2 + 1] & mask
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      this.put(hole, words[slot * 2], words[slot * 2 + 1])
      hole = slot
    }
    this.put(hole, 0, 0)
    this.size--
  }

  clear(): void {
    this.words.fill(0)
    this.size = 0
    this.zero = false
  }

  private isTaken(slot: number): boolean {
    return this.words[slot * 2] !== 0 || this.words[slot * 2 + 1] !== 0
  }

  private put(slot: number, high: number, low: number): void {
    this.words[slot * 2] = high
    this.words[slot * 2 + 1] = low
  }

  /** Where the id is, or the empty slot where it would be. Ids are hashes, so their own bits spread them. */
  private slotOf(high: number, low: number): number {
    const { mask, words } = this
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const found = words[slot * 2]
      const rest = words[slot * 2 + 1]
      if ((found === high && rest === low) || (found === 0 && rest === 0)) return slot
    }
  }
}

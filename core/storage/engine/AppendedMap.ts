// An ordered map for keys that mostly come in ascending order and go from the front, as a log's do: two arrays that are used round
// and round. Owns order; refuses to be quick where keys come out of order, which they may.
// The arrays are replaced only to grow, and are empty when they are given up: what a forgotten old array still names, each collection
// of young garbage takes for alive and keeps for long.

const PLACES_MIN = 1024

export class AppendedMap<V> {
  private keys: Array<string | undefined> = emptyPlaces(PLACES_MIN)
  private values: Array<V | undefined> = emptyPlaces(PLACES_MIN)
  /** The first row and the one after the last, counted from the first ever; a row's place is its number modulo the places. */
  private head = 0
  private tail = 0
  private mask = PLACES_MIN - 1

  get size(): number {
    return this.tail - this.head
  }

  get(key: string): V | undefined {
    const at = this.find(key)
    return at < this.tail && this.keyAt(at) === key ? this.values[at & this.mask] : undefined
  }

  set(key: string, value: V): void {
    if (this.size === 0 || this.keyAt(this.tail - 1) < key) return this.insert(this.tail, key, value)
    const at = this.find(key)
    if (this.keyAt(at) === key) this.values[at & this.mask] = value
    else this.insert(at, key, value)
  }

  delete(key: string): void {
    if (this.size === 0) return
    const at = this.keyAt(this.head) === key ? this.head : this.find(key)
    if (at >= this.tail || this.keyAt(at) !== key) return
    // What stood before it moves up: nothing, where it goes from the front.
    for (let to = at; to > this.head; to--) this.move(to - 1, to)
    this.empty(this.head++)
  }

  clear(): void {
    while (this.head < this.tail) this.empty(this.head++)
    this.head = this.tail = 0
  }

  /** Visits [start, end) in order until the visitor returns false. */
  scan(start: string, end: string | undefined, visit: (key: string, value: V) => boolean): void {
    for (let at = this.find(start); at < this.tail; at++) {
      const key = this.keyAt(at)
      if (end !== undefined && key >= end) return
      // SAFETY: every row has a value.
      if (!visit(key, this.values[at & this.mask] as V)) return
    }
  }

  /** How many keys lie in [start, end). */
  count(start: string, end: string | undefined): number {
    const last = end === undefined ? this.tail : this.find(end)
    return Math.max(0, last - this.find(start))
  }

  private keyAt(at: number): string {
    // SAFETY: asked only of rows that are there.
    return this.keys[at & this.mask] as string
  }

  private insert(at: number, key: string, value: V): void {
    if (this.size > this.mask) this.grow()
    for (let to = this.tail++; to > at; to--) this.move(to - 1, to)
    this.keys[at & this.mask] = key
    this.values[at & this.mask] = value
  }

  private move(from: number, to: number): void {
    this.keys[to & this.mask] = this.keys[from & this.mask]
    this.values[to & this.mask] = this.values[from & this.mask]
  }

  private empty(at: number): void {
    this.keys[at & this.mask] = undefined
    this.values[at & this.mask] = undefined
  }

  private grow(): void {
    const { head, keys, mask, tail, values } = this
    const places = (mask + 1) * 2
    this.keys = emptyPlaces(places)
    this.values = emptyPlaces(places)
    this.mask = places - 1
    for (let at = head; at < tail; at++) {
      this.keys[at & this.mask] = keys[at & mask]
      this.values[at & this.mask] = values[at & mask]
    }
    keys.fill(undefined)
    values.fill(undefined)
  }

  /** The first row whose key is not before the given one. */
  private find(key: string): number {
    let low = this.head
    let high = this.tail
    while (low < high) {
      const middle = low + ((high - low) >> 1)
      if (this.keyAt(middle) < key) low = middle + 1
      else high = middle
    }
    return low
  }
}

const emptyPlaces = <A>(places: number): Array<A | undefined> => Array.from({ length: places }, () => undefined)

// An ordered map for keys that mostly come in ascending order and go from the front, as a log's do: two arrays.
// Owns order; refuses to be quick where keys come out of order, which they may.
import { lowerBound } from "./SortedMap.ts"

/** Places in front that are given back at once. */
const GIVEN_BACK = 4096

export class AppendedMap<V> {
  private keys: Array<string> = []
  private values: Array<V | undefined> = []
  /** Places before this one are free. */
  private head = 0

  get size(): number {
    return this.keys.length - this.head
  }

  get(key: string): V | undefined {
    const at = this.find(key)
    return at < this.keys.length && this.keys[at] === key ? this.values[at] : undefined
  }

  set(key: string, value: V): void {
    const { keys, values } = this
    if (this.size === 0 || keys[keys.length - 1] < key) {
      keys.push(key)
      values.push(value)
      return
    }
    const at = this.find(key)
    const isThere = keys[at] === key
    keys.splice(at, isThere ? 1 : 0, key)
    values.splice(at, isThere ? 1 : 0, value)
  }

  delete(key: string): void {
    const { keys, values } = this
    const at = keys[this.head] === key ? this.head : this.find(key)
    if (at >= keys.length || keys[at] !== key) return
    if (at > this.head) {
      keys.splice(at, 1)
      values.splice(at, 1)
      return
    }
    values[at] = undefined
    if (++this.head < GIVEN_BACK || this.head * 2 < keys.length) return
    this.keys = keys.slice(this.head)
    this.values = values.slice(this.head)
    this.head = 0
  }

  clear(): void {
    this.keys = []
    this.values = []
    this.head = 0
  }

  /** Visits [start, end) in order until the visitor returns false. */
  scan(start: string, end: string | undefined, visit: (key: string, value: V) => boolean): void {
    for (let at = this.find(start); at < this.keys.length; at++) {
      const key = this.keys[at]
      if (end !== undefined && key >= end) return
      // SAFETY: only places before the head have no value.
      if (!visit(key, this.values[at] as V)) return
    }
  }

  /** How many keys lie in [start, end). */
  count(start: string, end: string | undefined): number {
    const last = end === undefined ? this.keys.length : this.find(end)
    return Math.max(0, last - this.find(start))
  }

  /** The first place whose key is not before the given one. */
  private find(key: string): number {
    return lowerBound(this.keys, key, this.head)
  }
}

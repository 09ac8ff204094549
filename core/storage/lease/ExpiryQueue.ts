// Which lease expires next: a binary heap by time, with entries that renewals leave behind dropped when they surface.
// Owns order by time; refuses to know what expires. A renewal costs one push, not a search.

interface Entry<T> {
  readonly at: number
  readonly item: T
}

export class ExpiryQueue<T> {
  private readonly heap: Array<Entry<T>> = []
  private readonly deadlineOf: (item: T) => number | undefined

  /** `deadlineOf` says when an item expires now, or undefined when it is gone. */
  constructor(deadlineOf: (item: T) => number | undefined) {
    this.deadlineOf = deadlineOf
  }

  push(item: T, at: number): void {
    const { heap } = this
    let index = heap.push({ at, item }) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (heap[parent].at <= at) break
      heap[index] = heap[parent]
      index = parent
      heap[index] = { at, item }
    }
  }

  /** Takes up to `max` items whose deadline has passed; renewed ones go back to their new place. */
  takeExpired(now: number, max: number): Array<T> {
    const expired: Array<T> = []
    while (this.heap.length > 0 && this.heap[0].at <= now && expired.length < max) {
      const { at, item } = this.pop()
      const deadline = this.deadlineOf(item)
      if (deadline === undefined) continue
      if (deadline > now) {
        if (deadline > at) this.push(item, deadline)
      } else expired.push(item)
    }
    return expired
  }

  clear(): void {
    this.heap.length = 0
  }

  private pop(): Entry<T> {
    const { heap } = this
    const top = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return top
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1].at < heap[child].at) child++
      if (heap[child].at >= last.at) break
      heap[index] = heap[child]
      index = child
    }
    heap[index] = last
    return top
  }
}

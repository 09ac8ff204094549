// Everything that will happen, ordered by time: a 4-ary heap over typed arrays, made for hundreds of thousands of pending timers.
// Owns slots, their order (time, then rank, then the order of calls) and cancelling; refuses to know what an event does.
// A cancelled event stays in the heap until it surfaces; when half of the heap is such, it is swept: O(1) each, amortized.

const FREE = 0
const PENDING = 1
const CANCELLED = 2
/** Handles hold a slot in their low 24 bits and the slot's generation above. */
const SLOTS_MAX = 2 ** 24
const SWEEP_MIN = 1024

/** Names one scheduled event; never reused. */
export type EventHandle = number

const grown = <A extends Float64Array | Uint32Array | Int32Array | Uint8Array>(old: A, to: A): A => {
  to.set(old)
  return to
}

export class EventHeap {
  // By place in the heap.
  private times = new Float64Array(1024)
  private slots = new Int32Array(1024)
  // By slot.
  private ranks = new Uint32Array(1024)
  private calls = new Float64Array(1024)
  private generations = new Uint32Array(1024)
  private states = new Uint8Array(1024)
  /** Which handler an event goes to, by slot. */
  handlers = new Int32Array(1024)
  /** A handler's argument, by slot. */
  args = new Float64Array(1024)
  /** The incarnation of the process that scheduled the event, by slot. */
  incarnations = new Int32Array(1024)
  /** The closure of a one-off event, by slot. */
  readonly runs: Array<(() => void) | undefined> = []
  private freeSlots = new Int32Array(1024)
  private freeCount = 0
  private usedSlots = 0
  private size = 0
  private cancelled = 0
  private nextCall = 0

  /** Events that will still happen. */
  get pending(): number {
    return this.size - this.cancelled
  }

  /** When the next event is due; infinity when there is none. */
  nextTime(): number {
    this.dropCancelled()
    return this.size === 0 ? Number.POSITIVE_INFINITY : this.times[0]
  }

  /** Adds an event and answers its slot, whose handler, argument and closure the caller sets. */
  push(time: number, rank: number): number {
    const slot = this.takeSlot()
    this.ranks[slot] = rank
    this.calls[slot] = this.nextCall++
    this.states[slot] = PENDING
    if (this.size === this.times.length) this.growHeap()
    this.siftUp(this.size++, time, slot)
    return slot
  }

  handleOf(slot: number): EventHandle {
    return this.generations[slot] * SLOTS_MAX + slot
  }

  /** Whether the event had not happened yet. */
  cancel(handle: EventHandle): boolean {
    const slot = handle % SLOTS_MAX
    if (this.generations[slot] !== Math.floor(handle / SLOTS_MAX) || this.states[slot] !== PENDING) return false
    this.states[slot] = CANCELLED
    this.runs[slot] = undefined
    this.cancelled++
    if (this.cancelled > SWEEP_MIN && this.cancelled * 2 > this.size) this.sweep()
    return true
  }

  /** Takes the first event out; its slot must be given back with `release`. Undefined is never stored: −1 when empty. */
  pop(): number {
    this.dropCancelled()
    if (this.size === 0) return -1
    return this.removeTop()
  }

  /** Gives a popped slot back. */
  release(slot: number): void {
    this.states[slot] = FREE
    this.runs[slot] = undefined
    this.generations[slot] = (this.generations[slot] + 1) % 2 ** 28
    if (this.freeCount === this.freeSlots.length)
      this.freeSlots = grown(this.freeSlots, new Int32Array(this.freeSlots.length * 2))
    this.freeSlots[this.freeCount++] = slot
  }

  private dropCancelled(): void {
    while (this.size > 0 && this.states[this.slots[0]] === CANCELLED) {
      this.release(this.removeTop())
      this.cancelled--
    }
  }

  private removeTop(): number {
    const top = this.slots[0]
    this.size--
    if (this.size > 0) this.siftDown(0, this.times[this.size], this.slots[this.size])
    return top
  }

  private takeSlot(): number {
    if (this.freeCount > 0) return this.freeSlots[--this.freeCount]
    if (this.usedSlots === SLOTS_MAX) throw new RangeError(`more than ${SLOTS_MAX} events are pending`)
    if (this.usedSlots === this.states.length) this.growSlots()
    this.runs.push(undefined)
    return this.usedSlots++
  }

  private before(timeA: number, slotA: number, timeB: number, slotB: number): boolean {
    if (timeA !== timeB) return timeA < timeB
    const rankA = this.ranks[slotA]
    const rankB = this.ranks[slotB]
    return rankA === rankB ? this.calls[slotA] < this.calls[slotB] : rankA < rankB
  }

  private siftUp(from: number, time: number, slot: number): void {
    const { slots, times } = this
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 2
      if (!this.before(time, slot, times[parent], slots[parent])) break
      times[at] = times[parent]
      slots[at] = slots[parent]
      at = parent
    }
    times[at] = time
    slots[at] = slot
  }

  private siftDown(from: number, time: number, slot: number): void {
    const { size, slots, times } = this
    let at = from
    for (;;) {
      const first = at * 4 + 1
      if (first >= size) break
      let least = first
      const end = first + 4 < size ? first + 4 : size
      for (let child = first + 1; child < end; child++)
        if (this.before(times[child], slots[child], times[least], slots[least])) least = child
      if (!this.before(times[least], slots[least], time, slot)) break
      times[at] = times[least]
      slots[at] = slots[least]
      at = least
    }
    times[at] = time
    slots[at] = slot
  }

  private sweep(): void {
    let kept = 0
    for (let at = 0; at < this.size; at++) {
      const slot = this.slots[at]
      if (this.states[slot] === CANCELLED) this.release(slot)
      else {
        this.times[kept] = this.times[at]
        this.slots[kept++] = slot
      }
    }
    this.size = kept
    this.cancelled = 0
    for (let at = (kept - 2) >> 2; at >= 0; at--) this.siftDown(at, this.times[at], this.slots[at])
  }

  private growHeap(): void {
    this.times = grown(this.times, new Float64Array(this.times.length * 2))
    this.slots = grown(this.slots, new Int32Array(this.slots.length * 2))
  }

  private growSlots(): void {
    const length = this.states.length * 2
    this.ranks = grown(this.ranks, new Uint32Array(length))
    this.calls = grown(this.calls, new Float64Array(length))
    this.generations = grown(this.generations, new Uint32Array(length))
    this.states = grown(this.states, new Uint8Array(length))
    this.handlers = grown(this.handlers, new Int32Array(length))
    this.args = grown(this.args, new Float64Array(length))
    this.incarnations = grown(this.incarnations, new Int32Array(length))
  }
}

// Those who wait for a limit to let them pass, and whose turn is next: the one with the fewest seats among those who wait, and
// among equals the one who was served longest ago.
// Owns the lines, one for each user (or namespace), their order and the common bound; refuses clocks, deadlines and answers.
// At the bound the youngest of the longest line has to go, so that who floods a queue pushes out nobody but himself.
// Lines exist for who waits or holds a seat, so there are never more than the bound and the seats together. Each step takes O(1).

/** One who waits; the queue sets the links. */
export class Waiter<A> {
  readonly about: A
  /** Where it waits. */
  line: Line<A> | undefined
  /** Where it was given a seat. */
  seat: Line<A> | undefined
  before: Waiter<A> | undefined
  after: Waiter<A> | undefined

  constructor(about: A) {
    this.about = about
  }
}

/** The requests of one key: those that wait, oldest first, and how many have a seat. */
export class Line<A> {
  readonly key: string
  seats = 0
  length = 0
  first: Waiter<A> | undefined
  last: Waiter<A> | undefined

  constructor(key: string) {
    this.key = key
  }
}

/** Sets of lines by a small number, with the way to the least and the greatest of them. */
class Ranks<A> {
  private readonly sets: Array<Set<Line<A>>> = []
  private low = 0
  private high = 0

  put(rank: number, line: Line<A>): void {
    while (this.sets.length <= rank) this.sets.push(new Set())
    this.sets[rank]?.add(line)
    if (rank < this.low) this.low = rank
    if (rank > this.high) this.high = rank
  }

  remove(rank: number, line: Line<A>): void {
    this.sets[rank]?.delete(line)
  }

  /** The line that stands longest in the lowest rank. */
  lowest(): Line<A> | undefined {
    while (this.low < this.sets.length && this.sets[this.low]?.size === 0) this.low++
    return this.low < this.sets.length ? this.sets[this.low]?.values().next().value : undefined
  }

  highestRank(): number {
    while (this.high > 0 && (this.sets[this.high]?.size ?? 0) === 0) this.high--
    return this.high
  }

  highest(): Line<A> | undefined {
    return this.sets[this.highestRank()]?.values().next().value
  }
}

export class FairQueue<A> {
  length = 0
  private readonly lines = new Map<string, Line<A>>()
  private bySeats = new Ranks<A>()
  private readonly byLength = new Ranks<A>()
  private countsSeats: boolean

  /** `countsSeats`: whether who holds fewer seats goes first; else turns alone count. */
  constructor(countsSeats: boolean) {
    this.countsSeats = countsSeats
  }

  /** Lines of who waits or holds a seat. */
  get size(): number {
    return this.lines.size
  }

  /** Changes whether seats count, for those who wait already too. */
  rank(countsSeats: boolean): void {
    if (countsSeats === this.countsSeats) return
    this.countsSeats = countsSeats
    this.bySeats = new Ranks()
    for (const line of this.lines.values()) if (line.length > 0) this.bySeats.put(this.rankOf(line), line)
  }

  /** The line of a key; made when it has none. It is kept once it has a waiter or a seat. */
  line(key: string): Line<A> {
    const known = this.lines.get(key)
    if (known !== undefined) return known
    const line = new Line<A>(key)
    this.lines.set(key, line)
    return line
  }

  /** Lets one more wait; answers who has to go because more than `lengthMax` would wait: nobody, another, or the new one. */
  offer(key: string, waiter: Waiter<A>, lengthMax: number): Waiter<A> | undefined {
    const line = this.line(key)
    let out: Waiter<A> | undefined
    if (this.length >= lengthMax) {
      const longest = this.byLength.highest()
      if (lengthMax <= 0 || longest?.last === undefined || longest.length <= line.length) {
        this.forget(line)
        return waiter
      }
      out = longest.last
      this.remove(out)
    }
    if (line.length === 0) this.bySeats.put(this.rankOf(line), line)
    waiter.line = line
    waiter.before = line.last
    if (line.last === undefined) line.first = waiter
    else line.last.after = waiter
    line.last = waiter
    this.lengthen(line, 1)
    return out
  }

  /** Takes out whose turn it is, gives them a seat, and puts the rest of the line behind its equals. */
  next(): Waiter<A> | undefined {
    const line = this.bySeats.lowest()
    const waiter = line?.first
    if (line === undefined || waiter === undefined) return undefined
    this.bySeats.remove(this.rankOf(line), line)
    line.seats++
    waiter.seat = line
    this.unlink(line, waiter)
    if (line.length > 0) this.bySeats.put(this.rankOf(line), line)
    return waiter
  }

  /** Takes one out who waits no longer; the others of the line keep their turn. */
  remove(waiter: Waiter<A>): void {
    const { line } = waiter
    if (line === undefined) return
    this.unlink(line, waiter)
    if (line.length > 0) return
    this.bySeats.remove(this.rankOf(line), line)
    this.forget(line)
  }

  /** Gives a line a seat without waiting. */
  sit(line: Line<A>): void {
    this.reseat(line, 1)
  }

  /** Takes a seat back. */
  stand(line: Line<A>): void {
    this.reseat(line, -1)
    this.forget(line)
  }

  private reseat(line: Line<A>, by: number): void {
    const moves = line.length > 0 && this.countsSeats
    if (moves) this.bySeats.remove(line.seats, line)
    line.seats += by
    if (moves) this.bySeats.put(line.seats, line)
  }

  private rankOf(line: Line<A>): number {
    return this.countsSeats ? line.seats : 0
  }

  private lengthen(line: Line<A>, by: number): void {
    if (line.length > 0) this.byLength.remove(line.length, line)
    line.length += by
    this.length += by
    if (line.length > 0) this.byLength.put(line.length, line)
  }

  private unlink(line: Line<A>, waiter: Waiter<A>): void {
    if (waiter.before === undefined) line.first = waiter.after
    else waiter.before.after = waiter.after
    if (waiter.after === undefined) line.last = waiter.before
    else waiter.after.before = waiter.before
    waiter.line = undefined
    waiter.before = undefined
    waiter.after = undefined
    this.lengthen(line, -1)
  }

  private forget(line: Line<A>): void {
    if (line.length === 0 && line.seats === 0) this.lines.delete(line.key)
  }
}

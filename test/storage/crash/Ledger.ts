// What is known of a store across crashes: every event that its log has told, and every write that was acknowledged or not.
// Owns the checks that follow from the two; refuses to speak to a server (CrashRig.ts does).

/** One event as a watch with prev_kv tells it. */
export interface LedgerEvent {
  readonly revision: number
  readonly key: string
  /** undefined: the key was deleted. */
  readonly value: string | undefined
  readonly createRevision: number
  readonly version: number
  readonly previous: string | undefined
}

/** What a write does to keys, given what is there: value, or undefined for a deletion. */
export type Effects = (before: ReadonlyMap<string, KeyState>) => ReadonlyMap<string, string | undefined>

export interface KeyState {
  readonly value: string
  readonly modRevision: number
  readonly createRevision: number
  readonly version: number
}

interface Write {
  readonly effects: Effects
  readonly name: string
}

export class Ledger {
  /** Events by revision; index 0 is revision 2, the first that anything can have. */
  private readonly history: Array<ReadonlyArray<LedgerEvent>> = []
  private readonly acknowledged = new Map<number, Write>()
  private pending: Array<Write> = []
  private state = new Map<string, KeyState>()
  compacted = -1
  readonly problems: Array<string> = []
  writes = 0

  /** The last revision whose events are known. */
  get revision(): number {
    return this.history.length + 1
  }

  /** The highest revision that a client was told of. */
  highest = 1

  /** A write that was sent; the result says how it ended: its revision, or undefined for no effect. */
  begin(name: string, effects: Effects): (revision: number | undefined) => void {
    const write = { effects, name }
    this.pending.push(write)
    return (revision) => {
      this.pending.splice(this.pending.indexOf(write), 1)
      if (revision === undefined) return
      this.writes++
      this.highest = Math.max(this.highest, revision)
      const other = this.acknowledged.get(revision)
      if (other !== undefined) this.problems.push(`revision ${revision} was given to ${other.name} and to ${name}`)
      if (revision <= this.revision)
        this.problems.push(`${name} was given revision ${revision}, which was there before`)
      this.acknowledged.set(revision, write)
    }
  }

  get(key: string): KeyState | undefined {
    return this.state.get(key)
  }

  /** Takes in what the log tells after a crash, and checks it against what was acknowledged. */
  reconcile(events: ReadonlyArray<LedgerEvent>, revision: number): void {
    const problem = (text: string): void => void this.problems.push(text)
    if (revision < this.highest) problem(`revision ${revision} after the crash, ${this.highest} was told before`)
    const byRevision = new Map<number, Array<LedgerEvent>>()
    for (const event of events) {
      const group = byRevision.get(event.revision)
      if (group === undefined) byRevision.set(event.revision, [event])
      else group.push(event)
    }
    for (let at = this.revision + 1; at <= revision; at++) {
      const group = byRevision.get(at)
      if (group === undefined) {
        problem(`revision ${at} has no events (${this.acknowledged.get(at)?.name ?? "never acknowledged"})`)
        this.history.push([])
      } else {
        this.explain(at, group)
        this.apply(at, group)
      }
    }
    for (const [at, { name }] of this.acknowledged) if (at > revision) problem(`${name} at revision ${at} is lost`)
    this.pending = []
  }

  /** Every revision must be exactly one write: the one that was acknowledged there, or one that was never answered. */
  private explain(at: number, events: ReadonlyArray<LedgerEvent>): void {
    const found = describe(new Map(events.map(({ key, value }) => [key, value])))
    const write = this.acknowledged.get(at)
    if (write !== undefined) {
      const wanted = describe(write.effects(this.state))
      if (wanted !== found) this.problems.push(`revision ${at}: ${write.name} did ${found} instead of ${wanted}`)
      return
    }
    const index = this.pending.findIndex(({ effects }) => describe(effects(this.state)) === found)
    if (index < 0) this.problems.push(`revision ${at}: ${found} is no whole write that anybody sent`)
    else this.pending.splice(index, 1)
  }

  private apply(at: number, events: ReadonlyArray<LedgerEvent>): void {
    for (const event of events) {
      const before = this.state.get(event.key)
      if (event.previous !== before?.value) {
        this.problems.push(`revision ${at}: prev_kv of ${event.key} is ${event.previous} instead of ${before?.value}`)
      }
      if (event.value === undefined) this.state.delete(event.key)
      else {
        const next: KeyState = {
          value: event.value,
          modRevision: at,
          createRevision: before?.createRevision ?? at,
          version: (before?.version ?? 0) + 1
        }
        if (next.createRevision !== event.createRevision || next.version !== event.version) {
          this.problems.push(
            `revision ${at}: ${event.key} has create revision ${event.createRevision} and version ${event.version} instead of ${next.createRevision} and ${next.version}`
          )
        }
        this.state.set(event.key, next)
      }
    }
    this.history.push(events)
  }

  /** Events from a revision on, as a watch from there must tell them. */
  since(revision: number): ReadonlyArray<LedgerEvent> {
    return this.history.slice(Math.max(0, revision - 2)).flat()
  }

  /** What a read at a revision must show. */
  at(revision: number): ReadonlyMap<string, KeyState> {
    const state = new Map<string, KeyState>()
    for (const { createRevision, key, revision: modRevision, value, version } of this.history
      .slice(0, revision - 1)
      .flat()) {
      if (value === undefined) state.delete(key)
      else state.set(key, { value, modRevision, createRevision, version })
    }
    return state
  }
}

const describe = (effects: ReadonlyMap<string, string | undefined>): string =>
  [...effects]
    .map(([key, value]) => (value === undefined ? `-${key}` : `${key}=${value}`))
    .sort()
    .join(" ")

// Who holds which part of one limit (slots of requests in flight, or a part of a rate), as the limiter must assume it.
// Owns conservation: a part counts as held from the moment it is sent until its holder has said that it holds less, or its lease is over
// by the holder's clock and a margin; only what nobody can hold is given out. So the sum of what may be used never passes the limit,
// but for slots whose requests outlive their lease, which count as soon as their holder is heard again. Refuses clocks and messages.
import { allocate } from "./Allocation.ts"

/** What one gateway says of itself. */
export interface ShareReport {
  /** The version of the grant it goes by; -1: none of this ledger's. */
  readonly version: number
  /** What it may still use, at most: its part, and requests in flight beyond it. */
  readonly holding: number
  /** What it could use now. */
  readonly demand: number
}

/** What one gateway may use. */
export interface ShareGrant {
  readonly version: number
  readonly amount: number
  /** By how much this is more than before. */
  readonly grown: number
}

export interface ShareOptions {
  readonly whole: boolean
  /** Whether parts that nobody asked for are handed out as headroom; else they stay here until somebody asks. */
  readonly spare: boolean
  /** How long a lease counts here, in milliseconds: the holder's time and a margin for clocks that differ in pace. */
  readonly holdMs: number
  /** Until then older leases may be out that nobody has told of yet: nothing is given out anew. */
  readonly graceUntilMs: number
  /** A number that was never a version before in this epoch. */
  readonly nextVersion: () => number
}

interface Member {
  /** What must be assumed to be held. */
  reserved: number
  /** The last grant. */
  sent: number
  version: number
  demand: number
  /** Since when it wants more than it was given, and was given nothing; Infinity: it does not. */
  hungryMs: number
  untilMs: number
}

/** Parts that differ by less than this part of an equal part are left as they are. */
const IDLE_CHANGE = 0.05

export class ShareLedger {
  total: number
  private readonly options: ShareOptions
  private readonly members = new Map<string, Member>()

  constructor(total: number, options: ShareOptions) {
    this.total = total
    this.options = options
  }

  get size(): number {
    return this.members.size
  }

  /** What must be assumed to be in use or usable. */
  reserved(): number {
    let sum = 0
    for (const { reserved } of this.members.values()) sum += reserved
    return sum
  }

  /** What a gateway was given last; undefined when it has no lease here. */
  grantOf(instance: string): number | undefined {
    return this.members.get(instance)?.sent
  }

  versionOf(instance: string): number | undefined {
    return this.members.get(instance)?.version
  }

  /** Changes the limit. Parts beyond it are called back by the next plan. */
  resize(total: number): void {
    this.total = total
  }

  /** Hears of a gateway, whose lease begins anew with this. */
  report(instance: string, { demand, holding, version }: ShareReport, nowMs: number): void {
    const untilMs = nowMs + this.options.holdMs
    const known = this.members.get(instance)
    const wants = Math.max(0, Math.min(demand, this.total))
    if (known === undefined) {
      // A lease of the leader before, or requests that outlived one. Of a rate nobody holds more than there is.
      const reserved = this.options.whole ? Math.max(0, holding) : Math.max(0, Math.min(holding, this.free()))
      this.members.set(instance, {
        reserved,
        sent: reserved,
        version: -1,
        demand: wants,
        hungryMs: Number.POSITIVE_INFINITY,
        untilMs
      })
      return
    }
    known.demand = wants
    known.untilMs = untilMs
    if (version === known.version) known.reserved = Math.max(known.sent, holding)
  }

  /** Says goodbye to a gateway that uses nothing any more. */
  leave(instance: string): void {
    this.members.delete(instance)
  }

  /** Forgets leases that are over; answers whose. */
  expire(nowMs: number): ReadonlyArray<string> {
    const gone: Array<string> = []
    for (const [instance, { untilMs }] of this.members) if (untilMs <= nowMs) gone.push(instance)
    for (const instance of gone) this.members.delete(instance)
    return gone
  }

  /** Decides anew who gets what; answers the grants that are to be sent. */
  plan(nowMs: number): ReadonlyMap<string, ShareGrant> {
    const { graceUntilMs, spare, whole } = this.options
    const grace = nowMs < graceUntilMs
    if (grace && this.reserved() <= this.total) return new Map()
    // What cannot be divided goes to those who have waited longest.
    const entries = this.byHunger(nowMs)
    const wants = entries.map(([, { demand }]) => demand)
    const targets = allocate(this.total, wants, { whole, spare })
    const before = new Map(entries.map(([instance, { sent }]) => [instance, sent]))
    const changed = new Set<string>()
    for (const [at, [instance, member]] of entries.entries()) {
      const target = targets[at] ?? 0
      if (target >= member.sent - this.slack(member)) continue
      member.sent = target
      changed.add(instance)
    }
    const needy = entries
      .map(([instance, member], at) => ({ instance, member, missing: (targets[at] ?? 0) - member.sent }))
      .filter(({ member, missing }) => missing > this.slack(member) || (missing > 0 && member.sent < member.demand))
    let free = grace ? 0 : this.free()
    const missing = needy.map((each) => each.missing)
    const shares = allocate(free, missing, { whole, spare: false })
    for (const [at, { instance, member }] of needy.entries()) {
      const share = Math.min(shares[at] ?? 0, free)
      if (share <= 0) continue
      free -= share
      member.sent += share
      member.hungryMs = Number.POSITIVE_INFINITY
      // What it held beyond its part counts against what it may hold now.
      member.reserved = Math.max(member.reserved, member.sent)
      changed.add(instance)
    }
    return new Map(Array.from(changed, (instance) => [instance, this.grant(instance, before.get(instance) ?? 0)]))
  }

  private byHunger(nowMs: number): ReadonlyArray<readonly [string, Member]> {
    for (const member of this.members.values()) {
      if (member.sent >= member.demand) member.hungryMs = Number.POSITIVE_INFINITY
      else if (member.hungryMs === Number.POSITIVE_INFINITY) member.hungryMs = nowMs
    }
    const entries = [...this.members]
    if (!this.options.whole) return entries
    return entries.toSorted(([, left], [, right]) =>
      left.hungryMs < right.hungryMs ? -1 : Number(left.hungryMs > right.hungryMs)
    )
  }

  /** The grant of a gateway that must hear it again: one that came back, or that goes by a leader before. */
  renew(instance: string): ShareGrant | undefined {
    return this.members.has(instance) ? this.grant(instance, this.members.get(instance)?.sent ?? 0) : undefined
  }

  private grant(instance: string, before: number): ShareGrant {
    const member = this.members.get(instance)
    if (member === undefined) return { version: -1, amount: 0, grown: 0 }
    member.version = this.options.nextVersion()
    return { version: member.version, amount: member.sent, grown: member.sent - before }
  }

  /** Whole parts change by whole units anyway. */
  private slack(member: Member): number {
    return this.options.whole || member.sent === 0 ? 0 : (this.total * IDLE_CHANGE) / this.members.size
  }

  private free(): number {
    return Math.max(0, this.total - this.reserved())
  }
}

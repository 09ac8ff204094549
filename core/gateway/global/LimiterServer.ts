// The limiter: the shards that this server leads, and the gateways that are connected to it.
// Owns sessions, who leads what (by the elections that are brought to it), and fencing: each leadership has an epoch above all before,
// and inherits nothing but what gateways tell of the leases they hold; until the longest lease before it must be over, it gives nothing new.
// Refuses sockets and HTTP (LimiterHttp.ts) and the persistent statement (Conditions.ts). Bounds: `SESSIONS_MAX` gateways.
import type { Cancel, Clockwork } from "#kube"
import type { Snapshots } from "../config/Snapshot.ts"
import type { Leadership } from "./LimitItem.ts"
import { type GrantItem, type Grants, type Hello, ITEMS_MAX, type Report, shardOf } from "./LimiterMessages.ts"
import { LimiterShard } from "./LimiterShard.ts"

/** How a server comes to lead a shard, and to do so no longer. */
export interface Election {
  /** Stands for a shard. `started` gives an epoch above all that anybody had for it, and whether somebody may have led before. */
  readonly stand: (shard: number, lead: LeadListener) => Cancel
}

export interface LeadListener {
  readonly started: (epoch: number, inherited: boolean) => void
  readonly stopped: () => void
  /** Who leads now, by the address that gateways dial. */
  readonly leader: (address: string) => void
}

/** The way back to one gateway. */
export interface GatewaySession {
  readonly send: (message: Grants) => void
  readonly close: () => void
}

/** What the server hears on a session. */
export interface SessionListener {
  readonly report: (report: Report) => void
  readonly closed: () => void
}

export interface LimiterServerOptions {
  readonly clockwork: Clockwork
  readonly snapshots: Snapshots
  readonly election: Election
  readonly shards: number
  /** How long a lease lasts, in milliseconds. Default 5000: longer than an election, so that leases outlive a change of leader. */
  readonly ttlMs?: number
}

/** Leases last so much longer here than at the gateways, whose clocks may go slower. */
const CLOCK_MARGIN = 1.1
/** Gateways that may be connected; further ones are turned away. */
export const SESSIONS_MAX = 10_000
const TTL_MS = 5000

interface Connected {
  readonly session: GatewaySession
  ack: number
  /** Limits whose grants it was told on this connection: what was on its way on another may be lost. */
  readonly told: Set<string>
}

export class LimiterServer {
  readonly ttlMs: number
  readonly shards: number
  private readonly options: LimiterServerOptions
  private readonly led = new Map<number, LimiterShard>()
  private readonly leaders = new Map<number, string>()
  private readonly sessions = new Map<string, Connected>()
  private readonly cancels: Array<Cancel> = []
  private versions = 0

  constructor(options: LimiterServerOptions) {
    this.options = options
    this.ttlMs = options.ttlMs ?? TTL_MS
    this.shards = options.shards
    this.cancels.push(options.snapshots.onSwap((next) => this.led.forEach((shard) => shard.configure(next))))
    for (let shard = 0; shard < options.shards; shard++)
      this.cancels.push(options.election.stand(shard, this.lead(shard)))
  }

  stop(): void {
    for (const cancel of this.cancels.splice(0)) cancel()
    for (const shard of this.led.values()) shard.stop()
    this.led.clear()
    for (const { session } of this.sessions.values()) session.close()
    this.sessions.clear()
  }

  /** The shard of a cluster, if this server leads it. */
  shardFor(cluster: string): LimiterShard | undefined {
    return this.led.get(shardOf(cluster, this.shards))
  }

  /** Shards that it leads, by number. */
  get leading(): ReadonlyMap<number, LimiterShard> {
    return this.led
  }

  /** The leader of each shard as far as it is known. */
  get knownLeaders(): ReadonlyMap<number, string> {
    return this.leaders
  }

  get instances(): ReadonlyArray<string> {
    return [...this.sessions.keys()]
  }

  /** A gateway connects; undefined when there are too many. The last connection of an instance is the one that counts. */
  connect({ instance }: Hello, session: GatewaySession): SessionListener | undefined {
    const known = this.sessions.get(instance)
    if (known === undefined && this.sessions.size >= SESSIONS_MAX) return undefined
    known?.session.close()
    const connected: Connected = { session, ack: 0, told: new Set() }
    this.sessions.set(instance, connected)
    session.send(this.message(0, [], []))
    return {
      report: (report) => this.hear(instance, connected, report),
      closed: () => {
        // What it holds stays held until its lease is over: a lost connection proves nothing.
        if (this.sessions.get(instance) === connected) this.sessions.delete(instance)
      }
    }
  }

  /** Hears what a gateway without a session states of its use, limit by limit: it wants a fifth more, and goes by what it was given. */
  state(instance: string, cluster: string, used: ReadonlyMap<string, number>): void {
    const shard = this.shardFor(cluster)
    for (const [name, use] of used) {
      const item = shard?.item(cluster, name)
      if (shard === undefined || item === undefined) continue
      const { epoch } = shard.options.leadership
      const holding = item.grantOf(instance)
      const report = {
        cluster,
        name,
        epoch,
        version: item.versionOf(instance),
        holding,
        demand: use * 1.2 + 1,
        used: use
      }
      shard.report(instance, report, false)
    }
  }

  private lead(shard: number): LeadListener {
    const { clockwork, snapshots } = this.options
    return {
      leader: (address) => {
        this.leaders.set(shard, address)
        this.announce()
      },
      started: (epoch, inherited) => {
        const holdMs = this.ttlMs * CLOCK_MARGIN
        const leadership: Leadership = {
          epoch,
          inherited,
          graceUntilMs: inherited ? clockwork.monotonic() + holdMs : 0,
          holdMs,
          nextVersion: () => ++this.versions
        }
        this.led.get(shard)?.stop()
        const push = (instance: string, grants: ReadonlyArray<GrantItem>): void => this.push(instance, grants)
        const led = new LimiterShard({ clockwork, shard, shards: this.shards, leadership, push })
        led.configure(snapshots.current())
        this.led.set(shard, led)
        this.announce()
      },
      stopped: () => {
        this.led.get(shard)?.stop()
        this.led.delete(shard)
        this.announce()
      }
    }
  }

  private push(instance: string, grants: ReadonlyArray<GrantItem>): void {
    const connected = this.sessions.get(instance)
    connected?.session.send(this.message(connected.ack, grants, []))
  }

  /** Tells everybody who leads what. */
  private announce(): void {
    for (const { ack, session } of this.sessions.values()) session.send(this.message(ack, [], []))
  }

  private hear(instance: string, connected: Connected, report: Report): void {
    if (report.bye) {
      for (const shard of this.led.values()) shard.leave(instance)
      return
    }
    connected.ack = Math.max(connected.ack, report.seq)
    const { grants, refused } = this.take(instance, report, connected.told)
    connected.session.send(this.message(report.seq, grants, refused))
  }

  private take(instance: string, { items }: Report, told: Set<string>) {
    const grants: Array<GrantItem> = []
    const refused: Array<{ readonly cluster: string; readonly name: string }> = []
    for (const item of items.slice(0, ITEMS_MAX)) {
      const { cluster, name } = item
      const id = `${cluster}/${name}`
      const answer = this.shardFor(cluster)?.report(instance, item, !told.has(id)) ?? false
      if (answer !== false) told.add(id)
      if (answer === false) refused.push({ cluster, name })
      else if (answer !== true) grants.push(answer)
    }
    return { grants, refused }
  }

  private message(
    ack: number,
    grants: ReadonlyArray<GrantItem>,
    refused: ReadonlyArray<{ readonly cluster: string; readonly name: string }>
  ): Grants {
    return {
      ack,
      ttlMs: this.ttlMs,
      shards: this.shards,
      leads: Array.from(this.led, ([shard, { options }]) => ({ shard, epoch: options.leadership.epoch })),
      hints: [...new Set(this.leaders.values())],
      grants,
      refused
    }
  }
}

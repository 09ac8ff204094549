// One limit of one cluster at its limiter: what is reported goes in, grants come out.
// Owns which ledger keeps it (parts of a rate, slots, or tokens) and the tokens that no lease covers; refuses sessions and messages.
// Of a rate, each part carries its part of the burst, and tokens move only from the pool to a lease: a part that goes from one gateway
// to another brings no tokens with it. So admitted anywhere in any window ≤ rate × window + burst + what was out at its beginning.
import { TokenBucket } from "#kube"
import type { FlowControl } from "../config/UpstreamCluster.ts"
import type { GrantItem, ReportItem } from "./LimiterMessages.ts"
import { ShareLedger } from "./ShareLedger.ts"
import { TokenLedger } from "./TokenLedger.ts"

/** How a limit is kept: parts of a rate, slots, or tokens one batch at a time. */
export type LimitKind = "rate" | "slots" | "tokens"

/** A limit as the limiter needs it; rate and burst, or slots and 0. */
export interface GlobalLimit {
  readonly kind: LimitKind
  readonly total: number
  readonly burst: number
  /** Whether parts that nobody asked for are handed out as headroom. */
  readonly spare: boolean
}

/** The limit across gateways of a flow control; undefined when it has none. */
export const globalLimitOf = ({ limit, scope }: FlowControl): GlobalLimit | undefined => {
  if (scope === "Local" || limit.kind === "Exempt") return undefined
  const spare = scope === "GlobalAllocate"
  if (limit.kind === "MaxRequestsInflight") {
    return limit.globalMax === undefined ? undefined : { kind: "slots", total: limit.globalMax, burst: 0, spare }
  }
  if (limit.global === undefined) return undefined
  return { kind: spare ? "rate" : "tokens", total: limit.global.qps, burst: limit.global.burst, spare }
}

/** What all limits of one leader share. */
export interface Leadership {
  readonly epoch: number
  /** Whether others may have led before, whose leases may still be out. */
  readonly inherited: boolean
  readonly graceUntilMs: number
  /** How long a lease counts here. */
  readonly holdMs: number
  readonly nextVersion: () => number
}

/** What a gateway said of itself last, for people to see. */
export interface Statement {
  readonly demand: number
  readonly used: number
}

type Grant = Pick<GrantItem, "epoch" | "version" | "amount" | "tokens">

export class LimitItem {
  limit: GlobalLimit
  readonly statements = new Map<string, Statement>()
  readonly tokens: TokenLedger | undefined
  private readonly leadership: Leadership
  private readonly shares: ShareLedger | undefined
  private readonly pool: TokenBucket

  constructor(limit: GlobalLimit, leadership: Leadership, nowMs: number) {
    const { burst, kind, spare, total } = limit
    const { graceUntilMs, holdMs, inherited, nextVersion } = leadership
    this.limit = limit
    this.leadership = leadership
    this.pool = new TokenBucket(total, burst, nowMs, inherited ? 0 : burst)
    if (kind === "tokens") this.tokens = new TokenLedger(total, burst, { nowMs, holdMs, empty: inherited })
    else this.shares = new ShareLedger(total, { whole: kind === "slots", spare, holdMs, graceUntilMs, nextVersion })
  }

  /** Changes the limit; false when it is of another kind, and a new item has to take its place. */
  resize(limit: GlobalLimit, nowMs: number): boolean {
    if (limit.kind !== this.limit.kind || limit.spare !== this.limit.spare) return false
    this.limit = limit
    this.shares?.resize(limit.total)
    this.tokens?.resize(limit.total, limit.burst, nowMs)
    this.refit(nowMs)
    return true
  }

  /** Hears of a gateway; answers a grant that it must have at once: when it goes by none of this leader, or is told `again`. */
  report(instance: string, report: ReportItem & { readonly again: boolean }, nowMs: number): Grant | undefined {
    const { again, demand, epoch, holding, used, version } = report
    this.statements.set(instance, { demand, used })
    if (this.tokens !== undefined) {
      this.tokens.ask(instance, demand, nowMs)
      return undefined
    }
    const current = epoch === this.leadership.epoch
    const isNew = this.shares?.grantOf(instance) === undefined
    this.shares?.report(instance, { demand, holding, version: current ? version : -1 }, nowMs)
    this.refit(nowMs)
    if (current && !isNew && !again) return undefined
    const grant = this.shares?.renew(instance)
    return grant && { epoch: this.leadership.epoch, version: grant.version, amount: grant.amount, tokens: 0 }
  }

  /** What gateways are to hear: the grants that changed. */
  plan(nowMs: number): ReadonlyMap<string, Grant> {
    const { epoch } = this.leadership
    if (this.tokens !== undefined) {
      const grants = this.tokens.plan(nowMs)
      return new Map(
        Array.from(grants, ([instance, amount]) => [
          instance,
          { epoch, version: this.leadership.nextVersion(), amount, tokens: 0 }
        ])
      )
    }
    const grants = this.shares?.plan(nowMs) ?? new Map()
    const { burst, kind, total } = this.limit
    const made = new Map<string, Grant>()
    for (const [instance, { amount, grown, version }] of grants) {
      const wanted = kind === "rate" && grown > 0 ? (burst * grown) / total : 0
      made.set(instance, { epoch, version, amount, tokens: this.pool.drain(wanted, nowMs) })
    }
    this.refit(nowMs)
    return made
  }

  leave(instance: string, nowMs: number): void {
    this.statements.delete(instance)
    this.shares?.leave(instance)
    this.tokens?.leave(instance)
    this.refit(nowMs)
  }

  expire(nowMs: number): void {
    for (const instance of this.shares?.expire(nowMs) ?? []) this.statements.delete(instance)
    for (const instance of this.tokens?.expire(nowMs) ?? []) this.statements.delete(instance)
    this.refit(nowMs)
  }

  /** What must be assumed to be in use; of tokens nothing is kept. */
  reserved(): number {
    return this.shares?.reserved() ?? 0
  }

  grantOf(instance: string): number {
    return this.shares?.grantOf(instance) ?? 0
  }

  /** The version of that grant; -1 without one. */
  versionOf(instance: string): number {
    return this.shares?.versionOf(instance) ?? -1
  }

  /** The pool fills at the part of the rate that is not leased. */
  private refit(nowMs: number): void {
    const { burst, kind, total } = this.limit
    if (kind !== "rate" || total <= 0) return
    const free = Math.max(0, total - this.reserved())
    this.pool.resize(free, (burst * free) / total, nowMs)
  }
}

// A shard that this server leads: the limits of its clusters, who uses them, and what they are to hear.
// Owns the items by cluster and name, when they are planned, and the epoch that fences what a leader before has given; refuses sessions
// (LimiterServer.ts) and elections. Plans are gathered for a few milliseconds, so that many reports make one.
import type { Cancel, Clockwork } from "#kube"
import type { GatewaySnapshot } from "../config/Snapshot.ts"
import { globalLimitOf, type Leadership, LimitItem } from "./LimitItem.ts"
import { type GrantItem, type ReportItem, shardOf } from "./LimiterMessages.ts"

/** How long reports are gathered before a plan, and how often leases are looked through. */
const PLAN_MS = 5
const SWEEP_MS = 200

export interface ShardOptions {
  readonly clockwork: Clockwork
  readonly shard: number
  readonly shards: number
  readonly leadership: Leadership
  /** Sends grants to a gateway. */
  readonly push: (instance: string, grants: ReadonlyArray<GrantItem>) => void
}

export class LimiterShard {
  readonly options: ShardOptions
  private readonly items = new Map<string, Map<string, LimitItem>>()
  private readonly dirty = new Map<LimitItem, { readonly cluster: string; readonly name: string }>()
  private timer: Cancel | undefined
  private dueMs = 0
  private readonly sweeping: Cancel

  constructor(options: ShardOptions) {
    this.options = options
    this.sweeping = options.clockwork.every(SWEEP_MS, () => this.sweep())
  }

  stop(): void {
    this.sweeping()
    this.timer?.()
  }

  /** Takes the limits of a snapshot; those that stay keep their leases. */
  configure(snapshot: GatewaySnapshot): void {
    const { clockwork, leadership, shard, shards } = this.options
    const nowMs = clockwork.monotonic()
    for (const name of this.items.keys()) if (!snapshot.clusters.has(name)) this.items.delete(name)
    for (const [cluster, { flowControls }] of snapshot.clusters) {
      if (shardOf(cluster, shards) !== shard) continue
      const before = this.items.get(cluster)
      const after = new Map<string, LimitItem>()
      for (const [name, control] of flowControls) {
        const limit = globalLimitOf(control)
        if (limit === undefined) continue
        const known = before?.get(name)
        const item = known?.resize(limit, nowMs) === true ? known : new LimitItem(limit, leadership, nowMs)
        after.set(name, item)
        this.plan(cluster, name, item)
      }
      this.items.set(cluster, after)
    }
  }

  /** Every item with its place, for people to see. */
  *entries(): Generator<readonly [cluster: string, name: string, item: LimitItem]> {
    for (const [cluster, items] of this.items) for (const [name, item] of items) yield [cluster, name, item]
  }

  item(cluster: string, name: string): LimitItem | undefined {
    return this.items.get(cluster)?.get(name)
  }

  /** Hears one item of a report; false when there is no such limit, else what must be answered at once. `again`: whatever was sent before. */
  report(instance: string, report: ReportItem, again: boolean): GrantItem | boolean {
    const { cluster, name } = report
    const item = this.item(cluster, name)
    if (item === undefined) return false
    const grant = item.report(instance, { ...report, again }, this.options.clockwork.monotonic())
    this.plan(cluster, name, item)
    return grant === undefined ? true : { cluster, name, ...grant }
  }

  leave(instance: string): void {
    for (const [cluster, name, item] of this.entries()) {
      item.leave(instance, this.options.clockwork.monotonic())
      this.plan(cluster, name, item)
    }
  }

  private plan(cluster: string, name: string, item: LimitItem): void {
    this.dirty.set(item, { cluster, name })
    this.arm(PLAN_MS)
  }

  private arm(delayMs: number): void {
    const { clockwork } = this.options
    const dueMs = clockwork.monotonic() + delayMs
    if (this.timer !== undefined && this.dueMs <= dueMs) return
    this.timer?.()
    this.dueMs = dueMs
    this.timer = clockwork.after(delayMs, () => {
      this.timer = undefined
      this.run()
    })
  }

  private run(): void {
    const { clockwork, push } = this.options
    const nowMs = clockwork.monotonic()
    const news = new Map<string, Array<GrantItem>>()
    const later: Array<() => void> = []
    let waitMs = Number.POSITIVE_INFINITY
    for (const [item, { cluster, name }] of this.dirty) {
      for (const [instance, grant] of item.plan(nowMs)) {
        const grants = news.get(instance) ?? []
        grants.push({ cluster, name, ...grant })
        news.set(instance, grants)
      }
      const tokensMs = item.tokens?.waitMs(nowMs)
      if (tokensMs === undefined) continue
      // Somebody waits for tokens that are still to come.
      waitMs = Math.min(waitMs, tokensMs)
      later.push(() => void this.dirty.set(item, { cluster, name }))
    }
    this.dirty.clear()
    for (const again of later) again()
    if (Number.isFinite(waitMs)) this.arm(Math.max(PLAN_MS, waitMs))
    for (const [instance, grants] of news) push(instance, grants)
  }

  private sweep(): void {
    const nowMs = this.options.clockwork.monotonic()
    for (const [cluster, name, item] of this.entries()) {
      item.expire(nowMs)
      this.plan(cluster, name, item)
    }
  }
}

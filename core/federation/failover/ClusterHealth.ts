// What is thought of one cluster, from what is seen of it: bad for a while before it counts as lost, good for a while before it counts as
// back, and for longer each time that it comes and goes.
// Owns this hysteresis, with time as an argument; refuses to look at clusters, and to act on what is thought.

/** What a probe finds. */
export type Seen = "ready" | "notReady" | "unreachable"

/** How patient one is. */
export interface HealthOptions {
  /** How long a cluster is seen to be bad before it counts as lost. */
  readonly downAfterMs: number
  /** How long a cluster that was lost is seen to be good before it counts as back. */
  readonly upAfterMs: number
  /** Losses within this time count against a cluster: each doubles the wait. */
  readonly flapWindowMs: number
  readonly upAfterMaxMs: number
}

export const defaultHealthOptions: HealthOptions = {
  downAfterMs: 60_000,
  upAfterMs: 20_000,
  flapWindowMs: 3_600_000,
  upAfterMaxMs: 1_800_000
}

/** What is thought of a cluster; never changes. */
export interface ClusterHealth {
  readonly seen: Seen
  /** Since when it is seen like that; "notReady" and "unreachable" are one, bad. */
  readonly sinceMs: number
  readonly lost: boolean
  /** When it was lost within the window, newest last. */
  readonly lossesMs: ReadonlyArray<number>
}

/** Losses that are remembered. */
const LOSSES_MAX = 16

const isBad = (seen: Seen): boolean => seen !== "ready"

/** How long a lost cluster is to be seen good. */
const upAfter = ({ lossesMs }: ClusterHealth, options: HealthOptions): number =>
  Math.min(options.upAfterMaxMs, options.upAfterMs * 2 ** Math.max(0, lossesMs.length - 1))

/** When what is thought changes while what is seen does not; Infinity: never. */
export const healthDueMs = (health: ClusterHealth, options: HealthOptions): number => {
  if (isBad(health.seen) === health.lost) return Infinity
  return health.sinceMs + (health.lost ? upAfter(health, options) : options.downAfterMs)
}

/** What is thought after time has passed. */
const settled = (health: ClusterHealth, nowMs: number, options: HealthOptions): ClusterHealth => {
  if (nowMs < healthDueMs(health, options)) return health
  if (health.lost) return { ...health, lost: false }
  const recent = health.lossesMs.filter((ms) => ms > nowMs - options.flapWindowMs)
  return { ...health, lost: true, lossesMs: [...recent, nowMs].slice(-LOSSES_MAX) }
}

/** What is thought after a look at the cluster; the first look is believed at once only when it is good. */
export const observeHealth = (
  health: ClusterHealth | undefined,
  { nowMs, options, seen }: { readonly seen: Seen; readonly nowMs: number; readonly options: HealthOptions }
): ClusterHealth => {
  if (health === undefined) return { seen, sinceMs: nowMs, lost: false, lossesMs: [] }
  const before = settled(health, nowMs, options)
  if (before.seen === seen) return before
  return { ...before, seen, sinceMs: isBad(before.seen) === isBad(seen) ? before.sinceMs : nowMs }
}

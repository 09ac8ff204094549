// How fast objects may be moved from lost clusters, over all clusters together: a bucket that fills with time.
// Owns the arithmetic, with time as an argument; refuses to choose which object goes first.

/** The bucket's size and how it fills. */
export interface EvictionOptions {
  readonly perSecond: number
  readonly burst: number
}

export const defaultEvictionOptions: EvictionOptions = { perSecond: 100, burst: 1000 }

/** What is in the bucket; never changes. */
export interface EvictionBudget {
  readonly tokens: number
  readonly atMs: number
}

/** A full bucket. */
export const fullBudget = (nowMs: number, { burst }: EvictionOptions): EvictionBudget => ({
  tokens: burst,
  atMs: nowMs
})

/** Whether an object may be moved now; else when one may. */
export const takeEviction = (
  budget: EvictionBudget,
  nowMs: number,
  { burst, perSecond }: EvictionOptions
): { readonly budget: EvictionBudget; readonly allowed: boolean; readonly retryAtMs: number } => {
  const since = Math.max(0, nowMs - budget.atMs)
  const tokens = Math.min(burst, budget.tokens + (since * perSecond) / 1000)
  // Time that goes back fills nothing, and takes nothing away.
  const atMs = Math.max(nowMs, budget.atMs)
  if (tokens >= 1) return { budget: { tokens: tokens - 1, atMs }, allowed: true, retryAtMs: nowMs }
  return { budget: { tokens, atMs }, allowed: false, retryAtMs: nowMs + Math.ceil(((1 - tokens) * 1000) / perSecond) }
}

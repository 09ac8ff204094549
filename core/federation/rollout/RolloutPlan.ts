// Which clusters of an object may get its new template now: so many at a time, within what may be unavailable over all of them, and no
// further once it fails anywhere.
// Owns this choice, a function of where every cluster stands; refuses to know objects, and to remember anything: whoever asks anew after a
// crash is answered the same.

/** A cluster that has the object. */
export interface RollingCluster {
  readonly cluster: string
  /** "waiting": it has an older template; "rolling": the new one, and is not well yet; "failed": nor will it be. */
  readonly state: "done" | "rolling" | "failed" | "waiting"
  readonly replicas: number
  readonly ready: number
  /** Replicas that its own way of rolling makes unavailable at most. */
  readonly costs: number
}

/** What a policy allows; Infinity: anything. */
export interface RolloutLimits {
  /** Clusters on their way at a time. */
  readonly maxClusters: number
  /** Replicas that are unavailable at a time, over all clusters. */
  readonly maxUnavailable: number
  readonly paused: boolean
}

/** Who may go, and in words why others wait; empty: nobody does. */
export interface RolloutStep {
  readonly go: ReadonlySet<string>
  readonly why: string
}

const byName = (a: RollingCluster, b: RollingCluster): number =>
  a.cluster < b.cluster ? -1 : a.cluster > b.cluster ? 1 : 0

const named = (clusters: ReadonlyArray<RollingCluster>): string =>
  clusters
    .slice(0, 5)
    .map(({ cluster }) => cluster)
    .join(", ")

/** The next step. Where nothing is on its way and nothing has failed, at least one cluster goes, whatever it costs. */
export const nextStep = (clusters: ReadonlyArray<RollingCluster>, limits: RolloutLimits): RolloutStep => {
  const { maxClusters, maxUnavailable, paused } = limits
  const of = (state: RollingCluster["state"]) => clusters.filter((one) => one.state === state)
  const waiting = of("waiting").sort(byName)
  const go = new Set<string>()
  if (waiting.length === 0) return { go, why: "" }
  if (paused) return { go, why: "the rollout is paused" }
  const failed = of("failed").sort(byName)
  if (failed.length > 0) return { go, why: `the rollout has failed in ${named(failed)}` }
  const rolling = of("rolling")
  // One that is on its way may still lose all that it may lose; elsewhere what is missing is missing.
  let unavailable = clusters.reduce((sum, { costs, ready, replicas, state }) => {
    const missing = Math.max(0, replicas - ready)
    return sum + (state === "rolling" ? Math.max(missing, costs) : missing)
  }, 0)
  for (const one of waiting) {
    if (rolling.length + go.size >= Math.max(1, maxClusters)) break
    const more = Math.max(0, one.costs - Math.max(0, one.replicas - one.ready))
    const isFirst = rolling.length + go.size === 0
    if (!isFirst && unavailable + more > maxUnavailable) break
    unavailable += more
    go.add(one.cluster)
  }
  const left = waiting.length - go.size
  return { go, why: left === 0 ? "" : `${rolling.length + go.size} of ${clusters.length} clusters are on their way` }
}

// How long changes of many pods gather before the workload that owns them is looked at.
// Owns the rule: a look at a large workload costs more, so it comes less often, and what all looks together cost stays in proportion
// to the changes. A real manager is held back in the same way, by its limit of calls per second.

const LEAST_MS = 50
const PODS_PER_MS = 40

/** Milliseconds that changes wait which nobody is in a hurry for, by the number of pods. */
export const gatherMs = (pods: number): number => Math.max(LEAST_MS, pods / PODS_PER_MS)

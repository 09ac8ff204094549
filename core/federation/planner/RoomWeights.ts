// Weights of clusters by what they have: for policies that give none.
// Owns the formula, KubeAdmiral's without its roundings: a cluster's part of all free room, but no more than 1.4 times its part of all
// capacity, so that an empty small cluster is not flooded. Refuses to choose the resource.

/** So finely are weights told apart. */
const SCALE = 1_000_000
const FLOOD_LIMIT = 1.4

const sumOf = (amounts: Float64Array): number => {
  let sum = 0
  for (const amount of amounts) sum += amount
  return sum
}

/** Whole weights from what each cluster has in all and has left, in one unit; equal ones when no cluster has any left. */
export const roomWeights = (allocatable: Float64Array, available: Float64Array): Float64Array => {
  const weights = new Float64Array(allocatable.length)
  const free = available.map((amount) => Math.max(0, amount))
  const allFree = sumOf(free)
  const all = sumOf(allocatable)
  if (allFree === 0) return weights.fill(1)
  for (let at = 0; at < weights.length; at++) {
    const limit = all === 0 ? 1 : (FLOOD_LIMIT * allocatable[at]) / all
    // A full cluster keeps the least weight: it takes what no other may.
    weights[at] = Math.max(1, Math.round(SCALE * Math.min(free[at] / allFree, limit)))
  }
  return weights
}

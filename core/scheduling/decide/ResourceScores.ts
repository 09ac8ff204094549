// Scores by resources: the least and most allocated, a given curve of use, balance between resources, and images that are there already.
// Owns the formulas of kube-scheduler's noderesources and imagelocality plugins, to the integer; refuses weights, which the caller adds.
import type { FitArguments, ShapePoint, WeightedResource } from "../config/Profile.ts"
import type { Exact } from "../pod/ResourceVector.ts"

export const SCORE_MAX = 100
const CURVE_SCORE_MAX = 10
/** Below it a product with 100 is exact in a double. */
const PRODUCT_SAFE = Math.floor(Number.MAX_SAFE_INTEGER / SCORE_MAX)

/** ⌊part × 100 ÷ whole⌋ for 0 ≤ part. */
const percent = (part: Exact, whole: Exact): number => {
  if (typeof part === "number" && typeof whole === "number" && part <= PRODUCT_SAFE)
    return Math.floor((part * SCORE_MAX) / whole)
  return Number((BigInt(part) * 100n) / BigInt(whole))
}

const minus = (a: Exact, b: Exact): Exact =>
  typeof a === "number" && typeof b === "number" ? a - b : BigInt(a) - BigInt(b)

const leastScore = (requested: Exact, capacity: Exact): number =>
  requested > capacity ? 0 : percent(minus(capacity, requested), capacity)

const mostScore = (requested: Exact, capacity: Exact): number =>
  percent(requested > capacity ? capacity : requested, capacity)

/** The broken line through points, in whole numbers, as upstream's BuildBrokenLinearFunction draws it. */
export const brokenLine = (points: ReadonlyArray<ShapePoint>, scale: number): ((at: number) => number) => {
  const line = points.map(({ score, utilization }) => ({ x: utilization, y: score * scale }))
  return (at) => {
    for (let number = 0; number < line.length; number++) {
      const point = line[number]
      if (at > point.x) continue
      if (number === 0) return point.y
      const before = line[number - 1]
      return before.y + Math.trunc(((point.y - before.y) * (at - before.x)) / (point.x - before.x))
    }
    return line[line.length - 1].y
  }
}

/** Requested (with the pod) and allocatable amounts of each weighed resource; an allocatable of 0 leaves it out. */
export type FitScorer = (requested: ReadonlyArray<Exact>, allocatable: ReadonlyArray<Exact>) => number

const weighted = (
  resources: ReadonlyArray<WeightedResource>,
  one: (requested: Exact, capacity: Exact) => number
): FitScorer => {
  const weights = resources.map(({ weight }) => weight)
  return (requested, allocatable) => {
    let score = 0
    let sum = 0
    for (let at = 0; at < requested.length; at++) {
      const capacity = allocatable[at]
      if (capacity == 0) continue
      score += one(requested[at], capacity) * weights[at]
      sum += weights[at]
    }
    return sum === 0 ? 0 : Math.floor(score / sum)
  }
}

const curved = ({ resources, shape }: FitArguments): FitScorer => {
  const line = brokenLine(shape, SCORE_MAX / CURVE_SCORE_MAX)
  return (requested, allocatable) => {
    let score = 0
    let sum = 0
    for (let at = 0; at < requested.length; at++) {
      const capacity = allocatable[at]
      if (capacity == 0) continue
      const one = line(requested[at] > capacity ? 100 : percent(requested[at], capacity))
      if (one <= 0) continue
      score += one * resources[at].weight
      sum += resources[at].weight
    }
    return sum === 0 ? 0 : Math.round(score / sum)
  }
}

export const fitScorer = (args: FitArguments): FitScorer => {
  switch (args.strategy) {
    case "LeastAllocated":
      return weighted(args.resources, leastScore)
    case "MostAllocated":
      return weighted(args.resources, mostScore)
    case "RequestedToCapacityRatio":
      return curved(args)
  }
}

const fractions: Array<number> = []

const evenness = (requested: ReadonlyArray<Exact>, allocatable: ReadonlyArray<Exact>): number => {
  let count = 0
  let total = 0
  for (let at = 0; at < requested.length; at++) {
    if (allocatable[at] == 0) continue
    const fraction = Math.min(1, Number(requested[at]) / Number(allocatable[at]))
    total += fraction
    fractions[count++] = fraction
  }
  let deviation = 0
  if (count === 2) deviation = Math.abs((fractions[0] - fractions[1]) / 2)
  else if (count > 2) {
    const mean = total / count
    let sum = 0
    for (let at = 0; at < count; at++) sum += (fractions[at] - mean) * (fractions[at] - mean)
    deviation = Math.sqrt(sum / count)
  }
  return Math.trunc((1 - deviation) * SCORE_MAX)
}

/** How much better balanced a node's use is with the pod than without: 50 when it makes no difference. */
export const balanceScore = (
  requested: ReadonlyArray<Exact>,
  allocated: ReadonlyArray<Exact>,
  allocatable: ReadonlyArray<Exact>
): number =>
  SCORE_MAX / 2 + Math.trunc((SCORE_MAX / 2 + evenness(requested, allocatable) - evenness(allocated, allocatable)) / 2)

const MB = 1024 * 1024
const THRESHOLD_MIN = 23 * MB
const THRESHOLD_MAX = 1000 * MB

/** The bytes of a pod's images that a node has, each weighed by how common it is, as a score. */
export const imageScore = (sumBytes: number, imageCount: number): number => {
  const most = THRESHOLD_MAX * imageCount
  const sum = sumBytes < THRESHOLD_MIN ? THRESHOLD_MIN : Math.min(sumBytes, most)
  return Math.trunc((SCORE_MAX * (sum - THRESHOLD_MIN)) / (most - THRESHOLD_MIN))
}

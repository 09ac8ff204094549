// The eight load shapes as pure seeded functions: a shape and its bounds in, planned times out. An open loop is a
// stream of moments decided before anything is sent; a closed loop is a number of actions in flight.
// Owns timing only: what an action is, and sending it, belongs to generator/.
import type { LoadShape } from "./LoadShape.ts"
import { type Randomness, randomness } from "./Randomness.ts"

/** Where a schedule ends, and its place among loads that share one global rate. */
export interface ScheduleBounds {
  readonly seed: number
  readonly name: string
  readonly durationMs?: number | undefined
  readonly actions?: number | undefined
  /** This load is number `index` of `of` loads that share one globalQPSLoad bucket. */
  readonly share?: { readonly index: number; readonly of: number }
}

/** Planned send times in ms from the load's start, never decreasing; `undefined` after the last. */
export interface OpenSchedule {
  readonly loop: "open"
  readonly next: () => number | undefined
  /** Planned actions per second on average, when the shape has one. */
  readonly perSecond: number | undefined
}

/** A bound on the actions in flight; the load ends after `actions` of them or `durationMs`. */
export interface ClosedSchedule {
  readonly loop: "closed"
  readonly parallelism: number
}

export type Schedule = OpenSchedule | ClosedSchedule

/** Draws the next gap or moment; the argument is the number of the action, counted from 0. */
type Times = (index: number) => number

const steady =
  (perSecond: number): Times =>
  (index) =>
    (index * 1000) / perSecond

const accumulated = (gap: () => number): Times => {
  let at = 0
  return (index) => (index === 0 ? 0 : (at += gap()))
}

/** Exponential gaps; 1 − fraction is never 0, so the logarithm is finite. */
const poisson = (random: Randomness, perSecond: number): Times => {
  let at = 0
  return () => (at += (-Math.log(1 - random.fraction()) * 1000) / perSecond)
}

const stepped =
  (burst: number, delayMs: number): Times =>
  (index) =>
    Math.floor(index / burst) * delayMs

/**
 * The order statistics of `actions` uniform moments, one at a time and in O(1) memory: given the moment before, the
 * next of k that are left is the minimum of k uniform draws on what remains of the limit.
 */
const uniformMoments = (random: Randomness, limitMs: number, actions: number): Times => {
  let at = 0
  return (index) => {
    const left = Math.max(1, actions - index)
    at += (limitMs - at) * (1 - (1 - random.fraction()) ** (1 / left))
    return at
  }
}

/** A token bucket that starts full: `burst` at once, then one each 1/qps seconds; dealt in turn to those who share it. */
const bucket = (qps: number, burst: number, share: { readonly index: number; readonly of: number }): Times => {
  return (index) => (Math.max(0, index * share.of + share.index - burst + 1) * 1000) / qps
}

const open = (times: Times, bounds: ScheduleBounds, perSecond: number | undefined): OpenSchedule => {
  const actions = bounds.actions ?? Number.POSITIVE_INFINITY
  const endMs = bounds.durationMs ?? Number.POSITIVE_INFINITY
  let index = 0
  let ended = false
  const next = () => {
    if (ended || index >= actions) return undefined
    const at = times(index++)
    ended = at >= endMs
    return ended ? undefined : at
  }
  return { loop: "open", next, perSecond }
}

/** The schedule of a load. The same shape, seed, name and bounds give the same times. */
export const schedule = (shape: LoadShape, bounds: ScheduleBounds): Schedule => {
  const random = randomness(bounds.seed, `schedule/${bounds.name}`)
  const actions = bounds.actions ?? 0
  if (shape.parallelismLimitedLoad !== undefined) {
    return { loop: "closed", parallelism: shape.parallelismLimitedLoad.parallelismLimit }
  }
  if (shape.qpsLoad !== undefined) return open(steady(shape.qpsLoad.qps), bounds, shape.qpsLoad.qps)
  if (shape.randomizedLoad !== undefined) {
    const { averageQps } = shape.randomizedLoad
    const gaps = accumulated(() => (random.fraction() * 2000) / averageQps)
    return open(gaps, bounds, averageQps)
  }
  if (shape.steppedLoad !== undefined) {
    const { burstSize, stepDelay } = shape.steppedLoad
    return open(stepped(burstSize, stepDelay), bounds, (burstSize * 1000) / stepDelay)
  }
  if (shape.timeLimitedLoad !== undefined) {
    const perSecond = (actions * 1000) / shape.timeLimitedLoad.timeLimit
    return open(steady(perSecond), bounds, perSecond)
  }
  if (shape.randomizedTimeLimitedLoad !== undefined) {
    const { timeLimit } = shape.randomizedTimeLimitedLoad
    return open(uniformMoments(random, timeLimit, actions), bounds, (actions * 1000) / timeLimit)
  }
  if (shape.globalQPSLoad !== undefined) {
    const { burst, qps } = shape.globalQPSLoad
    const share = bounds.share ?? { index: 0, of: 1 }
    return open(bucket(qps, burst, share), bounds, qps / share.of)
  }
  const rate = shape.poissonLoad?.expectedActionsPerSecond ?? 1
  return open(poisson(random, rate), bounds, rate)
}

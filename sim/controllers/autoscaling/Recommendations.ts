// What was recommended for an autoscaler before, and how it scaled: a new recommendation is held back until the old ones are past,
// and a scaling goes no faster than its policies allow.
// Owns that memory and the limits; refuses to know metrics and objects. Bound: entries older than the longest window are used anew.
// Source: kubernetes pkg/controller/podautoscaler/horizontal.go.
import { type Fields, fieldsOf, itemsOf, numberIn, numberOf, textOf } from "../Parts.ts"

const MAX_INT32 = 2_147_483_647
/** Without policies of its own an autoscaler at most doubles, or goes to four. */
const UP_FACTOR = 2
const UP_LEAST = 4

interface Recommendation {
  readonly replicas: number
  readonly atMs: number
}

interface ScaleEvent {
  readonly change: number
  readonly atMs: number
}

/** A number of replicas with the reason why it is that one. */
export interface Limited {
  readonly replicas: number
  readonly reason: string
  readonly message: string
}

/** What a recommendation becomes. */
export interface Normalized {
  /** What held it back for a time, if anything. */
  readonly stabilized: Limited
  readonly isStabilized: boolean
  readonly limited: Limited
  readonly isLimited: boolean
}

export interface Bounds {
  readonly current: number
  readonly least: number
  readonly most: number
}

const within = (replicas: number): Limited => ({
  replicas,
  reason: "DesiredWithinRange",
  message: "the desired count is within the acceptable range"
})

const tooFast = (replicas: number, way: "Up" | "Down"): Limited => ({
  replicas,
  reason: `Scale${way}Limit`,
  message: `the desired replica count is ${way === "Up" ? "increasing" : "decreasing"} faster than the maximum scale rate`
})

const tooMany = (replicas: number): Limited => ({
  replicas,
  reason: "TooManyReplicas",
  message: "the desired replica count is more than the maximum replica count"
})

const tooFew = (replicas: number): Limited => ({
  replicas,
  reason: "TooFewReplicas",
  message: "the desired replica count is less than the minimum replica count"
})

/** The limits of an autoscaler without behaviour of its own. */
export const plainLimit = (desired: number, { current, least, most }: Bounds): Limited => {
  const rate = Math.max(UP_FACTOR * current, UP_LEAST)
  const highest = Math.min(most, rate)
  if (desired < least) return tooFew(least)
  if (desired > highest) return most > rate ? tooFast(highest, "Up") : tooMany(highest)
  return within(desired)
}

const longestPeriod = (rules: Fields): number =>
  itemsOf(rules["policies"]).reduce((longest, { periodSeconds }) => Math.max(longest, numberOf(periodSeconds)), 0)

export class Recommendations {
  readonly #before: Array<Recommendation> = []
  readonly #ups: Array<ScaleEvent> = []
  readonly #downs: Array<ScaleEvent> = []
  readonly #downWindowMs: number

  /** How long a higher recommendation counts where the behaviour does not say. */
  constructor(downWindowMs: number) {
    this.#downWindowMs = downWindowMs
  }

  /** The replicas that were found first count as recommended. */
  begin(current: number, nowMs: number): void {
    if (this.#before.length === 0) this.#before.push({ replicas: current, atMs: nowMs })
  }

  /** A recommendation within its bounds; `behavior` is the spec's, if it has one. */
  normalize(desired: number, bounds: Bounds, behavior: Fields | undefined, nowMs: number): Normalized {
    const stabilized =
      behavior === undefined ? this.#highest(desired, nowMs) : this.#stabilize(desired, bounds.current, behavior, nowMs)
    const limited =
      behavior === undefined
        ? plainLimit(stabilized.replicas, bounds)
        : this.#limit(stabilized.replicas, bounds, behavior, nowMs)
    return {
      stabilized,
      isStabilized: stabilized.replicas !== desired,
      limited,
      isLimited: limited.replicas !== stabilized.replicas
    }
  }

  /** The workload was scaled. */
  scaled(from: number, to: number, behavior: Fields | undefined, nowMs: number): void {
    if (behavior === undefined) return
    const isUp = to > from
    const events = isUp ? this.#ups : this.#downs
    // Rules of one way look back at changes of both.
    const seconds = Math.max(...["scaleUp", "scaleDown"].map((way) => longestPeriod(fieldsOf(behavior[way]))))
    const cutoff = nowMs - seconds * 1000
    const outdated = events.findLastIndex(({ atMs }) => atMs < cutoff)
    const event = { change: Math.abs(to - from), atMs: nowMs }
    if (outdated >= 0) events[outdated] = event
    else events.push(event)
  }

  #remember(replicas: number, nowMs: number, isOld: (one: Recommendation) => boolean): void {
    const old = this.#before.findLastIndex(isOld)
    if (old >= 0) this.#before[old] = { replicas, atMs: nowMs }
    else this.#before.push({ replicas, atMs: nowMs })
  }

  #highest(desired: number, nowMs: number): Limited {
    const cutoff = nowMs - this.#downWindowMs
    let replicas = desired
    for (const one of this.#before) if (one.atMs >= cutoff) replicas = Math.max(replicas, one.replicas)
    this.#remember(desired, nowMs, ({ atMs }) => atMs < cutoff)
    return stabilizedDown(replicas)
  }

  #stabilize(desired: number, current: number, behavior: Fields, nowMs: number): Limited {
    const windowOf = (side: string): number | undefined => {
      const seconds = numberIn(fieldsOf(behavior[side])["stabilizationWindowSeconds"])
      return seconds === undefined ? undefined : seconds * 1000
    }
    const upCutoff = nowMs - (windowOf("scaleUp") ?? 0)
    const downCutoff = nowMs - (windowOf("scaleDown") ?? this.#downWindowMs)
    let [up, down] = [desired, desired]
    for (const { atMs, replicas } of this.#before) {
      if (atMs > upCutoff) up = Math.min(up, replicas)
      if (atMs > downCutoff) down = Math.max(down, replicas)
    }
    this.#remember(desired, nowMs, ({ atMs }) => atMs < upCutoff && atMs < downCutoff)
    const replicas = Math.min(Math.max(current, up), down)
    return desired >= current
      ? {
          replicas,
          reason: "ScaleUpStabilized",
          message: "recent recommendations were lower than current one, applying the lowest recent recommendation"
        }
      : stabilizedDown(replicas)
  }

  #limit(desired: number, { current, least, most }: Bounds, behavior: Fields, nowMs: number): Limited {
    if (desired > current) {
      const rate = Math.max(current, this.#upLimit(current, fieldsOf(behavior["scaleUp"]), nowMs))
      const highest = Math.min(most, rate)
      if (desired > highest) return most > rate ? tooFast(highest, "Up") : tooMany(highest)
    } else if (desired < current) {
      const rate = Math.min(current, this.#downLimit(current, fieldsOf(behavior["scaleDown"]), nowMs))
      const lowest = Math.max(least, rate)
      if (desired < lowest) return least < rate ? tooFast(lowest, "Down") : tooFew(lowest)
    }
    return within(desired)
  }

  /** How many replicas there were at the start of a policy's period. */
  #atStart(current: number, policy: Fields, nowMs: number): number {
    const cutoff = nowMs - numberOf(policy["periodSeconds"]) * 1000
    const changes = (events: ReadonlyArray<ScaleEvent>): number =>
      events.reduce((sum, { atMs, change }) => (atMs > cutoff ? sum + change : sum), 0)
    return current - changes(this.#ups) + changes(this.#downs)
  }

  #upLimit(current: number, rules: Fields, nowMs: number): number {
    const select = textOf(rules["selectPolicy"])
    if (select === "Disabled") return current
    const limits = itemsOf(rules["policies"]).map((policy) => {
      const start = this.#atStart(current, policy, nowMs)
      const value = numberOf(policy["value"])
      return policy["type"] === "Pods" ? start + value : Math.ceil(start * (1 + value / 100))
    })
    return select === "Min" ? Math.min(MAX_INT32, ...limits) : Math.max(-MAX_INT32, ...limits)
  }

  #downLimit(current: number, rules: Fields, nowMs: number): number {
    const select = textOf(rules["selectPolicy"])
    if (select === "Disabled") return current
    const limits = itemsOf(rules["policies"]).map((policy) => {
      const start = this.#atStart(current, policy, nowMs)
      const value = numberOf(policy["value"])
      return policy["type"] === "Pods" ? start - value : Math.trunc(start * (1 - value / 100))
    })
    return select === "Min" ? Math.max(-MAX_INT32, ...limits) : Math.min(MAX_INT32, ...limits)
  }
}

const stabilizedDown = (replicas: number): Limited => ({
  replicas,
  reason: "ScaleDownStabilized",
  message: "recent recommendations were higher than current one, applying the highest recent recommendation"
})

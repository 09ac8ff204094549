// An attempt that has got as far as looking at clusters, and what every step of it has found so far.
// Owns one step each of Filter, Score, Select and Replicas, and how webhooks' answers count: what a plugin does not answer takes
// nothing away. Refuses the order of steps.
import type { PropagationPolicy, Requirements } from "../api/PropagationPolicy.ts"
import type { FreePlan } from "../planner/FreePlanner.ts"
import type { ProfilePlugin, SchedulingProfile } from "../api/SchedulingProfile.ts"
import { PluginFailed } from "../FederationError.ts"
import { classView, type ClassView } from "./ClassView.ts"
import { samePlacement, withDepartures } from "./Departures.ts"
import { divide, divideFreely, type Division, type DivisionRequest } from "./Division.ts"
import { explainAttempt, type Told } from "./Explain.ts"
import { type Wished, wishedOf } from "./ObjectWishes.ts"
import type { Outcome, Placement, PluginAnswer, PluginQuestion, ScheduleReason, ScheduleRequest } from "./Outcome.ts"
import { type Candidates, chooseFew, chooseGroup, chooseSpread, type Selected } from "./Selection.ts"
import { ruledOutBy, Standing } from "./Standing.ts"

/** Steps that may ask plugins. */
export type Steps<A> = Generator<PluginQuestion, A, PluginAnswer | PluginFailed>
type Positions = ReadonlyArray<number> | Int32Array

/** Replicas that there are; used again by every attempt. */
let held = new Float64Array(64)

/** An attempt that has got as far as looking at clusters. */
export class Attempt {
  readonly request: ScheduleRequest
  readonly policy: PropagationPolicy
  readonly profile: SchedulingProfile
  readonly requirements: Requirements
  readonly notes: Array<string>
  readonly view: ClassView
  readonly standing: Standing
  /** The sums with what webhooks added; the class's own where none did. */
  totals: Float64Array
  keys: Float64Array
  ranked: Positions
  chosen: Positions = []
  #division: Division | undefined
  #unassigned = 0
  /** A plugin did not answer: another attempt may come to more. */
  doubtful = false

  constructor(request: ScheduleRequest, policy: PropagationPolicy, profile: SchedulingProfile) {
    const { fleet, nowMs, previous, unit } = request
    const { notes, requirements }: Wished = wishedOf(unit.annotations, policy)
    this.request = request
    this.policy = policy
    this.profile = profile
    this.requirements = requirements
    this.notes = [...notes]
    this.view = classView(unit, fleet, { nowMs, profile, requirements })
    this.standing = new Standing({ unit, fleet, view: this.view, previous, nowMs })
    this.totals = this.view.totals
    this.keys = this.view.keys
    this.ranked = this.view.ranked
  }

  /** Replicas to divide; undefined: every cluster gets the whole object. */
  get total(): number | undefined {
    return this.requirements.mode === "Divide" ? this.request.unit.replicas : undefined
  }

  /** The last placement stays; another attempt makes sense whenever a cluster changes. */
  kept(reason: ScheduleReason, message: string): Outcome {
    const { previous } = this.request
    return {
      ...this.outcome(previous, { scheduled: false, reason, message, unassigned: 0 }),
      waiting: true
    }
  }

  #question(plugin: ProfilePlugin, point: PluginQuestion["point"], positions: Positions): PluginQuestion {
    const { fleet, previous, unit } = this.request
    return {
      plugin: plugin.name,
      point,
      unit,
      policy: this.policy,
      previous,
      clusters: Array.from(positions, (at) => fleet.clusters[at]),
      ...(point === "select" ? { scores: Array.from(positions, (at) => this.totals[at]) } : {})
    }
  }

  *#ask(plugin: ProfilePlugin, point: PluginQuestion["point"], positions: Positions): Steps<PluginAnswer | undefined> {
    const answer = yield this.#question(plugin, point, positions)
    if (!(answer instanceof PluginFailed)) return answer.point === point ? answer : undefined
    this.doubtful = true
    this.notes.push(answer.message)
    return undefined
  }

  #webhooks(point: "filter" | "score" | "select"): ReadonlyArray<ProfilePlugin> {
    return this.profile.plugins[point].filter(({ webhook }) => webhook)
  }

  /** Rules clusters out. One that a plugin does not answer for is kept where the object is, and not entered where it is not. */
  *filter(): Steps<void> {
    let left = this.standing.candidates()
    for (const plugin of this.#webhooks("filter")) {
      if (left.length === 0) break
      const answer = yield* this.#ask(plugin, "filter", left)
      const fits = answer?.point === "filter" ? answer : undefined
      left = Array.from(left).filter((at, place) => {
        const verdict = fits?.fits[place]
        if (verdict === undefined) {
          this.doubtful = true
          return this.standing.isCurrent(at)
        }
        if (!verdict) this.standing.oust(at, fits?.why[place] || `plugin ${plugin.name} rules it out`)
        return verdict
      })
    }
    this.ranked = left
  }

  /** Adds what webhooks score. */
  *score(): Steps<void> {
    for (const plugin of this.#webhooks("score")) {
      const answer = yield* this.#ask(plugin, "score", this.ranked)
      if (answer?.point !== "score") continue
      const totals = this.totals.slice()
      this.ranked.forEach((at: number, place: number) => (totals[at] += plugin.weight * (answer.scores[place] ?? 0)))
      this.totals = totals
    }
    if (this.totals === this.view.totals || this.view.byPriority) return
    this.keys = this.totals
    const { keys } = this
    this.ranked = Array.from(this.ranked).sort((a, b) => keys[b] - keys[a] || a - b)
  }

  #candidates(): Candidates {
    const { fleet } = this.request
    const { current, isCurrent } = this.standing
    return { fleet, requirements: this.requirements, ranked: this.ranked, isCurrent, current, keys: this.keys }
  }

  /** Chooses; answers why nothing can be chosen. */
  *select(): Steps<string | undefined> {
    const on = new Set(this.profile.plugins.select.map(({ name }) => name))
    const { requirements } = this
    const narrow = (choose: (candidates: Candidates) => Selected): string | undefined => {
      const { chosen, failure, notes } = choose(this.#candidates())
      this.notes.push(...notes)
      this.ranked = chosen
      return failure
    }
    if (on.has("FailoverGroups") && requirements.failoverGroups.length > 0) {
      const failure = narrow(chooseGroup)
      if (failure !== undefined) return failure
    }
    for (const plugin of this.#webhooks("select")) {
      const answer = yield* this.#ask(plugin, "select", this.ranked)
      if (answer?.point !== "select") return `plugin ${plugin.name} has not chosen`
      this.ranked = Array.from(this.ranked).filter((at) => answer.selected.has(this.request.fleet.clusters[at].name))
    }
    const spreads = on.has("TopologySpread") && requirements.spread.length > 0
    const failure = spreads ? narrow(chooseSpread) : on.has("MaxCluster") ? narrow(chooseFew) : undefined
    this.chosen = this.ranked
    return failure
  }

  /** Replicas that there are, in the order of the clusters where the object is; until the next call. */
  #replicas(total: number): Float64Array {
    const { fleet, previous } = this.request
    const { current } = this.standing
    if (held.length < current.length) held = new Float64Array(2 ** Math.ceil(Math.log2(current.length)))
    for (let at = 0; at < current.length; at++)
      held[at] = previous.clusters.get(fleet.clusters[current[at]].name) ?? total
    return held
  }

  #asked(total: number): DivisionRequest {
    const { fleet, unit } = this.request
    // Who is asked in what order matters only where clusters are filled.
    const fills = this.requirements.strategy === "Binpack"
    const chosen = this.chosen === this.view.ranked && !fills ? this.view.feasible : this.chosen
    return {
      unit,
      view: this.view,
      fleet,
      chosen,
      total,
      current: this.standing.current,
      replicas: this.#replicas(total)
    }
  }

  /** The division, for those who tell of it. */
  get division(): Division | undefined {
    const { total } = this
    if (total === undefined || this.chosen.length === 0) return undefined
    return (this.#division ??= divide(this.#asked(total), true))
  }

  /** Whether so many clusters that keep their replicas are all there are: then the placement stays as it is. */
  #isUnchanged(same: number): boolean {
    const { clusters, leaving } = this.request.previous
    if (same < 1 || same !== clusters.size || leaving.size > 0) return false
    for (const replicas of clusters.values()) if (replicas === undefined) return false
    return true
  }

  /** Replicas by position, where the object goes; or the placement itself, where it is clear already. */
  #wanted(): ReadonlyMap<number, number | undefined> | Placement {
    const { total } = this
    const wanted = new Map<number, number | undefined>()
    if (total === undefined) {
      this.chosen.forEach((at: number) => wanted.set(at, undefined))
      return wanted
    }
    const request = this.#asked(total)
    const free = divideFreely(request)
    if (free !== undefined) return this.#spread(free, request)
    const { chosen, current, overflow, planned, unassigned } = divide(request)
    this.#unassigned = unassigned
    let same = 0
    for (let place = 0; place < chosen.length; place++) {
      const replicas = planned[place] + overflow[place]
      if (replicas > 0) same = replicas === current[place] && same >= 0 ? same + 1 : -1
    }
    if (this.#isUnchanged(same)) return this.request.previous
    for (let place = 0; place < chosen.length; place++) {
      const replicas = planned[place] + overflow[place]
      if (replicas > 0) wanted.set(chosen[place], replicas)
    }
    return wanted
  }

  /** The same of a plan that names only those which get something. */
  #spread({ amounts, count, isSame, kept, places }: FreePlan, { chosen }: DivisionRequest) {
    const { fleet, previous } = this.request
    if (isSame && this.#isUnchanged(count)) return previous
    if (kept === previous.clusters.size && previous.leaving.size === 0) {
      // Nothing is left: there is nothing to be thought over.
      const clusters = new Map<string, number | undefined>()
      for (let at = 0; at < count; at++) clusters.set(fleet.clusters[chosen[places[at]]].name, amounts[at])
      return { clusters, leaving: previous.leaving }
    }
    const wanted = new Map<number, number | undefined>()
    for (let at = 0; at < count; at++) wanted.set(chosen[places[at]], amounts[at])
    return wanted
  }

  /** What was chosen as a placement, with what is left later. */
  conclude(): Outcome {
    const { fleet, nowMs, previous, unit } = this.request
    const wanted = this.#wanted()
    if ("clusters" in wanted) return this.#placed(wanted, wanted.clusters.size)
    if (wanted.size === 0) return this.#atZero("Unschedulable", "no cluster may take any replica")
    const placement = withDepartures({
      fleet,
      previous,
      wanted,
      reasons: this.standing.ousted,
      graceMs: this.requirements.failover.graceMs,
      nowMs,
      total: this.total,
      capOf: (cluster) =>
        Math.min(this.requirements.placement?.get(cluster)?.max ?? Infinity, unit.limited.get(cluster) ?? Infinity)
    })
    return this.#placed(placement, wanted.size)
  }

  #placed(placement: Placement, clusters: number): Outcome {
    const unassigned = this.#unassigned
    const whole = unassigned === 0
    return this.outcome(placement, {
      scheduled: true,
      reason: whole ? "Scheduled" : "PartlyScheduled",
      message: whole
        ? `${clusters} of ${this.request.fleet.size} clusters`
        : `${unassigned} of ${this.total ?? 0} replicas may go to none of the chosen clusters`,
      unassigned
    })
  }

  /** No replicas anywhere; the object stays where it is. */
  #atZero(reason: ScheduleReason, message: string): Outcome {
    const { previous, unit } = this.request
    const clusters = new Map<string, number | undefined>()
    for (const name of previous.clusters.keys()) clusters.set(name, 0)
    const scheduled = reason === "ScaledToZero"
    return this.outcome(
      { clusters, leaving: previous.leaving },
      { scheduled, reason, message, unassigned: scheduled ? 0 : (unit.replicas ?? 0) }
    )
  }

  scaledToZero(): Outcome {
    return this.#atZero("ScaledToZero", "no replicas are wanted: the object stays where it is, without any")
  }

  /** What it came to. */
  outcome(placement: Placement, told: Told): Outcome {
    const changed = !samePlacement(placement, this.request.previous)
    let { wakeAtMs } = this.standing
    for (const { untilMs } of placement.leaving.values()) wakeAtMs = Math.min(wakeAtMs, untilMs)
    return {
      ...told,
      placement: changed ? placement : this.request.previous,
      changed,
      waiting: this.doubtful || told.unassigned > 0,
      wakeAtMs,
      explain: () => explainAttempt(this, placement, told)
    }
  }

  /** The clusters as they were chosen once: only those that are gone are not. */
  stick(): boolean {
    if (!this.requirements.sticky) return false
    const { fleet, previous } = this.request
    const there = Array.from(previous.clusters.keys()).flatMap((name) => {
      const at = fleet.indexOf(name)
      return at === undefined || previous.leaving.has(name) || fleet.clusters[at].terminating ? [] : [at]
    })
    if (there.length === 0) return false
    this.standing.stay(there)
    this.chosen = this.ranked = there
    return true
  }

  histogram(): string {
    const { fleet, nowMs } = this.request
    const parts = ruledOutBy({ fleet, nowMs, view: this.view }, this.profile)
    const told = parts.map(({ clusters, reason }) => `${clusters} ${reason}`)
    const others = [...this.standing.ousted.values()].filter((why) => !parts.some(({ reason }) => reason === why))
    return `0/${fleet.size} clusters are available: ${[...told, ...new Set(others)].join(", ") || "plugins rule out all"}`
  }
}

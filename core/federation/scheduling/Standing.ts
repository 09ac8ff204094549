// Where an object stands at the start of an attempt: the clusters it is in and may stay in, those it must leave, and those that are gone.
// Owns that sorting; refuses to choose what comes instead.
import type { SchedulingProfile } from "../api/SchedulingProfile.ts"
import { type ClassView, FITS } from "./ClassView.ts"
import { filters } from "./Filters.ts"
import type { Fleet } from "./Fleet.ts"
import type { Placement } from "./Outcome.ts"
import type { SchedulingUnit } from "./SchedulingUnit.ts"

const EVICTED = "ClusterEvicted"

/** One moment of one object. */
export interface StandingRequest {
  readonly unit: SchedulingUnit
  readonly fleet: Fleet
  readonly view: ClassView
  readonly previous: Placement
  readonly nowMs: number
}

/** Where an object stands. */
export class Standing {
  readonly #request: StandingRequest
  /** 1: the object is there, and may stay. */
  readonly #current: Uint8Array
  readonly current: Array<number> = []
  /** Where it is, and may not stay, with why. */
  readonly ousted = new Map<number, string>()
  /** When time alone changes this. */
  wakeAtMs = Infinity
  readonly #evicts: boolean

  constructor(request: StandingRequest) {
    this.#request = request
    const { fleet, previous, unit, view } = request
    this.#current = new Uint8Array(fleet.size)
    this.#evicts = unit.evicted.size > 0 && view.profile.plugins.filter.some(({ name }) => name === EVICTED)
    for (const name of previous.clusters.keys()) {
      const at = fleet.indexOf(name)
      if (at === undefined || previous.leaving.has(name)) continue
      this.#sort(at, name)
    }
    for (const until of unit.evicted.values()) this.#wake(until)
    for (const { untilMs } of previous.leaving.values()) this.#wake(untilMs)
  }

  #wake(atMs: number): void {
    if (atMs > this.#request.nowMs && atMs < this.wakeAtMs) this.wakeAtMs = atMs
  }

  #sort(at: number, name: string): void {
    const { nowMs, view } = this.#request
    if (view.placed[at] !== FITS) this.ousted.set(at, this.whyNot(at, true))
    else if (this.isEvicted(name)) this.ousted.set(at, `it is to be left until ${this.#until(name)}`)
    else {
      this.#current[at] = 1
      this.current.push(at)
      if (view.drivenOutAt[at] > nowMs) this.#wake(view.drivenOutAt[at])
    }
  }

  #until(name: string): string {
    return `${Math.ceil(((this.#request.unit.evicted.get(name) ?? 0) - this.#request.nowMs) / 1000)} s from now`
  }

  readonly isCurrent = (at: number): boolean => this.#current[at] === 1

  /** Whether manual migration keeps the object out of a cluster. */
  isEvicted(name: string): boolean {
    return this.#evicts && (this.#request.unit.evicted.get(name) ?? 0) > this.#request.nowMs
  }

  /** Takes a cluster from the current ones. */
  oust(at: number, why: string): void {
    if (this.#current[at] === 0) return
    this.#current[at] = 0
    this.current.splice(this.current.indexOf(at), 1)
    this.ousted.set(at, why)
  }

  /** Takes these clusters as current, whatever speaks against them. */
  stay(positions: ReadonlyArray<number>): void {
    for (const at of positions) {
      this.ousted.delete(at)
      if (this.#current[at] === 1) continue
      this.#current[at] = 1
      this.current.push(at)
    }
  }

  /** Clusters that would do, best first: the class's own list wherever no object's own matter changes it. */
  candidates(): ReadonlyArray<number> | Int32Array {
    const { fleet, view } = this.#request
    const extra = this.current.filter((at) => view.fresh[at] !== FITS)
    if (extra.length === 0 && !this.#evicts) return view.ranked
    const { keys } = view
    return [...view.ranked, ...extra]
      .filter((at) => this.isCurrent(at) || !this.isEvicted(fleet.clusters[at].name))
      .sort((a, b) => keys[b] - keys[a] || a - b)
  }

  /** Why a cluster will not do. */
  whyNot(at: number, placed: boolean): string {
    const { fleet, nowMs, view } = this.#request
    const cluster = fleet.clusters[at]
    const verdict = (placed ? view.placed : view.fresh)[at]
    const plugin = view.profile.plugins.filter[verdict - 1]
    if (plugin === undefined)
      return this.isEvicted(cluster.name) ? `it is to be left until ${this.#until(cluster.name)}` : ""
    return filters[plugin.name]?.({ unit: view.unit, cluster, placed, nowMs }) ?? `plugin ${plugin.name}`
  }
}

/** How many clusters each plugin rules out for a new object, and why. */
export interface RuledOut {
  readonly plugin: string
  readonly reason: string
  readonly clusters: number
}

const counted = new WeakMap<ClassView, ReadonlyArray<RuledOut>>()

/** Counted once for a class. */
export const ruledOutBy = (
  { fleet, nowMs, view }: Pick<StandingRequest, "fleet" | "nowMs" | "view">,
  profile: SchedulingProfile
): ReadonlyArray<RuledOut> => {
  const known = counted.get(view)
  if (known !== undefined) return known
  const counts = new Map<string, RuledOut>()
  fleet.clusters.forEach((cluster, at) => {
    const plugin = profile.plugins.filter[view.fresh[at] - 1]
    if (plugin === undefined) return
    const reason = filters[plugin.name]?.({ unit: view.unit, cluster, placed: false, nowMs }) ?? "is ruled out"
    const key = `${plugin.name}/${reason}`
    counts.set(key, { plugin: plugin.name, reason, clusters: (counts.get(key)?.clusters ?? 0) + 1 })
  })
  const found = Array.from(counts.values()).sort(
    (a, b) => b.clusters - a.clusters || (a.plugin + a.reason < b.plugin + b.reason ? -1 : 1)
  )
  counted.set(view, found)
  return found
}

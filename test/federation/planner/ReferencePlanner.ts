// What a plan must be, told without an algorithm: of all plans there are, those that no other is better than. For small cases only,
// since it looks at every one of them.
import { type Case, movement, sum } from "./Cases.ts"

/** How good a plan is, first things first; less is better. */
export interface Merit {
  readonly missing: number
  readonly shortfall: number
  readonly moved: number
}

const capOf = ({ hard, soft }: Case["places"][number], isSoft: boolean): number =>
  isSoft ? Math.min(hard, soft) : hard

/** Every plan within hard caps with at most the wanted replicas. */
export const everyPlan = (given: Case): ReadonlyArray<ReadonlyArray<number>> => {
  let plans: ReadonlyArray<ReadonlyArray<number>> = [[]]
  for (const place of given.places) {
    const most = Math.min(capOf(place, true), given.total)
    plans = plans.flatMap((plan) =>
      Array.from({ length: Math.min(most, given.total - sum(plan)) + 1 }, (_, amount) => [...plan, amount])
    )
  }
  return plans
}

/** What a place takes at most: one without weight only its minimum, and what it has already when nothing is to move. */
const reach = (given: Case, at: number): number => {
  const place = given.places[at]
  const cap = capOf(place, true)
  if (given.strategy === "fill" || place.weight > 0) return cap
  const least = Math.min(place.min, cap)
  return given.avoidDisruption ? Math.max(least, Math.min(place.current, cap)) : least
}

export const meritOf = (given: Case, plan: ReadonlyArray<number>): Merit => ({
  missing: given.total - sum(plan),
  shortfall: sum(given.places.map((place, at) => Math.max(0, Math.min(place.min, capOf(place, true)) - plan[at]))),
  moved: movement(given, plan)
})

const compare = (a: Merit, b: Merit): number => a.missing - b.missing || a.shortfall - b.shortfall || a.moved - b.moved

/** The best that a plan within soft caps can be, when as little as can be is to move. */
export const bestMerit = (given: Case): Merit => {
  let best: Merit | undefined
  for (const plan of everyPlan(given)) {
    if (plan.some((amount, at) => amount > reach(given, at))) continue
    const merit = meritOf(given, plan)
    if (best === undefined || compare(merit, best) < 0) best = merit
  }
  if (best === undefined) throw new Error("there is always the empty plan")
  return best
}

/** How far a plan is from exact shares of what is left after minimums: squares, which the largest remainders make least. */
export const distance = (given: Case, plan: ReadonlyArray<number>): number => {
  const floors = given.places.map((place) => Math.min(place.min, capOf(place, true)))
  const quotas = exactShares(given, floors)
  return sum(plan.map((amount, at) => (amount - quotas[at]) ** 2))
}

/** Shares that are no whole numbers, within caps: what is over goes to those that have room. */
const exactShares = (given: Case, floors: ReadonlyArray<number>): ReadonlyArray<number> => {
  const shares = [...floors]
  const open = new Set(given.places.flatMap(({ weight }, at) => (weight > 0 ? [at] : [])))
  let left = given.total - sum(floors)
  while (left > 1e-9 && open.size > 0) {
    const weights = sum([...open].map((at) => given.places[at].weight))
    const full = [...open].filter(
      (at) => (left * given.places[at].weight) / weights >= capOf(given.places[at], true) - shares[at] - 1e-9
    )
    if (full.length === 0) {
      for (const at of open) shares[at] += (left * given.places[at].weight) / weights
      return shares
    }
    for (const at of full) {
      left -= capOf(given.places[at], true) - shares[at]
      shares[at] = capOf(given.places[at], true)
      open.delete(at)
    }
  }
  return shares
}

/** The least distance of all plans that have every minimum and as many replicas as can be. */
export const leastDistance = (given: Case): number => {
  const best = bestMerit({ ...given, avoidDisruption: false })
  let least = Infinity
  for (const plan of everyPlan(given)) {
    const { missing, shortfall } = meritOf(given, plan)
    const within = plan.every((amount, at) => amount <= reach({ ...given, avoidDisruption: false }, at))
    if (missing === best.missing && shortfall === best.shortfall && within) {
      least = Math.min(least, distance(given, plan))
    }
  }
  return least
}

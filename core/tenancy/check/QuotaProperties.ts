// The invariant of a tenant's quota: its shares are moved, taken in late and used up in any order, and the whole is never exceeded.
// Owns a cluster that counts as upstream does: what is used in a namespace stays under the share that is in force there, or one that
// was written since.
import * as fc from "fast-check"
import { wholeQuantity, type KubeObject } from "#kube"
import { type Amounts, divide, quotaObject, type Share, shareOf, sum, withinWhole } from "../quota/QuotaShares.ts"
import { cast } from "./Book.ts"
import type { Invariant } from "./Invariants.ts"
import { holds } from "./View.ts"

const pods = (count: number): Amounts => new Map([["pods", wholeQuantity(count)]])

const countIn = (amounts: Amounts): number => Number(amounts.get("pods")?.value() ?? 0)

/** One namespace upstream. */
class Place {
  readonly name: string
  written: number | undefined
  inForce = 0
  used = 0

  constructor(at: number) {
    this.name = `${cast.tenant}-n${at}`
  }

  get share(): Share {
    if (this.written === undefined) return shareOf(this.name, undefined, pods(0))
    const written: KubeObject = quotaObject(cast.tenant, this.name, pods(this.written))
    const status = { hard: { pods: String(this.inForce) }, used: { pods: String(this.used) } }
    return shareOf(this.name, { ...written, status }, pods(0))
  }

  /** What may come to be used here before anything else happens. */
  get limit(): number {
    return Math.max(this.written ?? 0, this.inForce)
  }
}

type Step = readonly [kind: "divide" | "take in" | "use" | "free", place: number, amount: number]

const steps: fc.Arbitrary<ReadonlyArray<Step>> = fc.array(
  fc.tuple(fc.constantFrom("divide", "divide", "take in", "use", "use", "free"), fc.nat(5), fc.nat(12)),
  { maxLength: 60 }
)

const play = (places: ReadonlyArray<Place>, hard: Amounts, [kind, at, amount]: Step): void => {
  const place = places[at % places.length]
  if (place === undefined) return
  switch (kind) {
    case "use":
      place.used = Math.max(place.used, Math.min(place.limit, place.used + amount))
      return
    case "free":
      place.used = Math.max(0, place.used - amount)
      return
    case "take in":
      place.inForce = place.written ?? 0
      return
    default: {
      const shares = places.map((one) => one.share)
      const target = divide(hard, shares, place.name).get(place.name) ?? pods(0)
      const others = shares
        .filter(({ namespace }) => namespace !== place.name)
        .map(({ bound, used }) => larger(bound, used))
      place.written = countIn(withinWhole(hard, target, others))
    }
  }
}

/** What a namespace holds counts even where its share is smaller by now. */
const larger = (bound: Amounts, used: Amounts): Amounts => pods(Math.max(countIn(bound), countIn(used)))

/** The sum of all namespaces stays under the quota. */
export const quotaProperties: ReadonlyArray<Invariant> = [
  {
    number: 20,
    name: "quota",
    says: "the sum of all namespaces stays under the quota, however its shares move",
    property: () =>
      fc.property(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.nat(40), steps), ([count, whole, all]) => {
        const places = Array.from({ length: count }, (_, at) => new Place(at))
        const hard = pods(whole)
        for (const step of all) {
          play(places, hard, step)
          const used = sum(places.map((place) => wholeQuantity(place.used)))
          holds(`${used.canonical()} of ${whole} pods after ${step.join(" ")}`, used.compare(wholeQuantity(whole)) <= 0)
        }
      })
  }
]

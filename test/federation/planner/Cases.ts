// Random small plans, and how a test writes one down: clusters as objects instead of columns.
import * as fc from "fast-check"
import { mixed, textHash } from "#federation"
import type { PlanRequest } from "../../../core/federation/planner/ReplicaPlan.ts"
import { ReplicaPlanner } from "../../../core/federation/planner/ReplicaPlanner.ts"

export interface Place {
  readonly name: string
  readonly weight: number
  readonly min: number
  readonly hard: number
  readonly soft: number
  readonly current: number
}

export interface Case {
  readonly places: ReadonlyArray<Place>
  readonly total: number
  readonly strategy: "spread" | "fill"
  readonly avoidDisruption: boolean
  readonly keepUnschedulable: boolean
  readonly key: string
}

export const place = (name: string, more: Partial<Place> = {}): Place => ({
  name,
  weight: 1,
  min: 0,
  hard: Infinity,
  soft: Infinity,
  current: 0,
  ...more
})

export const plain: Omit<Case, "places" | "total"> = {
  strategy: "spread",
  avoidDisruption: true,
  keepUnschedulable: false,
  key: "team/web"
}

export const requestOf = ({ places, ...rest }: Case): PlanRequest => {
  const column = (read: (place: Place) => number): Float64Array => Float64Array.from(places, read)
  const key = textHash(rest.key)
  return {
    ...rest,
    count: places.length,
    weights: column(({ weight }) => weight),
    mins: column(({ min }) => min),
    hardCaps: column(({ hard }) => hard),
    softCaps: column(({ soft }) => soft),
    current: column(({ current }) => current),
    ties: Int32Array.from(places, ({ name }) => mixed(textHash(name) ^ key))
  }
}

const planner = new ReplicaPlanner()

export interface Planned {
  readonly planned: ReadonlyArray<number>
  readonly overflow: ReadonlyArray<number>
  /** Both together. */
  readonly replicas: ReadonlyArray<number>
  readonly unassigned: number
}

export const planOf = (given: Case): Planned => {
  const { overflow, planned, unassigned } = planner.plan(requestOf(given))
  return {
    planned: [...planned],
    overflow: [...overflow],
    replicas: [...planned].map((amount, at) => amount + overflow[at]),
    unassigned
  }
}

/** The same with the plan's outcome as what there is. */
export const after = (given: Case, replicas: ReadonlyArray<number>): Case => ({
  ...given,
  places: given.places.map((place, at) => ({ ...place, current: replicas[at] }))
})

export const sum = (amounts: ReadonlyArray<number>): number => amounts.reduce((a, b) => a + b, 0)

export const movement = (given: Case, replicas: ReadonlyArray<number>): number =>
  sum(given.places.map(({ current }, at) => Math.abs(replicas[at] - current)))

interface Bounds {
  readonly places: number
  readonly amount: number
}

const bounded = (max: number): fc.Arbitrary<number> =>
  fc.oneof({ arbitrary: fc.constant(Infinity), weight: 2 }, { arbitrary: fc.nat({ max }), weight: 3 })

const placeOf = (at: number, amount: number): fc.Arbitrary<Place> =>
  fc.record({
    name: fc.constant(`c${at}`),
    weight: fc.nat({ max: 5 }),
    min: fc.oneof(fc.constant(0), fc.nat({ max: Math.ceil(amount / 2) })),
    hard: bounded(amount),
    soft: bounded(amount),
    current: fc.nat({ max: amount })
  })

export const caseOf = ({ amount, places }: Bounds): fc.Arbitrary<Case> =>
  fc.record({
    places: fc
      .integer({ min: 1, max: places })
      .chain((count) => fc.tuple(...Array.from({ length: count }, (_, at) => placeOf(at, amount)))),
    total: fc.nat({ max: amount * 2 }),
    strategy: fc.constantFrom("spread" as const, "fill" as const),
    avoidDisruption: fc.boolean(),
    keepUnschedulable: fc.boolean(),
    key: fc.string({ maxLength: 6 })
  })

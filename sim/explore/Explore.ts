// Looks for a seed whose run breaks a guarantee, shrinks what it finds, and says how to see it again.
// Owns that search and its words; refuses to know the worlds, which it is handed.
import type { FaultPlan, FaultStep } from "../faults/FaultPlan.ts"
import type { Violation } from "../checkers/Violations.ts"
import { shrinkItems } from "./Shrink.ts"
import type { RunResult } from "./StoreWorld.ts"

/** A case as far as shrinking needs to know it: a plan of faults and a workload, step by step. */
export interface SteppedCase<Step> {
  readonly seed: number
  readonly plan: FaultPlan
  readonly steps: ReadonlyArray<Step>
  /** How many machines the world has, where it has some. */
  readonly nodes?: number
}

export interface Finding<Case> {
  /** The case as it was drawn. */
  readonly drawn: Case
  /** The smallest case found that breaks the same guarantee. */
  readonly smallest: Case
  readonly violation: Violation
  readonly eventLogHash: string
  /** Runs that shrinking took. */
  readonly runs: number
}

/** Runs that shrinking one finding may take. */
const SHRINK_RUNS_MAX = 900
/** Leaving a step out also shifts latencies and orders; a smaller case may need another seed to go wrong in the same way. */
const SEEDS_TRIED = 3

type Item<Step> = { readonly fault: FaultStep } | { readonly step: Step }

const assemble = <Step, Case extends SteppedCase<Step>>(base: Case, items: ReadonlyArray<Item<Step>>): Case => ({
  ...base,
  plan: items.flatMap((item) => ("fault" in item ? [item.fault] : [])),
  steps: items.flatMap((item) => ("step" in item ? [item.step] : []))
})

/** The smallest case that breaks the guarantee that this one breaks; undefined when it breaks none. */
export const shrinkCase = <Step, Case extends SteppedCase<Step>>(
  drawn: Case,
  run: (candidate: Case) => RunResult,
  runsMax = SHRINK_RUNS_MAX
): Finding<Case> | undefined => {
  const first = run(drawn).violations.at(0)
  if (first === undefined) return undefined
  let { seed } = drawn
  const breaks = (candidate: Case): boolean => {
    for (let other = 0; other < SEEDS_TRIED; other++) {
      const tried = seed + other
      if (run({ ...candidate, seed: tried }).violations.every(({ guarantee }) => guarantee !== first.guarantee))
        continue
      seed = tried
      return true
    }
    return false
  }
  const items: ReadonlyArray<Item<Step>> = [
    ...drawn.plan.map((fault) => ({ fault })),
    ...drawn.steps.map((step) => ({ step }))
  ]
  const shrunk = shrinkItems(items, (left) => breaks(assemble<Step, Case>(drawn, left)), runsMax)
  const fewest = { ...assemble<Step, Case>(drawn, shrunk.items), seed }
  const smallest = { ...fewest, ...fewestNodes(fewest, breaks), seed }
  const { eventLogHash, violations } = run(smallest)
  const violation = violations.find(({ guarantee }) => guarantee === first.guarantee) ?? first
  return { drawn, smallest, violation, eventLogHash, runs: shrunk.runs }
}

/** Halves the machines as long as the case still breaks the guarantee. */
const fewestNodes = <Case extends { readonly nodes?: number }>(
  from: Case,
  breaks: (candidate: Case) => boolean
): { readonly nodes?: number } => {
  if (from.nodes === undefined) return {}
  let { nodes } = from
  while (nodes > 1 && breaks({ ...from, nodes: nodes >> 1 })) nodes >>= 1
  return { nodes }
}

/** The first finding among some seeds; undefined when every run keeps every guarantee. */
export const explore = <Step, Case extends SteppedCase<Step>>(
  seeds: Iterable<number>,
  draw: (seed: number) => Case,
  run: (candidate: Case) => RunResult
): Finding<Case> | undefined => {
  for (const seed of seeds) {
    const drawn = draw(seed)
    if (run(drawn).violations.length > 0) return shrinkCase<Step, Case>(drawn, run)
  }
  return undefined
}

/** The one command that shows a finding again, given the file that holds its case. */
export const replayCommand = (file: string): string => `wharf sim replay ${file}`

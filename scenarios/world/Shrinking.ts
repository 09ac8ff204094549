// Makes a scenario's violation as small as it gets within a budget of real time: fewer faults, fewer steps, fewer nodes.
// Owns the budget; the search is the simulator's (explore/Explore.ts). A case that the budget cuts off counts as one that holds.
import { type RunResult, shrinkCase, wallMs } from "#sim"
import { runScenarioCase } from "./CaseRun.ts"
import type { ScenarioFinding } from "./Protocol.ts"
import type { ScenarioCase, ScenarioStep } from "./ScenarioCase.ts"

const HOLDS: RunResult = { eventLogHash: "", events: 0, virtualMs: 0, violations: [], counts: {} }

/** The smallest case found within the budget; undefined when the violation does not come again. */
export const shrinkScenario = (
  drawn: ScenarioCase,
  budgetMs: number,
  run: (candidate: ScenarioCase) => RunResult = (candidate) => runScenarioCase(candidate)
): ScenarioFinding | undefined => {
  const untilMs = wallMs() + budgetMs
  let isFirst = true
  // The first run and the last one, which shows what was found, are never cut off.
  const bounded = (candidate: ScenarioCase): RunResult => {
    if (!isFirst && wallMs() > untilMs) return HOLDS
    isFirst = false
    return run(candidate)
  }
  const finding = shrinkCase<ScenarioStep, ScenarioCase>(drawn, bounded)
  if (finding === undefined) return undefined
  const { runs, smallest, violation } = finding
  return {
    case: smallest,
    guarantee: violation.guarantee,
    message: violation.message,
    atMs: violation.atMs,
    fromSteps: drawn.plan.length + drawn.steps.length,
    toSteps: smallest.plan.length + smallest.steps.length,
    runs
  }
}

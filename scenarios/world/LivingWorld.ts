// A scenario's cluster while it lives, simulated or real, as the run and its measures see it.
// Owns that port alone: who lives there, what was found wrong, and how its time passes.
import type { Client } from "#kube"
import type { Kernel, Population, Violations } from "#sim"
import type { FollowedView } from "./ClusterView.ts"
import type { NodeUpgrade } from "./NodeUpgrade.ts"
import type { OperatorStep, ScenarioStep } from "./ScenarioCase.ts"

export interface LivingWorld {
  /** Whether its time is virtual and one seed gives one life. */
  readonly isSimulated: boolean
  /** Where a watch of pods is there anyway: what a watcher hears is what it tells. */
  readonly watchedPods?: FollowedView
  readonly kernel: Kernel
  readonly population: Population
  readonly violations: Violations
  readonly upgrades: ReadonlyArray<NodeUpgrade>
  readonly client: (name: string) => Client
  /** Starts everything; the steps begin when the server has what every cluster begins with. `begun` is called then. */
  readonly start: (steps: Iterable<ScenarioStep>, operators: ReadonlyArray<OperatorStep>, begun: () => void) => void
  /** Lets the cluster live until this time of its own; `breathe` is called again and again, and gives the process its turn. */
  readonly runUntil: (untilMs: number, breathe: () => Promise<void>) => Promise<void>
  /** Called when all is quiet: what can only be judged at the end. */
  readonly finished: () => void
  /** Ends everything; what was asked of a real server has its answer then. */
  readonly stop: () => Promise<void>
}

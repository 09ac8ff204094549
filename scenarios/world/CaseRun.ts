// Runs a scenario's case to its first violation or to its end: what exploring, shrinking and replaying are made of.
// Owns that run; measures nothing.
import { type CaseRunner, type Kernel, planEndMs, type RunResult } from "#sim"
import { type ScenarioCase, withNodes } from "./ScenarioCase.ts"
import { ScenarioWorld, type WorldHooks } from "./ScenarioWorld.ts"

/** Runs a case; the same case gives the same result. `onKernel` sees the kernel before anything happens, hooks as in any world. */
export const runScenarioCase = (
  run: ScenarioCase,
  { hooks, onKernel }: { readonly onKernel?: (kernel: Kernel) => void; readonly hooks?: WorldHooks } = {}
): RunResult => {
  const cluster = withNodes(run.cluster, run.nodes)
  const { folder, plan, seed } = run
  const scenario = new ScenarioWorld({ cluster, seed, folder, plan, ...(hooks && { hooks }) })
  const { violations, world } = scenario
  const { kernel } = world
  onKernel?.(kernel)
  violations.onViolation = () => kernel.stop()
  scenario.start(run.steps)
  const endMs = Math.max(cluster.duration, planEndMs(plan)) + cluster.settle
  if (kernel.run({ untilMs: endMs }) === "time") scenario.finished()
  return {
    eventLogHash: kernel.log.hash(),
    events: kernel.log.count,
    virtualMs: kernel.nowMs,
    violations: violations.list,
    counts: { steps: world.player.stats.steps, bound: world.bindings.stats.bound }
  }
}

/** Replays a scenario's case from its file's data, which is our own format. */
export const replayScenario: CaseRunner = (data, hooks) => runScenarioCase(data as ScenarioCase, hooks)

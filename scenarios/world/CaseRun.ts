// Runs a scenario's case to its first violation or to its end: what exploring, shrinking and replaying are made of.
// Owns that run; measures nothing.
import { type CaseRunner, type Kernel, planEndMs, type RunResult } from "#sim"
import { type ScenarioCase, withNodes } from "./ScenarioCase.ts"
import { ScenarioWorld } from "./ScenarioWorld.ts"

/** Runs a case; the same case gives the same result. `onKernel` sees the kernel before anything happens. */
export const runScenarioCase = (
  run: ScenarioCase,
  { onKernel, untilMs }: { readonly onKernel?: (kernel: Kernel) => void; readonly untilMs?: number } = {}
): RunResult => {
  const cluster = withNodes(run.cluster, run.nodes)
  const scenario = new ScenarioWorld({ cluster, seed: run.seed, folder: run.folder, plan: run.plan })
  const { violations, world } = scenario
  const { kernel } = world
  onKernel?.(kernel)
  violations.onViolation = () => kernel.stop()
  scenario.start(run.steps)
  const endMs = Math.max(cluster.duration, planEndMs(run.plan)) + cluster.settle
  if (kernel.run({ untilMs: untilMs ?? endMs }) === "time" && untilMs === undefined) scenario.finished()
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

// Hollow machines on a real API server, in real time: they register, renew their leases, and run what is bound to them, as the stages of
// the simulator say.
// Owns their life within a scope; refuses to schedule and to control anything else.
import type { KubeAccess } from "#kube"
import { epochMs, Kernel, type NodeGroup, Population, RealTime, type Stage } from "#sim"
import { Effect, type Scope } from "effect"
import { RealClients } from "../world/RealClients.ts"

export interface HollowMachinesOptions {
  readonly access: KubeAccess
  readonly groups: ReadonlyArray<NodeGroup>
  readonly podStages?: ReadonlyArray<Stage>
  readonly seed: number
}

const LOOK_MS = 50

/** Starts the machines; all are registered when it returns, and all are still when the scope closes. */
export const hollowMachines = (options: HollowMachinesOptions): Effect.Effect<Population, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { access, groups, podStages, seed } = options
    const kernel = new Kernel({ seed, epochMs: epochMs() })
    const time = yield* Effect.acquireRelease(
      Effect.sync(() => new RealTime(kernel)),
      (following) => Effect.sync(() => following.stop())
    )
    const clients = yield* Effect.acquireRelease(
      Effect.sync(() => new RealClients(() => access, kernel, time)),
      (open) => Effect.promise(() => open.close())
    )
    const population = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const stages = podStages === undefined ? {} : { podStages }
        const all = new Population(kernel, (name) => clients.client(name), {
          nodeGroups: groups,
          ...stages,
          bindsPods: false
        })
        all.start()
        return all
      }),
      (all) => Effect.sync(() => all.stop())
    )
    while (population.nodes.stats.registered < population.nodes.count) yield* Effect.sleep(LOOK_MS)
    return population
  })

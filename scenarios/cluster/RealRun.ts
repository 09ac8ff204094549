// One run of a scenario's cluster where it really lives: the target is opened, the cluster's life is lived in a process of its own, faults
// are done to the control plane when they are due, programs are sampled.
// Owns that joint; the record is ClusterRun.ts's.
import type { Component } from "#reports"
import { Clock, Effect } from "effect"
import { dirname, resolve } from "node:path"
import { ResourceSampler } from "../ResourceSampler.ts"
import { sampling } from "../Run.ts"
import type { LoadedScenario } from "../ScenarioFile.ts"
import type { RealTarget } from "../targets/RealTarget.ts"
import type { WorldProgress, WorldResult } from "../world/Protocol.ts"
import { machineCount } from "./Capacity.ts"
import type { Cluster } from "./Cluster.ts"
import type { RealRecording } from "./ClusterRun.ts"
import { askWorld, openWorld, WorldFailed } from "./WorldProcess.ts"

/** The most memory that the programs held at one moment, in bytes; 0 where it cannot be seen. */
const mostMemory = (components: ReadonlyArray<Component>): number => {
  const length = Math.max(0, ...components.map(({ rssBytes }) => rssBytes.length))
  return Array.from({ length }, (_, at) =>
    components.reduce((sum, { rssBytes }) => sum + (rssBytes[at] ?? 0), 0)
  ).reduce((most, sum) => Math.max(most, sum), 0)
}

/** The process of hollow nodes, users, readers and watchers. */
const OWN = "nodes and users"

const noFinish = { violations: [], facts: {} }

/** Lives through the scenario's cluster once, in real time. */
export const runReal = (
  loaded: LoadedScenario,
  cluster: Cluster,
  target: RealTarget,
  directory: string,
  onProgress: (progress: WorldProgress) => void
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* target.open(loaded, cluster, directory)
      const child = yield* openWorld(machineCount(cluster))
      const own = new ResourceSampler(OWN, "load-generator", () => child.pid, yield* Clock.currentTimeMillis)
      const samplers = opened.samplers.length === 0 ? [] : [...opened.samplers, own]
      yield* sampling(samplers)
      const { context, finish = Effect.succeed(noFinish), front, kubeconfig, run } = opened
      const answer = yield* askWorld(
        child,
        {
          type: "real",
          seed: loaded.scenario.seed,
          cluster,
          folder: resolve(dirname(loaded.file)),
          kubeconfig,
          ...(context === undefined ? {} : { context }),
          ...(run === undefined ? {} : { run }),
          ...(front === undefined ? {} : { front }),
          binds: opened.binds
        },
        { progress: onProgress, plane: (command) => void Effect.runFork(opened.obey(command)) }
      )
      if (answer.type !== "result") return yield* new WorldFailed({ reason: `it answered ${answer.type}` })
      const { facts, violations } = yield* finish
      const components = samplers.flatMap((sampler) => sampler.component() ?? [])
      const real: RealRecording = { target: target.kind, backend: opened.backend, components }
      const result: WorldResult = {
        ...answer,
        violations: [...answer.violations, ...violations],
        cluster: {
          ...answer.cluster,
          facts: { ...answer.cluster.facts, ...facts },
          residentMaxBytes: mostMemory(components.filter(({ role }) => role === "server"))
        }
      }
      return { result, real }
    })
  )

// One run of a scenario's cluster on real programs: a store, kube-apiserver, kube-controller-manager and kube-scheduler as processes of
// this machine, the cluster's life in another, faults done to the control plane when they are due.
// Owns that joint and what is sampled of the programs; the record is ClusterRun.ts's.
import { assetVersion, findAsset, openControlPlane, type PlanePart, type RunningPlane } from "#kind"
import type { Component } from "#reports"
import { Clock, Effect } from "effect"
import { dirname, join, resolve } from "node:path"
import type { Backend, RunningServer } from "../backends/Backend.ts"
import { recordedStore } from "../Recording.ts"
import { dataDirectory, sampling } from "../Run.ts"
import { ResourceSampler } from "../ResourceSampler.ts"
import type { LoadedScenario } from "../ScenarioFile.ts"
import type { PlaneCommand, WorldProgress, WorldResult } from "../world/Protocol.ts"
import type { Cluster } from "./Cluster.ts"
import type { RealRecording } from "./ClusterRun.ts"
import { compactStore } from "./StoreCompaction.ts"
import { askWorld, openWorld, WorldFailed } from "./WorldProcess.ts"

/** Programs of the control plane that the scenario leaves to others, or does without. */
const partsOf = ({ controllers, scheduler }: Cluster): ReadonlyArray<PlanePart> => [
  ...(controllers === "none" ? [] : (["kube-controller-manager"] as const)),
  ...(scheduler === "one-pass" ? [] : (["kube-scheduler"] as const))
]

const controllerFlags = ({ controllers }: Cluster): ReadonlyArray<string> => {
  if (typeof controllers === "string") return []
  const all = controllers.every((name) => name.startsWith("-")) ? ["*"] : []
  return [`--controllers=${[...all, ...controllers].join(",")}`]
}

/** Gates that hold back what a controller lets go: without controllers they are off. */
const serverFlags = ({ controllers }: Cluster): ReadonlyArray<string> =>
  controllers === "none" ? ["--disable-admission-plugins=ServiceAccount,TaintNodesByCondition"] : []

/** Does to the control plane what a fault asks for; what fails is seen in the run itself. */
const obey = (plane: RunningPlane, store: RunningServer, command: PlaneCommand): Effect.Effect<void> => {
  const server = plane.processes.find(({ name }) => name === "kube-apiserver")
  if (server === undefined) return Effect.void
  switch (command.kind) {
    case "kill":
      return server.kill
    case "start":
      return Effect.ignore(server.start)
    case "pause":
      return Effect.sync(() => server.signal("SIGSTOP"))
    case "resume":
      return Effect.sync(() => server.signal("SIGCONT"))
    case "compact":
      return Effect.ignore(compactStore(store.endpoint, command.keep))
  }
}

const samplersOf = (plane: RunningPlane, store: RunningServer, startedAt: number): ReadonlyArray<ResourceSampler> => [
  new ResourceSampler("store", "server", store.pid, startedAt),
  ...plane.processes.map(({ name, pid }) => new ResourceSampler(name, "server", pid, startedAt))
]

/** The most memory that the programs held at one moment, in bytes; 0 where it cannot be seen. */
const mostMemory = (components: ReadonlyArray<Component>): number => {
  const length = Math.max(0, ...components.map(({ rssBytes }) => rssBytes.length))
  return Array.from({ length }, (_, at) =>
    components.reduce((sum, { rssBytes }) => sum + (rssBytes[at] ?? 0), 0)
  ).reduce((most, sum) => Math.max(most, sum), 0)
}

const versionOf = findAsset("kube-apiserver").pipe(
  Effect.flatMap(assetVersion),
  Effect.orElseSucceed(() => undefined)
)

/** Lives through the scenario's cluster once, in real time. */
export const runOnProcesses = (
  { file, scenario }: LoadedScenario,
  cluster: Cluster,
  backend: Backend,
  directory: string,
  onProgress: (progress: WorldProgress) => void
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { fsync, quotaBytes } = scenario.server
      const place = yield* dataDirectory(directory, `plane-${backend.name}`)
      const server = yield* backend.open({ dataDir: join(place, "store"), quotaBytes, fsync })
      const { host, port } = server.endpoint
      const plane = yield* openControlPlane({
        name: scenario.name,
        directory: join(place, "plane"),
        store: { url: `http://${host}:${port}` },
        parts: partsOf(cluster),
        apiServerFlags: serverFlags(cluster),
        controllerFlags: controllerFlags(cluster)
      })
      const samplers = samplersOf(plane, server, yield* Clock.currentTimeMillis)
      yield* sampling(samplers)
      const child = yield* openWorld
      const services = yield* Effect.context()
      const answer = yield* askWorld(
        child,
        {
          type: "real",
          seed: scenario.seed,
          cluster,
          folder: resolve(dirname(file)),
          kubeconfig: plane.kubeconfig,
          binds: cluster.scheduler === "one-pass"
        },
        {
          progress: onProgress,
          plane: (command) => void Effect.runForkWith(services)(obey(plane, server, command))
        }
      )
      if (answer.type !== "result") return yield* new WorldFailed({ reason: `it answered ${answer.type}` })
      const components = samplers.flatMap((sampler) => sampler.component() ?? [])
      const version = yield* versionOf
      const stored = recordedStore(backend, scenario)
      const real: RealRecording = {
        target: "process",
        backend: {
          ...stored,
          settings: { ...stored.settings, ...(version === undefined ? {} : { "kube-apiserver": version }) }
        },
        components
      }
      const result: WorldResult = {
        ...answer,
        cluster: { ...answer.cluster, residentMaxBytes: mostMemory(components) }
      }
      return { result, real }
    })
  )

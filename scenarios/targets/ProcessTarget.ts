// `--target process`: a store, kube-apiserver, kube-controller-manager and kube-scheduler as processes of this machine, for one run.
// Owns which of them a scenario needs and what faults do to them; starting and stopping them is kind's.
import { assetVersion, findAsset, openControlPlane, type PlanePart, type RunningPlane } from "#kind"
import { Clock, Effect } from "effect"
import { join } from "node:path"
import type { Backend, RunningServer } from "../backends/Backend.ts"
import type { Cluster } from "../cluster/Cluster.ts"
import { compactStore } from "./StoreCompaction.ts"
import { recordedStore } from "../Recording.ts"
import { ResourceSampler } from "../ResourceSampler.ts"
import { dataDirectory } from "../Run.ts"
import type { PlaneCommand } from "../world/Protocol.ts"
import type { RealTarget } from "./RealTarget.ts"

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
const obeyed = (plane: RunningPlane, store: RunningServer, command: PlaneCommand): Effect.Effect<void> => {
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

const serverVersion = findAsset("kube-apiserver").pipe(
  Effect.flatMap(assetVersion),
  Effect.map((version) => (version === undefined ? {} : { "kube-apiserver": version })),
  Effect.orElseSucceed(() => ({}))
)

/** The target over one store. */
export const processTarget = (backend: Backend): RealTarget => ({
  kind: "process",
  name: backend.name,
  version: backend.version,
  open: Effect.fn("scenarios.processTarget.open")(function* ({ scenario }, cluster, directory) {
    const { fsync, quotaBytes } = scenario.server
    const place = yield* dataDirectory(directory, `plane-${backend.name}`)
    const server = yield* backend.open({ dataDir: join(place, "store"), quotaBytes, fsync })
    const { host, port } = server.endpoint
    const plane = yield* openControlPlane({
      name: scenario.name,
      directory: join(place, "plane"),
      storeUrl: `http://${host}:${port}`,
      parts: partsOf(cluster),
      apiServerFlags: serverFlags(cluster),
      controllerFlags: controllerFlags(cluster)
    })
    const stored = recordedStore(backend, scenario)
    return {
      kubeconfig: plane.kubeconfig,
      binds: cluster.scheduler === "one-pass",
      obey: (command) => obeyed(plane, server, command),
      samplers: samplersOf(plane, server, yield* Clock.currentTimeMillis),
      backend: { ...stored, settings: { ...stored.settings, ...(yield* serverVersion) } }
    }
  })
})

// `--target process`: a store, kube-apiserver, kube-controller-manager and kube-scheduler as processes of this machine, for one run.
// Owns which of them a scenario needs and what faults do to them; starting and stopping them is kind's.
import { assetVersion, findAsset, openControlPlane, type PlanePart, type RunningPlane } from "#kind"
import { loadAccess } from "#kube"
import { Clock, Effect } from "effect"
import { mkdirSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import type { Backend, RunningServer } from "../backends/Backend.ts"
import type { Cluster } from "../cluster/Cluster.ts"
import { hollowMachines } from "../clusters/HollowMachines.ts"
import { recordedStore } from "../Recording.ts"
import { ResourceSampler } from "../ResourceSampler.ts"
import { dataDirectory } from "../Run.ts"
import type { LoadedScenario } from "../ScenarioFile.ts"
import { groupsOf, stagesOf } from "../world/Life.ts"
import type { PlaneCommand } from "../world/Protocol.ts"
import { planeFacts } from "./PlaneFacts.ts"
import { type RealTarget, TargetRefused } from "./RealTarget.ts"
import { compactStore } from "./StoreCompaction.ts"
import { finished, type OpenedSystems, prepareSystems } from "./systems/PlaneSystems.ts"

/** Programs of the control plane that the scenario leaves to others, or does without. */
const partsOf = ({ controllers, scheduler, systems }: Cluster): ReadonlyArray<PlanePart> => [
  ...(controllers === "none" ? [] : (["kube-controller-manager"] as const)),
  ...(scheduler === "one-pass" || systems.includes("scheduler") ? [] : (["kube-scheduler"] as const))
]

const controllerFlags = ({ controllers, controlPlane: { controllerRate: rate } }: Cluster): ReadonlyArray<string> => {
  const asked = rate === undefined ? [] : [`--kube-api-qps=${rate.qps}`, `--kube-api-burst=${rate.burst}`]
  if (typeof controllers === "string") return asked
  const all = controllers.every((name) => name.startsWith("-")) ? ["*"] : []
  return [`--controllers=${[...all, ...controllers].join(",")}`, ...asked]
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

const samplersOf = (
  plane: RunningPlane,
  store: RunningServer,
  systems: OpenedSystems,
  startedAt: number
): ReadonlyArray<ResourceSampler> => [
  new ResourceSampler("store", "server", store.pid, startedAt),
  ...[...plane.processes, ...systems.processes].map(
    ({ name, pid }) => new ResourceSampler(name, "server", pid, startedAt)
  )
]

const serverVersion = findAsset("kube-apiserver").pipe(
  Effect.flatMap(assetVersion),
  Effect.map((version) => (version === undefined ? {} : { "kube-apiserver": version })),
  Effect.orElseSucceed(() => ({}))
)

interface PlanePlace {
  readonly backend: Backend
  readonly loaded: LoadedScenario
  readonly cluster: Cluster
  /** A folder of its own. */
  readonly place: string
}

/** A store and a control plane over it; they live as long as the scope. */
const openPlane = ({ backend, cluster, loaded, place }: PlanePlace, apiServer: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { scenario } = loaded
    const { fsync, quotaBytes } = scenario.server
    mkdirSync(place, { recursive: true, mode: 0o700 })
    const store = yield* backend.open({ dataDir: join(place, "store"), quotaBytes, fsync })
    const { host, port } = store.endpoint
    const plane = yield* openControlPlane({
      name: scenario.name,
      directory: join(place, "plane"),
      storeUrl: `http://${host}:${port}`,
      parts: partsOf(cluster),
      apiServerFlags: [...serverFlags(cluster), ...apiServer],
      controllerFlags: controllerFlags(cluster)
    })
    return { plane, store }
  })

/** Further members of a federation: whole control planes with hollow machines of their own. */
const openMembers = (first: RunningPlane, given: PlanePlace) =>
  Effect.gen(function* () {
    const { cluster, loaded, place } = given
    if (!cluster.systems.includes("federation")) return []
    const { podStages } = stagesOf(cluster, resolve(dirname(loaded.file)))
    const others = yield* Effect.forEach(
      Array.from({ length: cluster.members - 1 })
        .keys()
        .toArray(),
      (at) =>
        Effect.gen(function* () {
          const name = `member-${at + 2}`
          const { plane } = yield* openPlane({ ...given, place: join(place, name) }, [])
          const access = yield* loadAccess({ kubeconfig: plane.kubeconfig }).pipe(
            Effect.mapError(({ message }) => new TargetRefused({ reason: message }))
          )
          yield* hollowMachines({ access, groups: groupsOf(cluster), podStages, seed: loaded.scenario.seed + at + 1 })
          return { name, kubeconfig: plane.kubeconfig }
        })
    )
    return [{ name: "member-1", kubeconfig: first.kubeconfig }, ...others]
  })

/** The target over one store. */
export const processTarget = (backend: Backend): RealTarget => ({
  kind: "process",
  name: backend.name,
  version: backend.version,
  open: Effect.fn("scenarios.processTarget.open")(function* (loaded, cluster, directory) {
    const { scenario } = loaded
    const place = yield* dataDirectory(directory, `plane-${backend.name}`)
    const prepared = yield* prepareSystems(cluster, join(place, "systems"))
    const given: PlanePlace = { backend, cluster, loaded, place }
    const { plane, store } = yield* openPlane(given, prepared.apiServerFlags)
    const systems = yield* prepared.open(plane, yield* openMembers(plane, given))
    const stored = recordedStore(backend, scenario)
    const around = cluster.systems.length === 0 ? {} : { systems: cluster.systems.join(", ") }
    return {
      kubeconfig: plane.kubeconfig,
      binds: cluster.scheduler === "one-pass",
      ...(systems.front && { front: systems.front }),
      finish: finished([planeFacts(plane), systems.finish]),
      obey: (command) => obeyed(plane, store, command),
      samplers: samplersOf(plane, store, systems, yield* Clock.currentTimeMillis),
      backend: { ...stored, settings: { ...stored.settings, ...(yield* serverVersion), ...around } }
    }
  })
})

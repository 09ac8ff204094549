// `--target kind`: a control plane in containers, by the kind command, for one run; over our store on this host in etcd's place, or over
// the etcd that kind brings (`--backend etcd`). Nodes are hollow, as on every target but a kubeconfig's.
// Owns the joint of store, relay and cluster, and what faults do to it; the calls of kind are kind's.
import { hostForContainers, needKind, openKindCluster, openRelay, signalApiServer } from "#kind"
import { Effect, Random } from "effect"
import { join } from "node:path"
import type { Backend, RunningServer } from "../backends/Backend.ts"
import { recordedStore } from "../Recording.ts"
import { dataDirectory } from "../Run.ts"
import type { PlaneCommand } from "../world/Protocol.ts"
import type { OpenedCluster, RealTarget } from "./RealTarget.ts"
import { compactStore } from "./StoreCompaction.ts"

/** Our store, reachable from containers, where it is not kind's own etcd that is asked for. */
const openStore = (
  backend: Backend,
  place: string,
  settings: { readonly quotaBytes: number; readonly fsync: boolean }
) =>
  Effect.gen(function* () {
    if (backend.name === "etcd") return undefined
    const server = yield* backend.open({ dataDir: join(place, "store"), ...settings })
    const { host, port } = server.endpoint
    const relay = yield* openRelay({ listenHost: yield* hostForContainers, host, port })
    return { server, url: `http://${relay.host}:${relay.port}` }
  })

const signals = { kill: "KILL", pause: "STOP", resume: "CONT" } as const

const obeyed = (name: string, store: RunningServer | undefined, command: PlaneCommand) => {
  // Its kubelet starts an API server again by itself.
  if (command.kind === "start") return Effect.void
  if (command.kind !== "compact") return signalApiServer(name, signals[command.kind])
  return store === undefined ? Effect.void : Effect.ignore(compactStore(store.endpoint, command.keep))
}

/** The target over one store. */
export const kindTarget = (backend: Backend): RealTarget => ({
  kind: "kind",
  name: backend.name,
  version: backend.version,
  open: Effect.fn("scenarios.kindTarget.open")(function* ({ scenario }, cluster, directory) {
    yield* needKind
    const { fsync, quotaBytes } = scenario.server
    const place = yield* dataDirectory(directory, `kind-${backend.name}`)
    const store = yield* openStore(backend, place, { fsync, quotaBytes })
    const suffix = (yield* Random.nextIntBetween(0, 36 ** 5)).toString(36).padStart(5, "0")
    const name = `wharf-${suffix}`
    const services = yield* Effect.context<Effect.Services<ReturnType<typeof signalApiServer>>>()
    const opened = yield* openKindCluster(
      { name, ...(store === undefined ? {} : { storeUrls: [store.url] }) },
      join(place, "cluster")
    )
    const result: OpenedCluster = {
      kubeconfig: opened.kubeconfig,
      binds: cluster.scheduler === "one-pass",
      obey: (command) => obeyed(name, store?.server, command).pipe(Effect.provideContext(services)),
      samplers: [],
      backend: recordedStore(backend, scenario)
    }
    return result
  })
})

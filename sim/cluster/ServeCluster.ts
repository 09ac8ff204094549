// A simulated cluster in step with real time behind a real server: for kubectl, client-go and everything else that speaks Kubernetes.
// Owns the joint: the server runs on the machine's clock and store, the population on a kernel that follows the clock, and what the
// server answers enters the kernel. Refuses flags, which the command reads. With a data folder nodes and pods are found again.
import { Effect } from "effect"
import { inProcessClient, type RunningApiServer, serveApiServer, type ServerOptions } from "#apiserver"
import type { Client } from "#kube"
import { kubeScheduler } from "../binder/PodPlacer.ts"
import { metricsDefinitions } from "../controllers/autoscaling/MetricsApi.ts"
import { certificatePort } from "../controllers/identity/CertificatePortAdapter.ts"
import { Population, type PopulationOptions } from "../Population.ts"
import { Kernel } from "../time/Kernel.ts"
import { epochMs, RealTime, wallMs } from "../time/RealTimeAdapter.ts"
import { clusterControllers } from "./ClusterControllers.ts"
import { enteringClient } from "./EnteringClient.ts"
import { managingClient } from "./ManagingClient.ts"

export interface ServeClusterOptions {
  readonly server: ServerOptions
  readonly population: Omit<PopulationOptions, "controllers">
  /** False leaves workloads and the rest to controllers that come from elsewhere. */
  readonly runsControllers: boolean
  readonly seed: number
}

/** A cluster that answers. */
export interface RunningCluster extends RunningApiServer {
  readonly population: Population
  /** Milliseconds from the call to the server's answering, and to the last node's registration. */
  readonly servingMs: number
  readonly readyMs: number
}

/** How often it is looked whether all nodes are there, in milliseconds. */
const LOOK_MS = 5

/** Whom the audit trail names as the writer, and whose fields it is: what kubelets write belongs to nobody, which costs nothing. */
const userOf = (name: string) => ({
  name: name === "kubelets" ? "system:nodes" : `system:${name}`,
  groups: ["system:masters", "system:authenticated"]
})

/** The controllers with what the server has. */
const controllersFor = ({ authority, signToken }: RunningApiServer) => {
  const certificates = authority && { port: certificatePort(authority) }
  const rootCa = authority && { rootCa: authority.cert }
  return clusterControllers({
    ...rootCa,
    ...(certificates && { certificates }),
    tokens: { sign: signToken, ...rootCa },
    storage: {}
  })
}

const clientFor =
  (running: RunningApiServer, kernel: Kernel, time: RealTime) =>
  (name: string): Client => {
    const process = kernel.process(name)
    const client = inProcessClient(running.api, userOf(name))
    return enteringClient(name === "kubelets" ? client : managingClient(client, name), (run) =>
      time.enter(process, run)
    )
  }

/** Serves until the scope closes; all nodes are registered when it returns. `onServing` is called when the server answers. */
export const serveCluster = Effect.fn("sim.serveCluster")(function* (
  options: ServeClusterOptions,
  onServing: (running: RunningApiServer) => Effect.Effect<void>
) {
  const begunMs = wallMs()
  const running = yield* serveApiServer(options.server)
  const metrics = metricsDefinitions({ seed: options.seed, epochMs: epochMs() })
  for (const definition of metrics) running.api.definitions.register(definition)
  const servingMs = wallMs() - begunMs
  yield* onServing(running)
  const kernel = new Kernel({ seed: options.seed, epochMs: epochMs() })
  const time = yield* Effect.acquireRelease(
    Effect.sync(() => new RealTime(kernel)),
    (following) => Effect.sync(() => following.stop())
  )
  const population = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const controllers = options.runsControllers ? [controllersFor(running)] : []
      const all = new Population(kernel, clientFor(running, kernel, time), {
        placer: kubeScheduler,
        ...options.population,
        controllers
      })
      all.start()
      return all
    }),
    (all) => Effect.sync(() => all.stop())
  )
  yield* Effect.callback<void>((resume) => {
    const { clockwork } = kernel.process("doorkeeper")
    const cancel = clockwork.every(LOOK_MS, () => {
      if (population.nodes.stats.registered < population.nodes.count) return
      cancel()
      resume(Effect.void)
    })
    return Effect.sync(cancel)
  })
  const cluster: RunningCluster = { ...running, population, servingMs, readyMs: wallMs() - begunMs }
  return cluster
})

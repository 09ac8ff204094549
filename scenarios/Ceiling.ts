// The runner's side of the ceiling: starts an empty server in a process of its own and lets the load generator measure
// itself against it, with the connections and the parallelism of the scenario's widest load.
import type { ServerFailed } from "#kind"
import { Effect, type Scope } from "effect"
import type { Front } from "./front/Front.ts"
import { clusterHost } from "./front/load/FrontEndpoint.ts"
import { openFixed } from "./front/upstream/FixedUpstream.ts"
import type { FrontCertificates } from "./front/upstream/FrontCertificates.ts"
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type CeilingResult } from "./generator/Protocol.ts"
import { GeneratorFailed, openGenerator } from "./GeneratorProcess.ts"
import type { Scenario } from "./Scenario.ts"

const durationMs = 2000
const defaultParallelism = 100
/** Connections of the ceiling over TLS at most: more say nothing new and take long to open. */
const connectionsMost = 100

const openEmptyServer: Effect.Effect<number, GeneratorFailed, Scope.Scope> = Effect.gen(function* () {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      fork(fileURLToPath(new URL("./generator/EmptyServer.ts", import.meta.url)), {
        detached: true,
        stdio: ["ignore", "ignore", "inherit", "ipc"]
      })
    ),
    (child) => Effect.sync(() => void child.kill("SIGKILL"))
  )
  return yield* Effect.callback<number, GeneratorFailed>((resume) => {
    child.once("message", (message: { readonly port: number }) => resume(Effect.succeed(message.port)))
    child.once("exit", () => resume(new GeneratorFailed({ reason: "the empty server did not start" })))
  })
})

/** Connections and actions in flight of the measured load with the most of them. */
export const widestLoad = (scenario: Scenario): { readonly connections: number; readonly parallelism: number } => {
  const measured = scenario.phases.filter(({ kind }) => kind === "measure").flatMap(({ load }) => load)
  let widest = { connections: 1, parallelism: 1 }
  for (const { connections, inFlightMax, shape } of measured) {
    const parallelism = shape.parallelismLimitedLoad?.parallelismLimit ?? Math.min(inFlightMax, defaultParallelism)
    if (parallelism > widest.parallelism) widest = { connections: Math.min(connections, parallelism), parallelism }
  }
  return widest
}

/** Measures the ceiling for about two seconds. */
export const measureCeiling = (scenario: Scenario): Effect.Effect<CeilingResult, GeneratorFailed> =>
  Effect.scoped(
    Effect.gen(function* () {
      const port = yield* openEmptyServer
      const generator = yield* openGenerator
      const endpoint = { host: "127.0.0.1", port }
      return yield* generator.ask({ type: "ceiling", endpoint, durationMs, ...widestLoad(scenario) }, "ceiling")
    })
  )

/** The same over HTTP/2 and TLS, against the fixed upstream that fronts stand before. */
export const measureFrontCeiling = (
  front: Front,
  certificates: FrontCertificates
): Effect.Effect<CeilingResult, GeneratorFailed | ServerFailed> =>
  Effect.scoped(
    Effect.gen(function* () {
      const upstream = yield* openFixed({ front: { ...front, upstreams: 1 }, certificates, directory: "" })
      const generator = yield* openGenerator
      const targets = upstream.ports.map((port) => ({ host: "127.0.0.1", port }))
      const { ca, users: pairs } = certificates
      const endpoint = { targets, serverName: clusterHost, ca, pairs, tenants: [] }
      const connections = Math.min(
        connectionsMost,
        Math.max(1, ...front.phases.flatMap(({ load }) => load.map(({ clients }) => clients)))
      )
      const command = {
        type: "frontCeiling",
        endpoint,
        connections,
        parallelism: defaultParallelism,
        durationMs
      } as const
      return yield* generator.ask(command, "ceiling")
    })
  )

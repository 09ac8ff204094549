// The runner's side of the ceiling: starts an empty server in a process of its own and lets the load generator measure
// itself against it, with the connections and the parallelism of the scenario's widest load.
import { Effect, type Scope } from "effect"
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type CeilingResult } from "./generator/Protocol.ts"
import { GeneratorFailed, openGenerator } from "./GeneratorProcess.ts"
import type { Scenario } from "./Scenario.ts"

const durationMs = 2000
const defaultParallelism = 100

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

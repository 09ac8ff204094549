// The load generator's own ceiling: how many requests a second it gets out of a server whose handler does nothing, on
// this machine and with these connections. Whatever a run shows close to it says more about the generator than the server.
import type { ConnectFailed, GrpcStatus } from "#net"
import { Effect, type Scope } from "effect"
import { openClients } from "./Clients.ts"
import type { CeilingResult, Command } from "./Protocol.ts"

/** The empty method that EmptyServer.ts answers; the request is as long as a create of a 512-byte value. */
export const emptyMethod = "/wharf.Ceiling/Empty"
const requestBytes = 740

/** Sends requests in a closed loop for the given time and counts the answers. */
export const measureCeiling = (
  command: Extract<Command, { type: "ceiling" }>
): Effect.Effect<CeilingResult, ConnectFailed | GrpcStatus, Scope.Scope> =>
  Effect.gen(function* () {
    const { connections, durationMs, endpoint, parallelism } = command
    const clients = yield* openClients([endpoint], connections, () => {})
    const request = new Uint8Array(requestBytes).fill(1)
    const cpu = process.cpuUsage()
    const startedAt = performance.now()
    const answers = yield* Effect.callback<number, GrpcStatus>((resume) => {
      let count = 0
      let inFlight = parallelism
      for (let place = 0; place < parallelism; place++) {
        const client = clients[place % connections]
        const again = (error: GrpcStatus | undefined): void => {
          if (error !== undefined) return resume(error)
          count++
          if (performance.now() - startedAt < durationMs) client.unary(emptyMethod, request, again)
          else if (--inFlight === 0) resume(Effect.succeed(count))
        }
        client.unary(emptyMethod, request, again)
      }
    })
    const elapsedMs = performance.now() - startedAt
    const { system, user } = process.cpuUsage(cpu)
    return {
      type: "ceiling",
      perSecond: Math.round((answers * 1000) / elapsedMs),
      cpuPercent: Math.round((user + system) / 10 / elapsedMs)
    }
  })

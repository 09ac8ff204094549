// The load generator's own ceiling over HTTP/2 and TLS: how many GETs a second it gets out of the fixed upstream with nothing in
// between, with these connections and this parallelism. What a run shows close to it says more about the generator than the front.
import { type ConnectFailed, type HttpAnswerListener } from "#net"
import { Effect, Scope } from "effect"
import type { CeilingResult, Command } from "../../generator/Protocol.ts"
import { FrontClients } from "./FrontClients.ts"
import { adminUser } from "./FrontEndpoint.ts"

const path = "/api/v1/namespaces/objects-0/configmaps/o-0"

/** Sends requests in a closed loop for the given time and counts the answers. */
export const measureFrontCeiling = (
  command: Extract<Command, { type: "frontCeiling" }>
): Effect.Effect<CeilingResult, ConnectFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const { connections, durationMs, endpoint, parallelism } = command
    const identity = { by: "certificate", user: adminUser, users: 1, fresh: false } as const
    const options = { endpoint, identity, clients: connections, connections: 1, tenants: 0, tenant: undefined }
    const clients = new FrontClients(options, yield* Scope.Scope, () => {})
    yield* clients.open
    const cpu = process.cpuUsage()
    const startedAt = performance.now()
    const answers = yield* Effect.callback<number>((resume) => {
      let count = 0
      let inFlight = parallelism
      const again = (): void => {
        const connection = performance.now() - startedAt < durationMs ? clients.take() : undefined
        if (connection?.http !== undefined) {
          connection.http.request({ method: "GET", path, fields: connection.fields() }, listener).end()
        } else if (--inFlight === 0) resume(Effect.succeed(count))
      }
      const listener: HttpAnswerListener = {
        head: () => {},
        body: () => {},
        end: () => {
          count++
          again()
        },
        failed: again
      }
      for (let place = 0; place < parallelism; place++) again()
    })
    const elapsedMs = performance.now() - startedAt
    const { system, user } = process.cpuUsage(cpu)
    return {
      type: "ceiling",
      perSecond: Math.round((answers * 1000) / elapsedMs),
      cpuPercent: Math.round((user + system) / 10 / elapsedMs)
    }
  })

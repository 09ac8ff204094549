// The load generator's own ceiling: how many requests a second it gets out of a server whose handler does nothing, on
// this machine and with these connections. Whatever a run shows close to it says more about the generator than the server.
import type { CeilingResult, Command, Endpoint } from "./Protocol.ts"
import { connectClient, type GrpcClient } from "./Transport.ts"

/** The empty method that EmptyServer.ts answers; the request is as long as a create of a 512-byte value. */
export const emptyMethod = "/wharf.Ceiling/Empty"
const requestBytes = 740

const connectAll = async ({ host, port }: Endpoint, connections: number): Promise<ReadonlyArray<GrpcClient>> => {
  const clients: Array<GrpcClient> = []
  for (let made = 0; made < connections; made++) clients.push(await connectClient(host, port))
  return clients
}

/** Sends requests in a closed loop for the given time and counts the answers. */
export const measureCeiling = async (command: Extract<Command, { type: "ceiling" }>): Promise<CeilingResult> => {
  const { connections, durationMs, endpoint, parallelism } = command
  const clients = await connectAll(endpoint, connections)
  const request = new Uint8Array(requestBytes).fill(1)
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  const endsAt = startedAt + durationMs
  let answers = 0
  let inFlight = parallelism
  await new Promise<void>((resolve) => {
    for (let place = 0; place < parallelism; place++) {
      const client = clients[place % connections]
      const again = (): void => {
        answers++
        if (performance.now() < endsAt) client.unary(emptyMethod, request, again)
        else if (--inFlight === 0) resolve()
      }
      client.unary(emptyMethod, request, again)
    }
  })
  const elapsedMs = performance.now() - startedAt
  const { system, user } = process.cpuUsage(cpu)
  for (const client of clients) client.close()
  return {
    type: "ceiling",
    perSecond: Math.round((answers * 1000) / elapsedMs),
    cpuPercent: Math.round((user + system) / 10 / elapsedMs)
  }
}

// Opens the connections that a load or a group of watchers spreads over. Owns their number and windows only.
// A lost connection is not made anew (RoamingClients.ts does that): the load that used it ends and says so.
import { connect, type ConnectFailed, type GrpcClient } from "#net"
import { Effect, type Scope } from "effect"
import type { Endpoint } from "./Protocol.ts"

const atOnce = 32
/** Large enough that a page of 500 keys or a burst of events never waits for a window update. */
export const windowBytes = 16 * 1024 * 1024

/** Opens that many connections, spread over the endpoints; they close with the scope. `onLost` hears why one closed, whoever closed it. */
export const openClients = (
  endpoints: ReadonlyArray<Endpoint>,
  count: number,
  onLost: (reason: string) => void
): Effect.Effect<ReadonlyArray<GrpcClient>, ConnectFailed, Scope.Scope> =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => endpoints[index % endpoints.length]),
    ({ host, port }) =>
      connect({ host, port, streamWindowBytes: windowBytes, connectionWindowBytes: windowBytes, onClose: onLost }),
    { concurrency: atOnce }
  )

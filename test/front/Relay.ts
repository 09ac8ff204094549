// A stretch of network between two programs in tests: kind's relay, in the manner of promises.
// Owns that translation alone. It is also the plainest front there is: one that changes nothing.
import { Effect, Exit, Scope } from "effect"
import { openRelay } from "../../kind/index.ts"

export interface Relay {
  readonly port: number
  readonly url: string
  /** Connections opened since the start, and those open now. */
  readonly opened: () => number
  readonly open: () => number
  /** Ends every connection as a reset network does; new ones are taken. */
  readonly cut: () => void
  /** No byte passes either way and no end is told, for open connections and new ones, until it is thawed. */
  readonly freeze: () => void
  readonly thaw: () => void
  /** New connections are reset at once, until they are taken again. */
  readonly refuse: (refused: boolean) => void
  readonly stop: () => void
}

/** Starts one that leads to a port of this machine. */
export const startRelay = async (to: number): Promise<Relay> => {
  const scope = Scope.makeUnsafe()
  const relay = await Effect.runPromise(
    openRelay({ host: "127.0.0.1", port: to }).pipe(Effect.provideService(Scope.Scope, scope))
  )
  return {
    port: relay.port,
    url: `https://127.0.0.1:${relay.port}`,
    opened: relay.opened,
    open: relay.open,
    cut: relay.reset,
    freeze: () => relay.setStalled(true),
    thaw: () => relay.setStalled(false),
    refuse: relay.setRefused,
    stop: () => Effect.runSync(Scope.close(scope, Exit.void))
  }
}

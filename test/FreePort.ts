// Ports for the programs that tests start, as promises. Which are free, and how they stay so, is kind's.
import { freePort as promised } from "#kind"
import { Effect } from "effect"

/** A TCP port of 127.0.0.1 that nobody listens on. */
export const freePort = (): Promise<number> => Effect.runPromise(promised)

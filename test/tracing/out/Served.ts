// The room's outward side on a real socket, over a store of a test's own.
// Owns the listener; refuses to fill the store.
import { Effect } from "effect"
import { listen, type Listening } from "#net"
import { type Outward, outward, type OutwardOptions, type SpanStore } from "#tracing"

export interface Served {
  readonly url: string
  readonly port: number
  readonly outward: Outward
  readonly listening: Listening
}

/** Serves until the scope closes. */
export const served = Effect.fnUntraced(function* (store: SpanStore, options: OutwardOptions) {
  const shown = outward(store, options)
  const listening = yield* listen({ host: "127.0.0.1", port: 0, methods: shown.methods, exchange: shown.serve })
  const served: Served = { url: `http://127.0.0.1:${listening.port}`, port: listening.port, outward: shown, listening }
  return served
})

/** What JSON.parse answers: a test reads of it what it expects. */
export type Parsed = ReturnType<typeof JSON.parse>

export const getJson = (url: string): Effect.Effect<{ readonly status: number; readonly body: Parsed }> =>
  Effect.promise(async () => {
    const answer = await fetch(url, { redirect: "manual" })
    const text = await answer.text()
    return { status: answer.status, body: text === "" ? undefined : JSON.parse(text) }
  })

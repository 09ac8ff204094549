// How many bytes a store takes in its TiKV cluster: PD's own estimate over its regions, asked for over PD's HTTP API.
// Owns that request alone, made once a minute; refuses exactness: PD knows mebibytes, a minute late, and counts every replica
// once. While PD does not answer, the last estimate stands.
import { readFileSync } from "node:fs"
import { get as getPlain } from "node:http"
import { get as getSecure } from "node:https"
import { Effect, Schedule, Schema } from "effect"
import type { TransportTls } from "./NetTransportAdapter.ts"
import type { PdUnavailable } from "./TikvError.ts"

const EVERY = "1 minute"
const TIMEOUT_MS = 5000
const MEBIBYTE = 2 ** 20

const Statistics = Schema.fromJsonString(Schema.Struct({ storage_size: Schema.Finite }))

const ask = (url: URL, tls: TransportTls): Effect.Effect<string, string> =>
  Effect.callback((resume) => {
    const pem = (file: string) => (file === "" ? undefined : readFileSync(file))
    const secure = { ca: pem(tls.caFile), cert: pem(tls.certFile), key: pem(tls.keyFile) }
    const asked =
      url.protocol === "https:"
        ? getSecure(url, { timeout: TIMEOUT_MS, ...secure })
        : getPlain(url, { timeout: TIMEOUT_MS })
    asked.on("timeout", () => asked.destroy(new Error("no answer in time")))
    asked.on("error", ({ message }) => resume(Effect.fail(message)))
    asked.on("response", (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (part: string) => void (text = (text + part).slice(0, MEBIBYTE)))
      response.on("end", () => resume(Effect.succeed(text)))
    })
    return Effect.sync(() => asked.destroy())
  })

export interface StoreSizeOptions {
  /** `host:port` of PD's leader. */
  readonly leader: Effect.Effect<string, PdUnavailable>
  readonly tls: TransportTls
  readonly start: Uint8Array
  readonly end: Uint8Array
}

/** Keeps the estimate for the life of the scope; the answer is the newest one, 0 at first. */
export const watchStoreSize = Effect.fn("tikv.watchStoreSize")(function* (options: StoreSizeOptions) {
  let bytes = 0
  const path = new URLSearchParams({
    start_key: Buffer.from(options.start).toString("latin1"),
    end_key: Buffer.from(options.end).toString("latin1")
  })
  const scheme = options.tls.caFile === "" && options.tls.certFile === "" ? "http" : "https"
  const round = Effect.gen(function* () {
    const address = yield* options.leader
    const text = yield* ask(new URL(`${scheme}://${address}/pd/api/v1/stats/region?${path.toString()}`), options.tls)
    bytes = (yield* Schema.decodeEffect(Statistics)(text)).storage_size * MEBIBYTE
  })
  yield* Effect.forkScoped(Effect.ignore(round).pipe(Effect.repeat(Schedule.spaced(EVERY))))
  return () => bytes
})

// Asks a tracing server for a short text, and reads from its metrics how many facts it has taken.
// Owns the asking and that one number; refuses retries.
import { Effect } from "effect"
import { get } from "node:http"
import type { Endpoint } from "../backends/Backend.ts"

const timeoutMs = 5000

/** The body of an answer of 200; undefined for any other, or none. */
export const askText = ({ host, port }: Endpoint, path: string): Effect.Effect<string | undefined> =>
  Effect.callback((resume) => {
    const none = () => resume(Effect.succeed(undefined))
    const sent = get({ host, port, path, timeout: timeoutMs }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (part: string) => (text += part))
      response.on("end", () => resume(Effect.succeed(response.statusCode === 200 ? text : undefined)))
      response.on("error", none)
    })
    sent.on("timeout", () => sent.destroy())
    sent.on("error", none)
    return Effect.sync(() => sent.destroy())
  })

/** Facts that were added since the server started; undefined when its metrics do not say. */
export const factsOf = (metrics: string | undefined): number | undefined => {
  if (metrics === undefined) return undefined
  const found = /^kelemetry_facts_total\{outcome="added"\} (\d+)/m.exec(metrics)
  return found === null ? 0 : Number(found[1])
}

// Spans on their way to an OpenTelemetry collector: a POST to `<endpoint>/v1/traces`, one at a time.
// Owns the request and its time limit; refuses queues and retries, which Spans.ts has.
import type { SendSpans } from "./Spans.ts"

const TIMEOUT_MS = 10_000

/** Sends to a collector's base URL, like http://localhost:4318; a URL that ends in /v1/traces is taken as it is. */
export const spanSender = (endpoint: string): SendSpans => {
  const base = endpoint.replace(/\/+$/, "")
  const url = base.endsWith("/v1/traces") ? base : `${base}/v1/traces`
  return (body, done) => {
    fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
      signal: AbortSignal.timeout(TIMEOUT_MS)
    }).then(
      (answer) => {
        void answer.body?.cancel()
        done(answer.ok)
      },
      () => done(false)
    )
  }
}

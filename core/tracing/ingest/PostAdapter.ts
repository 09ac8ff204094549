// Posts a batch to another audit webhook over HTTP or HTTPS, on connections that stay open.
// Owns the request; refuses retries, which whoever posts decides.
import { Agent, request } from "node:http"
import { Agent as SecureAgent, request as secureRequest } from "node:https"
import type { Post } from "./Forward.ts"

const TIMEOUT_MS = 30_000

const agent = new Agent({ keepAlive: true })
const secureAgent = new SecureAgent({ keepAlive: true })

/** Over sockets of its own. */
export const postOverHttp: Post = ({ token }, url, body, done) => {
  let told = false
  const tell = (status: number | undefined, retryAfter?: string): void => {
    if (told) return
    told = true
    const seconds = Number(retryAfter)
    done({ status, retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined })
  }
  const headers = {
    "content-type": "application/json",
    "content-length": String(body.length),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` })
  }
  const isSecure = url.startsWith("https:")
  const options = { method: "POST", headers, timeout: TIMEOUT_MS, agent: isSecure ? secureAgent : agent }
  const sent = (isSecure ? secureRequest : request)(url, options, (response) => {
    response.resume()
    response.on("end", () => tell(response.statusCode, response.headers["retry-after"]))
    response.on("close", () => tell(undefined))
  })
  sent.on("timeout", () => sent.destroy())
  sent.on("error", () => tell(undefined))
  sent.end(body)
}

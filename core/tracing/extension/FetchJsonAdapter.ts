// Asks another system's server for JSON over HTTP or HTTPS.
// Owns the request and the bound on its answer; refuses redirects and retries, and answers nothing where there was no good answer.
import { get as getPlain } from "node:http"
import { get as getSecure } from "node:https"
import type { FetchJson } from "./Extensions.ts"

/** Bytes of one answer. */
const ANSWER_BYTES_MAX = 32 * 2 ** 20

/** Over sockets of its own. */
export const fetchJson: FetchJson = (url, timeoutMs, done) => {
  let told = false
  const tell = (answer: unknown): void => {
    if (told) return
    told = true
    done(answer)
  }
  const get = url.startsWith("https:") ? getSecure : getPlain
  const sent = get(url, { headers: { accept: "application/json" }, timeout: timeoutMs }, (response) => {
    const parts: Array<Buffer> = []
    let size = 0
    response.on("data", (part: Buffer) => {
      size += part.length
      if (size > ANSWER_BYTES_MAX) sent.destroy()
      else parts.push(part)
    })
    response.on("end", () => tell(response.statusCode === 200 ? parsed(Buffer.concat(parts).toString()) : undefined))
    response.on("error", () => tell(undefined))
    response.on("close", () => tell(undefined))
  })
  sent.on("timeout", () => sent.destroy())
  sent.on("error", () => tell(undefined))
  return () => {
    told = true
    sent.destroy()
  }
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

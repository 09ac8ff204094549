// Asks an HTTPS server of this machine once: whether it is ready, or what it has to say.
// Owns that one request and its time-out; never fails, since a server that does not answer yet is what is asked about.
import { Effect } from "effect"
import { request } from "node:https"

/** What to ask for, whom to trust, and as whom. */
export interface Asked {
  readonly port: number
  readonly path: string
  /** PEM of the authority that signed the server's certificate. */
  readonly ca: string
  /** The server's name to TLS and the request's host; default: its address. */
  readonly host?: string
  /** PEM texts of a client's certificate. */
  readonly pair?: { readonly cert: string; readonly key: string }
  readonly token?: string
  readonly method?: string
  readonly body?: string
  readonly contentType?: string
}

/** An answer read whole; status 0 when there was none. */
export interface Told {
  readonly status: number
  readonly text: string
}

const TIMEOUT_MS = 5000

const headersOf = ({ body, contentType = "application/json", host, token }: Asked) => ({
  accept: "application/json",
  ...(host === undefined ? {} : { host }),
  ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  ...(body === undefined ? {} : { "content-type": contentType, "content-length": Buffer.byteLength(body) })
})

/** Asks once; never fails. */
export const askOnce = (asked: Asked): Effect.Effect<Told> =>
  Effect.callback((resume) => {
    const { body, ca, host, method = "GET", pair, path, port } = asked
    const none = () => resume(Effect.succeed({ status: 0, text: "" }))
    const sent = request(
      {
        host: "127.0.0.1",
        port,
        path,
        method,
        ca,
        ...pair,
        ...(host === undefined ? {} : { servername: host }),
        agent: false,
        timeout: TIMEOUT_MS,
        headers: headersOf(asked)
      },
      (response) => {
        let text = ""
        response.setEncoding("utf8")
        response.on("data", (part: string) => (text += part))
        response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, text })))
        response.on("error", none)
      }
    )
    sent.on("timeout", () => sent.destroy())
    sent.on("error", none)
    sent.end(body)
    return Effect.sync(() => sent.destroy())
  })

/** Whether the server answers 200; never fails. */
export const answersOk = (asked: Asked): Effect.Effect<boolean> =>
  Effect.map(askOnce(asked), ({ status }) => status === 200)

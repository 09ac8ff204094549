// One question to a running tracing server.
// Owns the connection and what a refusal means to a person; refuses to repeat a question.
import { readFileSync } from "node:fs"
import { Effect, Schema } from "effect"
import { connectHttp } from "#net"

export interface AskOptions {
  /** Like "http://127.0.0.1:8080". */
  readonly server: string
  readonly tokenFile: string | undefined
  /** PEM of the authority of the server's certificate. */
  readonly caFile: string | undefined
}

/** The server could not be asked, or refused; the message says why and shows no token. */
export class AskFailed extends Schema.TaggedError<AskFailed>()("AskFailed", {
  server: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.server}: ${this.detail}`
  }
}

/** What a person can do when nobody answers. */
const noServer = "start one with wharf serve tracing --insecure --kubeconfig FILE, or say with --server where one is"

const ANSWER_BYTES_MAX = 256 * 2 ** 20

/** The body of a successful GET. */
export const askServer = Effect.fn("tracing.ask")(function* (options: AskOptions, path: string) {
  const { caFile, server, tokenFile } = options
  const refuse = (detail: string) => new AskFailed({ server, detail })
  const url = URL.parse(server)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    return yield* new AskFailed({
      server: "--server",
      detail: "must be like http://127.0.0.1:8080, without credentials"
    })
  }
  const token =
    tokenFile === undefined
      ? ""
      : yield* Effect.try({
          try: () => readFileSync(tokenFile, "utf8").trim(),
          catch: () => new AskFailed({ server: `--token-file ${tokenFile}`, detail: "cannot be read" })
        })
  const isSecure = url.protocol === "https:"
  const client = yield* connectHttp({
    host: url.hostname.replaceAll(/[[\]]/g, ""),
    port: url.port === "" ? (isSecure ? 443 : 80) : Number(url.port),
    ...(isSecure ? { tls: caFile === undefined ? {} : { caFile } } : {})
  }).pipe(Effect.mapError(({ message }) => refuse(`${message}; ${noServer}`)))
  const fields = token === "" ? [] : [["authorization", `Bearer ${token}`] as const]
  const { body, status } = yield* Effect.callback<{ readonly status: number; readonly body: string }, AskFailed>(
    (resume) => {
      let status = 0
      let size = 0
      const parts: Array<Uint8Array> = []
      const request = client.request(
        { method: "GET", path, fields },
        {
          head: (code) => {
            status = code
          },
          body: (bytes) => {
            size += bytes.length
            if (size <= ANSWER_BYTES_MAX) parts.push(bytes.slice())
            else request.cancel()
          },
          end: () => resume(Effect.succeed({ status, body: Buffer.concat(parts).toString() })),
          failed: (error) => resume(Effect.fail(refuse(error.message)))
        }
      )
      request.end()
      return Effect.sync(() => request.cancel())
    }
  )
  if (status === 200 || status === 404) return { status, body }
  return yield* refuse(status === 401 ? "needs a token: give --token-file" : `HTTP ${status}: ${reasonOf(body)}`)
}, Effect.scoped)

/** What the server gave as the reason, as one line. */
const reasonOf = (body: string): string => {
  try {
    // SAFETY: both forms of our own errors; anything else is shown as it is.
    const { error, message } = JSON.parse(body) as { readonly error?: string; readonly message?: string }
    return (error ?? message ?? body).slice(0, 500)
  } catch {
    return body.slice(0, 500).split("\n")[0]
  }
}

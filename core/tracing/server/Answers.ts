// How the tracing server words its refusals: Kubernetes' Status, because API servers and kubectl read it.
// Owns the words of refusals; refuses content.
import type { HttpExchange } from "#net"

/** Answers a text. */
export const answerText = (
  exchange: HttpExchange,
  code: number,
  body: string,
  type = "text/plain; charset=utf-8"
): void =>
  exchange.respond(
    code,
    [
      ["content-type", type],
      ["cache-control", "no-cache, private"],
      ["x-content-type-options", "nosniff"]
    ],
    body
  )

export const answerJson = (exchange: HttpExchange, code: number, value: unknown): void =>
  answerText(exchange, code, `${JSON.stringify(value)}\n`, "application/json")

/** Refuses whoever proved nothing. A browser then asks for a name and a password, of which the password is the token. */
export const unauthorized = (exchange: HttpExchange): void => {
  const isBrowser = exchange.header("accept")?.includes("text/html") === true
  const challenge = isBrowser ? 'Basic realm="wharf tracing: any name, the token as the password"' : "Bearer"
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: "Unauthorized" }
  exchange.respond(
    401,
    [
      ["content-type", "application/json"],
      ["www-authenticate", challenge]
    ],
    `${JSON.stringify({ ...status, reason: "Unauthorized", code: 401 })}\n`
  )
}

/** Refuses; with seconds, says when to try again. */
export const refuse = (
  exchange: HttpExchange,
  code: number,
  reason: string,
  message: string,
  retryAfterSeconds?: number
): void => {
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code }
  exchange.respond(
    code,
    [
      ["content-type", "application/json"],
      ...(retryAfterSeconds === undefined ? [] : [["retry-after", String(retryAfterSeconds)] as const])
    ],
    `${JSON.stringify(status)}\n`
  )
}

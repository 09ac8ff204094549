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

// The simple form of plain HTTP, for pages like /health and /metrics: a function from a request that was read whole to an answer.
// Owns that form and its adapter; refuses to own the exchange below it.
import type { HttpExchangeHandler, HttpFields } from "./HttpExchange.ts"

/** Bytes of a request body that are collected; a longer one is answered with 413. */
const httpBodyBytesMax = 1_048_576

/** A request whose body was read whole. */
export interface HttpRequest {
  readonly method: string
  /** The path with its query, as sent. */
  readonly path: string
  /** The first value of a field, by its lower-case name. */
  header(name: string): string | undefined
  readonly body: Uint8Array
  /** The client as "ip:port". */
  readonly peer: string
}

/** An answer; `content-length` is added. */
export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

export type HttpHandler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>

/** A short text answer. */
export const textResponse = (status: number, body: string): HttpResponse => ({ status, headers: textHeaders, body })

const textHeaders = { "content-type": "text/plain; charset=utf-8" }
const textFields: HttpFields = Object.entries(textHeaders)

/** What a client hears of a handler that failed. */
export const failedText = { fields: textFields, body: "internal error\n" } as const

/** What is served when the listener was given no handler. */
export const notFound: HttpExchangeHandler = (exchange) => exchange.respond(404, textFields, "404 page not found\n")

/** Serves exchanges by a handler of whole requests. */
export const exchangeHandler =
  (handler: HttpHandler, onDefect: (defect: unknown) => void): HttpExchangeHandler =>
  (exchange) =>
    exchange.readBody(httpBodyBytesMax, (body) => {
      if (body === undefined) return exchange.respond(413, textFields, "request body too large\n")
      const { method, path, peer } = exchange
      const header = (name: string): string | undefined => exchange.header(name)
      const answer = ({ status, headers, body: text }: HttpResponse): void =>
        exchange.respond(status, fieldsOf(headers), text)
      const response = handler({ method, path, peer, header, body })
      if (!(response instanceof Promise)) return answer(response)
      response.then(answer).catch((defect: unknown) => {
        onDefect(defect)
        exchange.respond(500, failedText.fields, failedText.body)
      })
    })

const fieldsOf = (headers: Readonly<Record<string, string>>): HttpFields =>
  headers === textHeaders ? textFields : Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])

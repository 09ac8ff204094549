// Plain HTTP beside gRPC: one small handler type served over HTTP/2 and HTTP/1.1 alike, for pages like /health and /metrics.
// Owns the handler's shape and the HTTP/1.1 side of it; refuses to own sockets, which the listener hands over.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"

/** Bytes of a request body that are collected; a longer one is answered with 413. */
export const httpBodyBytesMax = 1_048_576

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
export const textResponse = (status: number, body: string): HttpResponse => ({
  status,
  headers: { "content-type": "text/plain; charset=utf-8" },
  body
})

/** What is served when the listener was given no handler. */
export const notFound: HttpHandler = () => textResponse(404, "404 page not found\n")

/** Runs a handler; `answer` is called once, with a 500 when the handler failed. */
export const runHandler = (
  handler: HttpHandler,
  request: HttpRequest,
  answer: (response: HttpResponse) => void,
  onDefect: (defect: unknown) => void
): void => {
  const failed = (defect: unknown): void => {
    onDefect(defect)
    answer(textResponse(500, "internal error\n"))
  }
  try {
    const response = handler(request)
    if (response instanceof Promise) response.then(answer, failed)
    else answer(response)
  } catch (defect) {
    failed(defect)
  }
}

/** The HTTP/1.1 server for sockets that did not open with HTTP/2's preface: emit "connection" on it. */
export const makeHttp1 = (handler: HttpHandler, onDefect: (defect: unknown) => void): Server => {
  const server = createServer((incoming, outgoing) => collect(incoming, outgoing, handler, onDefect))
  server.on("clientError", (error: Error & { readonly code?: string }, socket) => {
    // What is not HTTP at all gets no answer in HTTP: a peer that meant HTTP/2 could not read it (RFC 9113 section 3.4).
    if (notHttp.has(error.code ?? "") || !socket.writable) socket.destroy()
    else socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
  })
  // This server never listens itself; the event starts its watch over slow requests (headersTimeout, requestTimeout).
  server.emit("listening")
  return server
}

const notHttp = new Set(["HPE_INVALID_METHOD", "HPE_INVALID_CONSTANT", "HPE_INVALID_VERSION"])

const collect = (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  handler: HttpHandler,
  onDefect: (defect: unknown) => void
): void => {
  const chunks: Array<Buffer> = []
  let size = 0
  incoming.on("data", (chunk: Buffer) => {
    size += chunk.length
    if (size <= httpBodyBytesMax) chunks.push(chunk)
    else if (!outgoing.headersSent) answer1(incoming, outgoing, textResponse(413, "request body too large\n"))
  })
  incoming.on("end", () => {
    if (size > httpBodyBytesMax) return
    const request: HttpRequest = {
      method: incoming.method ?? "GET",
      path: incoming.url ?? "/",
      header: (name) => first(incoming.headers[name]),
      body: Buffer.concat(chunks, size),
      peer: `${incoming.socket.remoteAddress}:${incoming.socket.remotePort}`
    }
    runHandler(handler, request, (response) => answer1(incoming, outgoing, response), onDefect)
  })
}

const first = (value: string | Array<string> | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value

const answer1 = (incoming: IncomingMessage, outgoing: ServerResponse, response: HttpResponse): void => {
  if (outgoing.headersSent || outgoing.destroyed) return
  const body = typeof response.body === "string" ? Buffer.from(response.body, "utf8") : response.body
  outgoing.writeHead(response.status, { ...response.headers, "content-length": body.length })
  outgoing.end(incoming.method === "HEAD" ? undefined : body)
}

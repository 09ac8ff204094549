// An endpoint that does what a test says: answers, stalls, breaks off, says goodbye. Over HTTP/2 and HTTP/1.1 by node's own servers.
// It is well (/readyz) until told otherwise and records what it is asked.
import { once } from "node:events"
import * as http2 from "node:http2"
import type { AddressInfo, Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { TLSSocket } from "node:tls"
import type { Pair } from "./Pki.ts"

export interface SeenRequest {
  readonly method: string
  readonly path: string
  /** All fields in order, names in lower case. */
  readonly fields: ReadonlyArray<readonly [string, string]>
  readonly values: (name: string) => ReadonlyArray<string>
  readonly body: string
  /** Common name of the gateway's certificate. */
  readonly shownBy: string | undefined
}

export type Script = (
  request: http2.Http2ServerRequest,
  response: http2.Http2ServerResponse,
  seen: SeenRequest
) => void | Promise<void>

export interface Review {
  readonly spec: Record<string, unknown> & { token?: string }
}

const answerJson = (response: http2.Http2ServerResponse, status: number, value: unknown): void => {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify(value))
}

const pairsOf = (raw: ReadonlyArray<string>): Array<readonly [string, string]> => {
  const pairs: Array<readonly [string, string]> = []
  for (let at = 0; at < raw.length; at += 2) pairs.push([(raw[at] ?? "").toLowerCase(), raw[at + 1] ?? ""])
  return pairs
}

const bodyOf = async (request: AsyncIterable<Buffer>): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString("utf8")
}

export class ScriptedUpstream {
  readonly seen: Array<SeenRequest> = []
  readonly reviews: Array<Review> = []
  readonly accesses: Array<Review> = []
  readonly sessions = new Set<http2.ServerHttp2Session>()
  readonly sockets = new Set<Socket>()
  connections = 0
  well = true
  /** Answers everything but checks and reviews. */
  script: Script = (_request, response) => answerJson(response, 200, { kind: "Thing" })
  /** What a token's review says; undefined answers 500. */
  whoIs: (token: string) => object | undefined = () => ({ authenticated: false, error: "no such token" })
  mayDo: (attributes: Record<string, unknown>, spec: Record<string, unknown>) => object | undefined = () => ({
    allowed: false
  })
  /** Called before a review is answered. */
  beforeReview: () => Promise<void> = () => Promise.resolve()
  onUpgrade: ((seen: SeenRequest, socket: Duplex) => void) | undefined
  private readonly server: http2.Http2SecureServer
  port = 0

  constructor(pair: Pair, clientCa?: string, settings: http2.Settings = {}) {
    const client = clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: false, ca: clientCa }
    this.server = http2.createSecureServer({ ...pair, ...client, allowHTTP1: true, settings })
    this.server.on("request", (request, response) => void this.serve(request, response))
    this.server.on("session", (session) => {
      this.sessions.add(session)
      session.on("close", () => this.sessions.delete(session))
      session.on("error", () => {})
    })
    this.server.on("connection", (socket: Socket) => {
      this.connections++
      this.sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => this.sockets.delete(socket))
    })
    this.server.on("upgrade", (request: http2.Http2ServerRequest, socket: Duplex) => {
      socket.on("error", () => {})
      const seen = this.note(request, "")
      if (this.onUpgrade === undefined) socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 7\r\n\r\nnot you")
      else this.onUpgrade(seen, socket)
    })
  }

  async open(port = 0): Promise<this> {
    this.server.listen(port, "127.0.0.1")
    await once(this.server, "listening")
    this.port = (this.server.address() as AddressInfo).port
    return this
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`
  }

  /** Breaks every connection and stops listening, as a process that is killed. */
  async kill(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()))
    for (const session of this.sessions) session.destroy()
    for (const socket of this.sockets) socket.destroy()
    await closed
  }

  /** Requests that are no checks and no reviews. */
  get asked(): ReadonlyArray<SeenRequest> {
    return this.seen
  }

  private note(request: http2.Http2ServerRequest, body: string): SeenRequest {
    const fields = pairsOf(request.rawHeaders)
    const values = (name: string): ReadonlyArray<string> =>
      fields.flatMap(([field, value]) => (field === name ? [value] : []))
    const shown = (request.socket as TLSSocket).getPeerCertificate?.()?.subject?.CN
    const [common] = shown === undefined ? [] : [shown].flat()
    const seen = { method: request.method, path: request.url, fields, values, body, shownBy: common }
    this.seen.push(seen)
    return seen
  }

  private async serve(request: http2.Http2ServerRequest, response: http2.Http2ServerResponse): Promise<void> {
    request.on("error", () => {})
    response.on("error", () => {})
    const { url } = request
    if (url === "/readyz" || url === "/healthz") {
      response.writeHead(this.well ? 200 : 500)
      return void response.end("ok")
    }
    if (url.endsWith("/tokenreviews")) {
      const review = JSON.parse(await bodyOf(request)) as Review
      this.reviews.push(review)
      await this.beforeReview()
      const status = this.whoIs(review.spec.token ?? "")
      return status === undefined ? answerJson(response, 500, {}) : answerJson(response, 201, { ...review, status })
    }
    if (url.endsWith("/subjectaccessreviews")) {
      const review = JSON.parse(await bodyOf(request)) as Review
      this.accesses.push(review)
      await this.beforeReview()
      const attributes = review.spec["resourceAttributes"] as Record<string, unknown>
      const status = this.mayDo(attributes, review.spec)
      return status === undefined ? answerJson(response, 500, {}) : answerJson(response, 201, { ...review, status })
    }
    const streamed = request.headers["x-test-stream"] !== undefined
    const body = streamed ? "" : await bodyOf(request).catch(() => "")
    await this.script(request, response, this.note(request, body))
  }
}

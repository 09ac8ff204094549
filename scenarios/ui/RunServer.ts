// Serves a running report on this machine: the page of the run as it goes, its events, and at the end the finished page in its place.
// Owns the address (127.0.0.1 only, a free port), who may ask (this machine's own browsers), and the bounds: so many listeners, so
// many lines kept, so much unsent. Refuses to know what a run is: it hears progress and is given the last page.
import { type HttpBody, type HttpExchange, type HttpFields, listen, type ListenFailed } from "#net"
import { type LiveState, renderLivePage } from "#reports"
import { Effect, type Scope } from "effect"
import type { ProgressEvent } from "../Progress.ts"

/** A server of one run. */
export interface RunServer {
  readonly url: string
  /** Tells everyone who listens. */
  readonly tell: (event: ProgressEvent) => void
  /** From now on the finished page is what there is. */
  readonly finish: (page: string) => void
}

const HOST = "127.0.0.1"
const LISTENERS_MAX = 16
const LINES_MAX = 200
/** A listener that has so many bytes waiting is let go; its browser comes back for the newest state. */
const UNSENT_MAX = 1_048_576
/** At most so often: what came in between is in the next event. */
const EVENT_MS = 250

const plain: HttpFields = [["content-type", "text/plain; charset=utf-8"]]
const stream: HttpFields = [
  ["content-type", "text/event-stream; charset=utf-8"],
  ["cache-control", "no-store"]
]
const pageFields: HttpFields = [
  ["content-type", "text/html; charset=utf-8"],
  ["cache-control", "no-store"],
  ["x-content-type-options", "nosniff"]
]

class LiveRun {
  private readonly title: string
  private state: LiveState = { step: "starting …", lines: [], cluster: undefined, done: false }
  private readonly listeners = new Set<HttpBody>()
  private page: string | undefined
  private timer: NodeJS.Timeout | undefined
  /** The names under which this server may be asked; anything else is a page of another site. */
  hosts: ReadonlySet<string> = new Set()

  constructor(title: string) {
    this.title = title
  }

  tell(event: ProgressEvent): void {
    const { lines } = this.state
    if (event.type === "line") this.state = { ...this.state, lines: [...lines, event.text].slice(-LINES_MAX) }
    else if (event.type === "cluster") this.state = { ...this.state, step: event.text, cluster: event.now }
    else this.state = { ...this.state, step: event.text, cluster: undefined }
    this.timer ??= setTimeout(() => this.send(), EVENT_MS)
  }

  finish(page: string): void {
    this.page = page
    this.state = { ...this.state, step: "finished", cluster: undefined, done: true }
    this.send()
    for (const listener of this.listeners) listener.end()
    this.listeners.clear()
  }

  answer(exchange: HttpExchange): void {
    const { method, path } = exchange
    if (!this.hosts.has(exchange.header("host") ?? "")) return exchange.respond(421, plain, "ask 127.0.0.1 for it\n")
    if (method !== "GET" && method !== "HEAD")
      return exchange.respond(405, [...plain, ["allow", "GET, HEAD"]], "GET only\n")
    if (path === "/") return exchange.respond(200, pageFields, this.page ?? renderLivePage(this.title))
    if (path === "/events") return this.listen(exchange)
    exchange.respond(404, plain, "there is nothing here\n")
  }

  close(): void {
    clearTimeout(this.timer)
    for (const listener of this.listeners) listener.end()
    this.listeners.clear()
  }

  private listen(exchange: HttpExchange): void {
    if (this.listeners.size >= LISTENERS_MAX) {
      return exchange.respond(503, [...plain, ["retry-after", "5"]], `${LISTENERS_MAX} listen already\n`)
    }
    const body = exchange.start(200, stream)
    body.write(Buffer.from(`retry: 1000\n\n${this.event()}`))
    if (this.state.done) return body.end()
    this.listeners.add(body)
    exchange.onClose = () => void this.listeners.delete(body)
  }

  private event(): string {
    return `data: ${JSON.stringify(this.state)}\n\n`
  }

  private send(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    const bytes = this.event()
    for (const listener of this.listeners) {
      if (listener.bufferedBytes > UNSENT_MAX) {
        this.listeners.delete(listener)
        listener.abort()
      } else listener.write(Buffer.from(bytes))
    }
  }
}

/** Opens a server on a free port of this machine alone; it closes with the scope. */
export const openRunServer = (title: string): Effect.Effect<RunServer, ListenFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const run = new LiveRun(title)
    const { port } = yield* listen({
      host: HOST,
      port: 0,
      methods: [],
      maxHeaderListBytes: 16_384,
      exchange: (exchange) => run.answer(exchange)
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => run.close()))
    run.hosts = new Set([`${HOST}:${port}`, `localhost:${port}`])
    return {
      url: `http://${HOST}:${port}/`,
      tell: (event) => run.tell(event),
      finish: (page) => run.finish(page)
    }
  })

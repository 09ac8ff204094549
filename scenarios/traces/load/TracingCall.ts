// One call in flight to a tracing server: a batch to the webhook, a search, or a trace read chunk by chunk.
// Owns the sending, the bookkeeping and the judgement of an answer; which call it is, the mix says. A call that took too long takes its
// place with it.
import type { ClientStream, GrpcClient } from "#net"
import { type ClientRequest, type IncomingMessage, request } from "node:http"
import type { DrivenOperation, Place, PlaceOwner } from "../../generator/LoadDriver.ts"
import type { Tally } from "../../generator/Tally.ts"
import type { TracingOperation } from "../Tracing.ts"
import { countSpans } from "./CountSpans.ts"
import type { TracingContext } from "./TracingContext.ts"

const keptBytesMax = 1024
const errorNameMax = 120
const noSummaries = '"summaries":[]'

/** An operation of a load's mix, running. */
export interface TracingRunning extends DrivenOperation {
  readonly operation: TracingOperation
  readonly tally: Tally
}

/** One place in flight. */
export class TracingCall implements Place<TracingRunning> {
  active = false
  sentAt = 0
  readonly ready = true
  readonly #context: TracingContext
  readonly #storage: GrpcClient | undefined
  readonly #owner: PlaceOwner<TracingRunning>
  #tally: Tally | undefined
  #plannedAt = 0
  /** Tells an answer of this call from a late one of the call before. */
  #turn = 0
  #sent: ClientRequest | ClientStream | undefined

  constructor(context: TracingContext, storage: GrpcClient | undefined, owner: PlaceOwner<TracingRunning>) {
    this.#context = context
    this.#storage = storage
    this.#owner = owner
  }

  begin({ operation, tally }: TracingRunning, plannedAt: number, now: number): boolean {
    this.#tally = tally
    this.#plannedAt = plannedAt
    this.sentAt = now
    this.#turn++
    if (operation.op === "trace") {
      if (this.#storage?.ready !== true) return false
      this.active = true
      this.#read(this.#storage)
      return true
    }
    this.active = true
    if (operation.op === "audit") this.#post()
    else this.#search(operation.query)
    return true
  }

  expire(): void {
    const sent = this.#sent
    this.#end("no answer in time")
    if (sent !== undefined && "destroy" in sent) sent.destroy()
    else sent?.cancel()
  }

  #post(): void {
    const { next } = this.#context.pool
    const { body, events, path } = next()
    if (this.#tally !== undefined) this.#tally.bytesOut += body.length
    this.#ask("POST", path, body, (status, text) => {
      if (status !== 200) return this.#end(`HTTP ${status} ${text.slice(0, 60)}`.trim())
      this.#context.seen.events += events
      this.#context.seen.eventBytes += body.length
      this.#end(undefined)
    })
  }

  #search(query: TracingOperation["query"]): void {
    this.#ask("GET", this.#context.searchPath(query), undefined, (status, text) => {
      if (status !== 200) return this.#end(`HTTP ${status}`)
      if (text.includes(noSummaries) !== (query === "nobody")) {
        this.#context.violated(
          query === "nobody" ? "a search found what nobody did" : `a search for ${query} found nothing`
        )
      }
      this.#end(undefined)
    })
  }

  #ask(method: string, path: string, body: Buffer | undefined, done: (status: number, text: string) => void): void {
    const turn = this.#turn
    const headers =
      body === undefined ? {} : { "content-type": "application/json", "content-length": String(body.length) }
    const { agent, endpoint } = this.#context
    const sent = request({ ...endpoint, agent, method, path, headers }, (response: IncomingMessage) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (part: string) => {
        if (this.#tally !== undefined) this.#tally.bytesIn += part.length
        if (text.length < keptBytesMax) text += part
      })
      response.on("end", () => {
        if (this.active && turn === this.#turn) done(response.statusCode ?? 0, text)
      })
    })
    sent.on("error", (error) => {
      if (this.active && turn === this.#turn) this.#end(error.message)
    })
    this.#sent = sent
    sent.end(body)
  }

  #read(storage: GrpcClient): void {
    const turn = this.#turn
    const { longTrace, seen, traceId } = this.#context
    let spans = 0
    const stream = storage.stream("/jaeger.storage.v2.TraceReader/GetTraces", {
      message: (bytes) => {
        seen.messages++
        seen.messageBytesMax = Math.max(seen.messageBytesMax, bytes.length)
        spans += countSpans(bytes)
        if (this.#tally !== undefined) this.#tally.bytesIn += bytes.length
      },
      end: ({ code, message }) => {
        if (!this.active || turn !== this.#turn) return
        if (code !== 0) return this.#end(message)
        seen.spans = Math.min(seen.spans ?? spans, spans)
        if (spans < longTrace) this.#context.violated("a trace came without some of its spans")
        this.#end(undefined)
      }
    })
    this.#sent = stream
    // GetTracesRequest with one query, whose first field is the id.
    stream.send(Buffer.concat([Buffer.from([0x0a, traceId.length + 2, 0x0a, traceId.length]), traceId]))
    stream.halfClose()
  }

  #end(failure: string | undefined): void {
    const tally = this.#tally
    if (!this.active || tally === undefined) return
    this.#context.tick()
    tally.sent++
    if (failure === undefined) tally.succeed(this.#plannedAt, this.sentAt, this.#context.now)
    else tally.fail(failure.slice(0, errorNameMax))
    this.active = false
    this.#context.completed(this.sentAt)
    this.#owner.finished(this)
  }
}

// A watch over HTTP: a stream of frames that begins at once and ends with the client, the time-out, a failure or the server's drain.
// Owns the pace (what the client does not take waits in the Api's bounded buffer) and the end; refuses to choose events.
import { ApiFailure, Failures } from "#kube"
import type { HttpBody } from "#net"
import type { Api } from "../Api.ts"
import type { Definition } from "../Definition.ts"
import type { ApiRequest, ApiWatch, HeldEvent } from "../Request.ts"
import type { Call } from "./Call.ts"
import type { FrontMetrics } from "./FrontMetrics.ts"
import { streamMediaTypes } from "./Negotiation.ts"
import { tableForm } from "./ObjectAnswer.ts"
import { errorFrame, type Framer, framerOf } from "./WatchFrames.ts"

/** Seconds a watch lives when the client names none: between this and twice this. */
export const WATCH_TIMEOUT_MIN_S = 1800

/** The watches that are open, so that a drain can end them. */
export type OpenWatches = Set<{ readonly end: () => void }>

export interface WatchAnswerOptions {
  readonly api: Api
  readonly metrics: FrontMetrics
  readonly open: OpenWatches
  /** 0 chooses between 30 and 60 minutes. */
  readonly timeoutSeconds: number
}

/** Answers a request of the verb watch. */
export const answerWatch = (
  call: Call,
  definition: Definition,
  request: ApiRequest,
  options: WatchAnswerOptions
): void => {
  const { wanted } = call
  if (wanted === undefined) {
    const accepted = streamMediaTypes.join(", ")
    return call.fail(Failures.generic(406, "NotAcceptable", `only the following media types are accepted: ${accepted}`))
  }
  const form = tableForm(call, wanted)
  if (form instanceof ApiFailure) return call.fail(form)
  const framer = framerOf(definition, wanted, () => ({ ...form, nowMs: call.clockwork.now() }))
  new WatchAnswer(call, options, framer, `${definition.group} ${definition.version} ${definition.resource}`).run(
    request
  )
}

class WatchAnswer {
  private readonly call: Call
  private readonly options: WatchAnswerOptions
  private readonly framer: Framer
  private readonly kind: string
  private body: HttpBody | undefined
  private watch: ApiWatch | undefined
  private over = false

  constructor(call: Call, options: WatchAnswerOptions, framer: Framer, kind: string) {
    this.call = call
    this.options = options
    this.framer = framer
    this.kind = kind
  }

  run(request: ApiRequest): void {
    const { call, options } = this
    const { clockwork } = call
    const seconds = options.timeoutSeconds > 0 ? options.timeoutSeconds : WATCH_TIMEOUT_MIN_S * (1 + clockwork.random())
    const cancelTimer = clockwork.after(seconds * 1000, () => this.end())
    options.open.add(this)
    call.onFinish(() => {
      cancelTimer()
      options.open.delete(this)
    })
    call.exchange.onClose = () => this.close()
    call.exchange.onGoAway = () => this.end()
    this.watch = options.api.watch(request, {
      event: (event) => this.event(event),
      ended: (failure) => this.ended(failure)
    })
    if (this.over) this.watch.stop()
    // What fails at once is a failed request; what fails later is the last frame of a stream.
    else clockwork.defer(() => this.begin())
  }

  private begin(): HttpBody | undefined {
    if (this.body !== undefined || this.over) return this.body
    this.body = this.call.start(200, [["content-type", "application/json"]])
    if (this.body !== undefined) this.body.onDrain = () => this.watch?.resume()
    return this.body
  }

  private event(event: HeldEvent): boolean {
    const body = this.begin()
    if (body === undefined) return false
    const frame = this.framer(event)
    this.options.metrics.watchEvent(this.kind, frame.length)
    this.call.bytesSent += frame.length
    return body.write(frame)
  }

  private ended(failure: ApiFailure | undefined): void {
    this.watch = undefined
    if (this.over) return
    if (failure !== undefined && this.body === undefined && failure.code !== 410) {
      this.over = true
      return this.call.fail(failure)
    }
    if (failure !== undefined) {
      this.call.record.failure = failure
      this.begin()?.write(errorFrame(failure))
    }
    this.end()
  }

  /** Ends in good order. */
  end(): void {
    const body = this.begin()
    if (this.over) return
    this.over = true
    this.watch?.stop()
    body?.end()
    this.call.finish()
  }

  /** The client is gone. */
  private close(): void {
    if (this.over) return
    this.over = true
    this.watch?.stop()
    this.call.finish()
  }
}

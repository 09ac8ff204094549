// The cluster behind the tenants, as requests over HTTP: the port that everything which forwards stands on.
// Owns the shapes and the reading of a whole answer; refuses sockets and credentials, which the adapter has, and any rewriting.
import { ApiFailure, type Cancel, Failures, type Status } from "#kube"
import type { HttpAnswerListener, HttpFields, HttpRequestHead, HttpUpgraded } from "#net"

/** An answer that is being received. */
export interface UpstreamCall {
  /** Stops reading: the server's window fills. */
  pause(): void
  resume(): void
  /** Nothing more is heard. */
  cancel(): void
  /** More of the request's body, of a call whose body was given as "stream"; false: wait for the listener's `drain`. */
  write(bytes: Uint8Array): boolean
  end(): void
}

/** The upstream API server. `failed` of a listener is also what is heard when no connection can be made. */
export interface Upstream {
  /** The service's own credential is added; `body` undefined sends none, "stream" leaves it to `write` and `end`. */
  send(head: HttpRequestHead, body: Uint8Array | "stream" | undefined, listener: HttpAnswerListener): UpstreamCall
  /** Asks for an HTTP/1.1 connection that is upgraded. */
  upgrade(head: HttpRequestHead, done: (answer: HttpUpgraded | ApiFailure) => void): Cancel
}

/** An answer that was read whole. */
export interface WholeAnswer {
  readonly code: number
  readonly fields: HttpFields
  readonly body: Uint8Array
}

/** Bytes of an answer that is held whole: four times the largest object that an API server stores. */
export const WHOLE_BYTES_MAX = 16_777_216

const nothing = new Uint8Array(0)

/** The first value of a field. */
export const fieldOf = (fields: HttpFields, name: string): string | undefined => {
  for (const [field, value] of fields) if (field === name) return value
  return undefined
}

/** What is heard of an answer that never came; the reason names no address. */
export const lostUpstream = (error: Error): ApiFailure =>
  Failures.unavailable(`the cluster behind this server did not answer: ${error.message}`)

/** Collects the chunks of one answer up to a bound; `done` hears it once. */
export const wholeAnswer = (
  maxBytes: number,
  done: (answer: WholeAnswer | ApiFailure) => void
): HttpAnswerListener & { call: UpstreamCall | undefined } => {
  let code = 0
  let fields: HttpFields = []
  let bytes = 0
  let chunks: Array<Uint8Array> = []
  let over = false
  const listener: HttpAnswerListener & { call: UpstreamCall | undefined } = {
    call: undefined,
    head: (status, head) => {
      code = status
      fields = head
    },
    body: (chunk) => {
      if (over) return
      bytes += chunk.length
      if (bytes <= maxBytes) {
        // A view is valid during the call only.
        chunks.push(chunk.slice())
        return
      }
      over = true
      chunks = []
      listener.call?.cancel()
      done(Failures.tooLarge(`the answer is longer than ${maxBytes} bytes`))
    },
    end: () => {
      if (over) return
      over = true
      done({ code, fields, body: chunks.length === 1 ? (chunks[0] ?? nothing) : concat(chunks, bytes) })
    },
    failed: (error) => {
      if (over) return
      over = true
      done(lostUpstream(error))
    }
  }
  return listener
}

const concat = (chunks: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  const whole = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

/** Sends a request and reads the answer whole. */
export const ask = (
  upstream: Upstream,
  head: HttpRequestHead,
  body: Uint8Array | undefined,
  done: (answer: WholeAnswer | ApiFailure) => void
): UpstreamCall => {
  const listener = wholeAnswer(WHOLE_BYTES_MAX, done)
  const call = upstream.send(head, body, listener)
  listener.call = call
  return call
}

const decoder = new TextDecoder()

/** The JSON of an answer of success, or the failure that it says. */
export const jsonOf = (answer: WholeAnswer | ApiFailure): unknown => {
  if (answer instanceof ApiFailure) return answer
  let value: unknown
  try {
    value = JSON.parse(decoder.decode(answer.body))
  } catch {
    return Failures.generic(answer.code, "InternalError", "the cluster behind this server answered with no JSON")
  }
  if (answer.code < 400) return value
  const status = value as Partial<Status> | null
  return status?.kind === "Status"
    ? new ApiFailure({ ...(status as Status), code: answer.code })
    : Failures.generic(answer.code, "InternalError", `the cluster behind this server answered ${answer.code}`)
}

// One call with one answer: sent, timed, and sent again where that is safe and promising.
// Owns the rules of retrying (client-go's rest package): 429 and 5xx with Retry-After for any method, lost connections where the
// server cannot have acted, one new credential after a 401. Bounds: tries, waits, bytes of the answer.
import type { HttpAnswerListener, HttpFields } from "#net"
import type { Done } from "../Client.ts"
import type { Cancel, Clockwork } from "../Clockwork.ts"
import { ApiFailure, Failures } from "../Status.ts"
import { failureOf, retryAfterSeconds, warningsOf } from "./Answers.ts"
import type { ConnectionPool } from "./ConnectionPoolAdapter.ts"
import type { Credential, CredentialsAdapter } from "./CredentialsAdapter.ts"

/** What all calls of a client share. */
export interface HttpCalls {
  readonly clockwork: Clockwork
  readonly pool: ConnectionPool
  readonly credentials: CredentialsAdapter
  /** Sent with every request. */
  readonly fields: HttpFields
  readonly requestTimeoutMs: number
  readonly answerBytesMax: number
  readonly onWarning: (warning: string) => void
  /** Whether what a server got is not sent again, and what cannot be sent not waited for. */
  readonly once: boolean
  /** When the last byte of the answer that is being told came, by the clock's monotonic time. */
  answeredMs: number
}

export interface HttpCall {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE"
  readonly path: string
  /** Whether the server may get it twice. */
  readonly repeatable: boolean
  /** Other than the client's own. */
  readonly accept?: string
  readonly content?: { readonly type: string; readonly bytes: Uint8Array }
}

/** Reads the body of an answer of success. */
export type Decode<A> = (body: Uint8Array) => A | ApiFailure

const TRIES_MAX = 10
const LOST_TRIES_MAX = 3
const RETRY_AFTER_SECONDS_MAX = 60
const LOST_WAIT_MS = 100

const isSuccess = (code: number): boolean => code >= 200 && code < 300

const lost = (method: string, path: string, why: string): ApiFailure =>
  Failures.unavailable(`${method} ${path.split("?", 1)[0] ?? ""}: ${why}`)

/** Sends a request on a connection; answers how to take it back. */
export const send = (
  { credentials, fields, pool }: HttpCalls,
  call: HttpCall,
  listener: HttpAnswerListener,
  refused: (failure: ApiFailure) => void
): Cancel => {
  let cancel: Cancel | undefined
  let cancelled = false
  const withConnection = (credential: Credential): void =>
    pool.take(credential, (connection) => {
      if (cancelled) {
        // Its place is somebody else's.
        if (!(connection instanceof ApiFailure)) pool.released()
        return
      }
      if (connection instanceof ApiFailure) {
        refused(connection)
        return
      }
      const request = connection.request(
        {
          method: call.method,
          path: call.path,
          fields: [
            ...(call.accept === undefined
              ? fields
              : [...fields.filter(([name]) => name !== "accept"), ["accept", call.accept] as const]),
            ...(credential.authorization === undefined ? [] : [["authorization", credential.authorization] as const]),
            ...(call.content === undefined
              ? []
              : [
                  ["content-type", call.content.type] as const,
                  ["content-length", String(call.content.bytes.length)] as const
                ])
          ]
        },
        listener
      )
      request.end(call.content?.bytes)
      cancel = () => {
        request.cancel()
        pool.released()
      }
    })
  credentials.current((credential) => {
    if (cancelled) return
    if (credential instanceof ApiFailure) refused(credential)
    else withConnection(credential)
  })
  return () => {
    cancelled = true
    cancel?.()
  }
}

class UnaryCall<A> {
  readonly #calls: HttpCalls
  readonly #call: HttpCall
  readonly #decode: Decode<A>
  readonly #done: Done<A>
  #cancelTry: Cancel | undefined
  #cancelTimeout: Cancel | undefined
  #tries = 0
  #lostTries = 0
  #renewed = false
  #over = false
  /** When the last try's answer was there. */
  #endedMs: number | undefined

  constructor(calls: HttpCalls, call: HttpCall, decode: Decode<A>, done: Done<A>) {
    this.#calls = calls
    this.#call = call
    this.#decode = decode
    this.#done = done
  }

  begin(): void {
    const { clockwork, requestTimeoutMs } = this.#calls
    this.#cancelTimeout = clockwork.after(requestTimeoutMs, () => {
      const { method, path } = this.#call
      this.#cancelTry?.()
      this.#finish(
        Failures.timeout(`${method} ${path.split("?", 1)[0] ?? ""} took longer than ${requestTimeoutMs} ms`, 0)
      )
    })
    this.#try()
  }

  #finish(answer: A | ApiFailure): void {
    if (this.#over) return
    this.#over = true
    this.#cancelTimeout?.()
    this.#calls.answeredMs = this.#endedMs ?? this.#calls.clockwork.monotonic()
    this.#done(answer)
  }

  #again(delayMs: number): void {
    this.#cancelTry = this.#calls.clockwork.after(delayMs, () => this.#try())
  }

  #try(): void {
    this.#tries++
    this.#endedMs = undefined
    let code = 0
    let fields: HttpFields = []
    let bytes = 0
    const chunks: Array<Uint8Array> = []
    const { answerBytesMax, clockwork, pool } = this.#calls
    this.#cancelTry = send(
      this.#calls,
      this.#call,
      {
        head: (status, head) => {
          code = status
          fields = head
        },
        body: (chunk) => {
          bytes += chunk.length
          if (bytes <= answerBytesMax) {
            // A view is valid during the call only.
            chunks.push(chunk.slice())
            return
          }
          chunks.length = 0
          this.#cancelTry?.()
          this.#finish(Failures.tooLarge(`the server's answer is longer than ${answerBytesMax} bytes`))
        },
        end: () => {
          this.#endedMs = clockwork.monotonic()
          pool.released()
          this.#answered(code, fields, chunks.length === 1 ? (chunks[0] ?? new Uint8Array()) : Buffer.concat(chunks))
        },
        failed: (error, sent) => {
          this.#endedMs = clockwork.monotonic()
          pool.released()
          this.#lost(lost(this.#call.method, this.#call.path, error.message), sent)
        }
      },
      // Not within the call of the client: it must have returned first.
      (failure) => clockwork.defer(() => this.#refused(failure))
    )
  }

  #refused(failure: ApiFailure): void {
    if (failure.code === 503 && !this.#calls.once) this.#lost(failure, false)
    else this.#finish(failure)
  }

  /** Also the wait of a connection that cannot be made. */
  #lost(failure: ApiFailure, sent: boolean): void {
    if (this.#over) return
    const isLast = sent && (this.#calls.once || !this.#call.repeatable)
    if (isLast || ++this.#lostTries >= LOST_TRIES_MAX) this.#finish(failure)
    else this.#again(LOST_WAIT_MS * 2 ** this.#lostTries * (1 + this.#calls.clockwork.random()))
  }

  #answered(code: number, fields: HttpFields, body: Uint8Array): void {
    if (this.#over) return
    for (const warning of warningsOf(fields)) this.#calls.onWarning(warning)
    if (isSuccess(code)) {
      this.#finish(this.#decode(body))
      return
    }
    const seconds = retryAfterSeconds(fields)
    if (!this.#calls.once && seconds !== undefined && (code === 429 || code >= 500) && this.#tries < TRIES_MAX) {
      this.#again(Math.min(seconds, RETRY_AFTER_SECONDS_MAX) * 1000)
      return
    }
    if (code === 401 && this.#calls.credentials.changes && !this.#renewed) {
      this.#renewed = true
      this.#calls.credentials.forget()
      this.#again(0)
      return
    }
    this.#finish(failureOf(code, body))
  }
}

/** Makes a call; `done` is called once, never before this has returned. */
export const askOnce = <A>(calls: HttpCalls, call: HttpCall, decode: Decode<A>, done: Done<A>): void =>
  new UnaryCall(calls, call, decode, done).begin()

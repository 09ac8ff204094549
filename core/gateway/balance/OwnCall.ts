// A call that the gateway makes as itself to one endpoint: a health check, a TokenReview, a SubjectAccessReview.
// Owns its time limit and the bound of its answer; refuses to know what is asked.
import type { Cancel, Clockwork } from "#kube"
import type { HttpClientRequest, HttpFields } from "#net"
import type { Pooled } from "./Connections.ts"
import type { DialFailure } from "./DialAdapter.ts"
import type { Upstream } from "./Upstream.ts"

/** A longer answer is none. */
const ANSWER_BYTES_MAX = 1_048_576
/** Goodbyes that a call may cross. */
const CROSSED_MAX = 2

export interface OwnRequest {
  readonly method: "GET" | "POST"
  readonly path: string
  readonly fields: HttpFields
  readonly body?: Uint8Array
  readonly timeoutMs: number
}

export interface OwnAnswer {
  readonly kind: "answer"
  readonly status: number
  readonly body: Buffer
}

const failure = (code: string, message: string): DialFailure => ({ kind: "failure", code, message })

/** Asks; `done` is called once. */
export const ownCall = (
  upstream: Upstream,
  asked: OwnRequest,
  clockwork: Clockwork,
  done: (outcome: OwnAnswer | DialFailure) => void
): void => {
  let over = false
  let giveUp: Cancel | undefined
  let request: HttpClientRequest | undefined
  const finish = (outcome: OwnAnswer | DialFailure): void => {
    if (over) return
    over = true
    cancelTimer()
    giveUp?.()
    done(outcome)
  }
  const cancelTimer = clockwork.after(asked.timeoutMs, () => {
    finish(failure("TIMEOUT", `no answer within ${asked.timeoutMs} ms`))
    request?.cancel()
  })
  let crossed = 0
  const attempt = (): Cancel => upstream.connections.take(send)
  const send = (outcome: Pooled | DialFailure): void => {
    if ("kind" in outcome) return finish(outcome)
    if (over) return
    let status = 0
    let length = 0
    const chunks: Array<Buffer> = []
    const length0 = asked.body === undefined ? [] : [["content-length", String(asked.body.length)] as const]
    const head = {
      method: asked.method,
      path: upstream.endpoint.pathPrefix + asked.path,
      fields: [...asked.fields, ...length0]
    }
    request = outcome.client.request(head, {
      head: (code) => void (status = code),
      body: (bytes) => {
        length += bytes.length
        if (length <= ANSWER_BYTES_MAX) return void chunks.push(Buffer.from(bytes))
        finish(failure("TOO_LONG", `the answer is longer than ${ANSWER_BYTES_MAX} bytes`))
        request?.cancel()
      },
      end: () => finish({ kind: "answer", status, body: Buffer.concat(chunks) }),
      failed: (error, sent) => {
        // It crossed a goodbye, which says nothing about the endpoint: another connection takes it.
        if (over || sent || ++crossed > CROSSED_MAX) return finish(failure("LOST", error.message))
        giveUp = attempt()
      }
    })
    request.end(asked.body)
  }
  giveUp = attempt()
  if (over) giveUp()
}

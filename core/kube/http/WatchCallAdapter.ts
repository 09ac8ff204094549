// One watch over HTTP: a request whose answer is a line for each event, until the server, the caller or the connection ends it.
// Owns the reading of lines as they come; refuses to resume, which reflectors do.
import type { Cancel } from "../Clockwork.ts"
import type { WatchListener } from "../Client.ts"
import { ApiFailure, Failures } from "../Status.ts"
import { eventOf, failureOf, warningsOf, WatchLines } from "./Answers.ts"
import { type HttpCall, type HttpCalls, send } from "./UnaryCallAdapter.ts"

/** Bytes of an answer that is no watch which are read. */
const REFUSAL_BYTES_MAX = 1_048_576

/** Watches; the listener is never called before this has returned, nor after the cancel. */
export const watchOnce = (calls: HttpCalls, call: HttpCall, listener: WatchListener): Cancel => {
  const { answerBytesMax, clockwork, credentials, onWarning, pool, requestTimeoutMs } = calls
  let over = false
  let code = 0
  let refusal = Buffer.alloc(0)
  const finish = (failure: ApiFailure | undefined): void => {
    if (over) return
    over = true
    cancelTimeout()
    listener.ended(failure)
  }
  const abandon = (failure: ApiFailure): void => {
    if (over) return
    cancelRequest()
    finish(failure)
  }
  const lines = new WatchLines(answerBytesMax, (line) => {
    if (over) return
    const event = eventOf(line)
    if (event instanceof ApiFailure) abandon(event)
    else listener.event(event)
  })
  const cancelTimeout = clockwork.after(requestTimeoutMs, () =>
    abandon(Failures.timeout(`a watch was not answered within ${requestTimeoutMs} ms`, 0))
  )
  const cancelRequest = send(
    calls,
    call,
    {
      head: (status, fields) => {
        code = status
        cancelTimeout()
        for (const warning of warningsOf(fields)) onWarning(warning)
      },
      body: (bytes) => {
        if (over) return
        if (code === 200) {
          if (!lines.push(bytes)) abandon(Failures.tooLarge(`an event is longer than ${answerBytesMax} bytes`))
        } else if (refusal.length + bytes.length <= REFUSAL_BYTES_MAX) refusal = Buffer.concat([refusal, bytes])
      },
      end: () => {
        pool.released()
        // The next watch asks with a new credential.
        if (code === 401) credentials.forget()
        finish(code === 200 ? undefined : failureOf(code, refusal))
      },
      failed: (error) => {
        pool.released()
        finish(Failures.unavailable(`the watch was lost: ${error.message}`))
      }
    },
    (failure) => clockwork.defer(() => finish(failure))
  )
  return () => {
    if (over) return
    over = true
    cancelTimeout()
    cancelRequest()
  }
}

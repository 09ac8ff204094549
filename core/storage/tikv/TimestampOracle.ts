// Timestamps from PD: everybody who asks while one request is under way shares the next.
// Owns the stream to PD's leader, the batches and the check that timestamps only grow; refuses to hand out one that PD did
// not give. At most WAITING_MAX may wait; a further one is refused. Asking needs no fiber as long as the stream is there: every
// read and every commit begins with it.
import { Effect, Latch } from "effect"
import { Backoff, Budget } from "./Backoff.ts"
import type { PdClient } from "./PdClient.ts"
import { TSO_PATH, TsoRequest, TsoResponse } from "./PdMessages.ts"
import { PdUnavailable } from "./TikvError.ts"
import { composeTimestamp, type Timestamp } from "./Timestamp.ts"
import type { TransportStream } from "./Transport.ts"

const WAITING_MAX = 100_000
/** Timestamps in one request: PD's counter has 2^18 in a millisecond. */
const BATCH_MAX = 10_000
/** A request without an answer is given up after three to four looks at it. */
const LOOK_EVERY_MS = 1000
const LOOKS_MAX = 3
const LEADER_WITHIN_MS = 3000

/** Hears the timestamp, or why there is none. */
export type TimestampAnswer = (failure: PdUnavailable | undefined, timestamp: Timestamp) => void

interface Waiting {
  readonly answer: TimestampAnswer
  backoff: Backoff | undefined
}

interface OpenStream {
  readonly address: string
  readonly stream: TransportStream
}

/** The request under way. */
interface Sent {
  readonly batch: ReadonlyArray<Waiting>
  looks: number
}

export class TimestampOracle {
  private readonly pd: PdClient
  private readonly trouble = Latch.makeUnsafe(false)
  private waiting: Array<Waiting> = []
  /** Those whose request came to nothing, and why. */
  private refused: Array<{ readonly batch: ReadonlyArray<Waiting>; readonly detail: string }> = []
  private open: OpenStream | undefined
  private sent: Sent | undefined
  /** The largest that was given. */
  private last: Timestamp = 0n
  readonly stats = { requests: 0, timestamps: 0 }

  constructor(pd: PdClient) {
    this.pd = pd
  }

  /** A timestamp greater than every one given before the call; fails when PD does not answer in time. */
  ask(answer: TimestampAnswer): void {
    if (this.waiting.length >= WAITING_MAX) {
      return answer(new PdUnavailable({ endpoints: [], detail: `${WAITING_MAX} requests for timestamps wait` }), 0n)
    }
    this.waiting.push({ answer, backoff: undefined })
    this.send()
  }

  /** The same as an Effect. */
  readonly timestamp: Effect.Effect<Timestamp, PdUnavailable> = Effect.callback((resume) => {
    this.ask((failure, timestamp) => resume(failure === undefined ? Effect.succeed(timestamp) : Effect.fail(failure)))
  })

  /** Finds the stream and serves those whom it failed, for as long as it runs. */
  readonly run: Effect.Effect<never> = Effect.suspend(() =>
    Effect.raceFirst(Effect.forever(this.mend), Effect.forever(this.look)).pipe(
      Effect.ensuring(Effect.sync(() => this.close()))
    )
  )

  private send(): void {
    const { open } = this
    if (this.sent !== undefined || this.waiting.length === 0) return
    if (open === undefined) return void this.trouble.openUnsafe()
    const batch = this.waiting.length <= BATCH_MAX ? this.waiting : this.waiting.slice(0, BATCH_MAX)
    this.waiting = this.waiting.length <= BATCH_MAX ? [] : this.waiting.slice(BATCH_MAX)
    this.sent = { batch, looks: 0 }
    this.stats.requests++
    open.stream.send(TsoRequest.encode({ header: this.pd.header, count: batch.length }))
  }

  private received(bytes: Uint8Array): void {
    const { sent } = this
    if (sent === undefined) return
    const last = this.read(bytes, sent.batch.length)
    if (typeof last === "string") return this.failed(last)
    this.last = last
    this.sent = undefined
    this.send()
    this.stats.timestamps += sent.batch.length
    let next = last - BigInt(sent.batch.length)
    for (const { answer } of sent.batch) answer(undefined, ++next)
  }

  /** What is under way came to nothing: the stream is made anew, to whoever leads by then. */
  private failed(detail: string): void {
    const { open, sent } = this
    this.close()
    if (open !== undefined) this.pd.forgetLeader(open.address)
    this.refused.push({ batch: sent?.batch ?? this.waiting.splice(0), detail })
    this.trouble.openUnsafe()
  }

  private readonly mend: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    yield* this.trouble.await
    this.trouble.closeUnsafe()
    for (const { batch, detail } of this.refused.splice(0)) yield* this.retry(batch, detail)
    if (this.waiting.length > 0 && this.open === undefined) {
      const address = yield* Effect.result(this.pd.leaderAddress(new Backoff(LEADER_WITHIN_MS)))
      if (address._tag === "Success") this.openTo(address.success)
      else this.refused.push({ batch: this.waiting.splice(0), detail: address.failure.message })
    }
    if (this.refused.length > 0) this.trouble.openUnsafe()
    this.send()
  })

  /** Those whose patience is over hear of it; the others wait for the next request. */
  private retry(batch: ReadonlyArray<Waiting>, detail: string): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const kept: Array<Waiting> = []
      const waits = batch.map((waiting) => {
        waiting.backoff ??= new Backoff(Budget.read)
        return Effect.result(this.pd.wait(waiting.backoff, detail)).pipe(
          Effect.map((waited) => {
            if (waited._tag === "Success") kept.push(waiting)
            else waiting.answer(waited.failure, 0n)
          })
        )
      })
      yield* Effect.all(waits, { concurrency: "unbounded", discard: true })
      this.waiting = [...kept, ...this.waiting]
    })
  }

  private readonly look: Effect.Effect<void> = Effect.delay(
    Effect.sync(() => {
      const { open, sent } = this
      if (sent === undefined || ++sent.looks <= LOOKS_MAX) return
      this.failed(`${open?.address} gave no timestamp within ${LOOKS_MAX * LOOK_EVERY_MS} ms`)
    }),
    LOOK_EVERY_MS
  )

  /** The last of `count` timestamps, or what is wrong with the answer. */
  private read(bytes: Uint8Array, count: number): Timestamp | string {
    const { count: given, header, timestamp } = TsoResponse.decode(bytes)
    const address = this.open?.address
    if (header?.error !== undefined) return `${address}: ${header.error.message}`
    if (timestamp === undefined || given !== count) return `${address}: ${given} timestamps for ${count} asked`
    const last = composeTimestamp(BigInt(timestamp.physical), BigInt(timestamp.logical))
    return last - BigInt(count) < this.last ? `${address} gave timestamp ${last} after ${this.last}` : last
  }

  private openTo(address: string): void {
    const opened: { stream?: TransportStream } = {}
    /** A stream may end before it is handed out. */
    let why: string | undefined
    const stream = this.pd.transport.stream(address, TSO_PATH, {
      message: (bytes) => {
        if (this.open?.stream === opened.stream) this.received(bytes)
      },
      end: ({ message }) => {
        why = message
        if (opened.stream !== undefined && this.open?.stream === opened.stream) this.failed(message)
      }
    })
    opened.stream = stream
    this.open = { address, stream }
    if (why !== undefined) this.failed(why)
  }

  private close(): void {
    this.open?.stream.close()
    this.open = undefined
    this.sent = undefined
  }
}

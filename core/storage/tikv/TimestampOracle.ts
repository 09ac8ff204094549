// Timestamps from PD: everybody who asks while one request is under way shares the next.
// Owns the stream to PD's leader, the batches and the check that timestamps only grow; refuses to hand out one that PD did
// not give. At most WAITING_MAX may wait; a further one is refused.
import { Deferred, Effect, Latch } from "effect"
import { Backoff, Budget } from "./Backoff.ts"
import type { PdClient } from "./PdClient.ts"
import { TSO_PATH, TsoRequest, TsoResponse } from "./PdMessages.ts"
import { PdUnavailable } from "./TikvError.ts"
import { composeTimestamp, type Timestamp } from "./Timestamp.ts"
import type { TransportStream } from "./Transport.ts"

const WAITING_MAX = 100_000
/** Timestamps in one request: PD's counter has 2^18 in a millisecond. */
const BATCH_MAX = 10_000
const ANSWER_TIMEOUT_MS = 3000

interface Waiting {
  readonly answer: Deferred.Deferred<Timestamp, PdUnavailable>
  readonly backoff: Backoff
}

interface OpenStream {
  readonly address: string
  readonly stream: TransportStream
}

export class TimestampOracle {
  private readonly pd: PdClient
  private readonly asked = Latch.makeUnsafe(false)
  private waiting: Array<Waiting> = []
  private open: OpenStream | undefined
  private settle: ((answer: Effect.Effect<Uint8Array, string>) => void) | undefined
  /** The largest that was given. */
  private last: Timestamp = 0n
  readonly stats = { requests: 0, timestamps: 0 }

  constructor(pd: PdClient) {
    this.pd = pd
  }

  /** A timestamp greater than every one given before the call; fails when PD does not answer in time. */
  readonly timestamp: Effect.Effect<Timestamp, PdUnavailable> = Effect.suspend(() => {
    if (this.waiting.length >= WAITING_MAX) {
      return Effect.fail(new PdUnavailable({ endpoints: [], detail: `${WAITING_MAX} requests for timestamps wait` }))
    }
    const answer = Deferred.makeUnsafe<Timestamp, PdUnavailable>()
    this.waiting.push({ answer, backoff: new Backoff(Budget.read) })
    this.asked.openUnsafe()
    return Deferred.await(answer)
  })

  /** Serves those who wait, for as long as it runs. */
  readonly run: Effect.Effect<never> = Effect.gen({ self: this }, function* () {
    for (;;) {
      if (this.waiting.length === 0) {
        this.asked.closeUnsafe()
        yield* this.asked.await
      }
      // Whoever asks in this turn of the loop is served by the same request.
      yield* Effect.yieldNow
      const batch = this.waiting.splice(0, BATCH_MAX)
      const answer = yield* Effect.result(this.exchange(batch.length))
      if (answer._tag === "Success") this.give(batch, answer.success)
      else yield* this.retry(batch, answer.failure)
    }
  }).pipe(Effect.ensuring(Effect.sync(() => this.close())))

  private give(batch: ReadonlyArray<Waiting>, last: Timestamp): void {
    this.last = last
    this.stats.timestamps += batch.length
    const first = last - BigInt(batch.length - 1)
    for (const [index, { answer }] of batch.entries()) {
      Deferred.doneUnsafe(answer, Effect.succeed(first + BigInt(index)))
    }
  }

  /** Those whose patience is over hear of it; the others wait for the next request. */
  private retry(batch: ReadonlyArray<Waiting>, detail: string): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.close()
      const kept: Array<Waiting> = []
      const waits = batch.map((waiting) =>
        Effect.result(this.pd.wait(waiting.backoff, detail)).pipe(
          Effect.map((waited) => {
            if (waited._tag === "Success") kept.push(waiting)
            else Deferred.doneUnsafe(waiting.answer, Effect.fail(waited.failure))
          })
        )
      )
      yield* Effect.all(waits, { concurrency: "unbounded", discard: true })
      this.waiting = [...kept, ...this.waiting]
    })
  }

  /** Asks for `count` timestamps; answers the last of them. */
  private exchange(count: number): Effect.Effect<Timestamp, string> {
    return Effect.gen({ self: this }, function* () {
      const address = yield* this.pd
        .leaderAddress(new Backoff(ANSWER_TIMEOUT_MS))
        .pipe(Effect.mapError(({ message }) => message))
      const request = TsoRequest.encode({ header: this.pd.header, count })
      const bytes = yield* this.ask(address, request).pipe(
        Effect.timeoutOrElse({
          duration: ANSWER_TIMEOUT_MS,
          orElse: () => Effect.fail(`${address} gave no timestamp within ${ANSWER_TIMEOUT_MS} ms`)
        }),
        Effect.tapError(() => Effect.sync(() => this.pd.forgetLeader(address)))
      )
      return yield* this.read(bytes, count, address)
    })
  }

  private read(bytes: Uint8Array, count: number, address: string): Effect.Effect<Timestamp, string> {
    const { count: given, header, timestamp } = TsoResponse.decode(bytes)
    const problem =
      header?.error?.message ??
      (timestamp === undefined || given !== count ? `${given} timestamps for ${count} asked` : undefined)
    if (problem !== undefined || timestamp === undefined) {
      this.pd.forgetLeader(address)
      return Effect.fail(`${address}: ${problem}`)
    }
    const last = composeTimestamp(BigInt(timestamp.physical), BigInt(timestamp.logical))
    if (last - BigInt(count) < this.last) {
      this.pd.forgetLeader(address)
      return Effect.fail(`${address} gave timestamp ${last} after ${this.last}`)
    }
    return Effect.succeed(last)
  }

  private ask(address: string, request: Uint8Array): Effect.Effect<Uint8Array, string> {
    return Effect.callback((resume) => {
      this.settle = resume
      this.stats.requests++
      this.streamTo(address).send(request)
      return Effect.sync(() => this.close())
    })
  }

  private streamTo(address: string): TransportStream {
    if (this.open !== undefined && this.open.address !== address) this.close()
    this.open ??= {
      address,
      stream: this.pd.transport.stream(address, TSO_PATH, {
        message: (bytes) => this.settled(Effect.succeed(bytes)),
        end: ({ message }) => {
          this.open = undefined
          this.settled(Effect.fail(message))
        }
      })
    }
    return this.open.stream
  }

  private settled(answer: Effect.Effect<Uint8Array, string>): void {
    const { settle } = this
    this.settle = undefined
    settle?.(answer)
  }

  private close(): void {
    this.open?.stream.close()
    this.open = undefined
    this.settle = undefined
  }
}

// Runs programs in virtual time: a seed picks every interleaving, and the clock jumps to whatever sleeps the shortest.
// Owns the run loop; knows nothing of what runs. A program that waits for something that nobody will do is a deadlock, and
// fails as one.
import { Clock, Context, Duration, Effect, Exit, Latch, Random, type Scheduler } from "effect"

interface Sleeper {
  readonly at: number
  readonly run: () => void
}

const START_MS = 1_700_000_000_000

export class VirtualWorld {
  private state: number
  private readonly ready: Array<() => void> = []
  private readonly sleepers = new Set<Sleeper>()
  /** Milliseconds since the epoch. */
  now = START_MS
  readonly seed: number

  constructor(seed: number) {
    this.seed = seed
    this.state = (seed ^ 0x9e3779b9) >>> 0
  }

  /** A whole number from 0 to below n. */
  below(n: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0
    return (this.state >>> 16) % n
  }

  defer(run: () => void): void {
    this.ready.push(run)
  }

  after(delayMs: number, run: () => void): () => void {
    const sleeper = { at: this.now + Math.max(0, delayMs), run }
    this.sleepers.add(sleeper)
    return () => void this.sleepers.delete(sleeper)
  }

  private get clock(): Clock.Clock {
    const nanos = () => BigInt(Math.round(this.now * 1e6))
    return {
      currentTimeMillisUnsafe: () => this.now,
      currentTimeMillis: Effect.sync(() => this.now),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: nanos,
      monotonicTimeNanos: Effect.sync(nanos),
      sleep: (duration) =>
        Effect.suspend(() => {
          const latch = Latch.makeUnsafe()
          const cancel = this.after(Duration.toMillis(duration), () => latch.openUnsafe())
          return Effect.ensuring(latch.await, Effect.sync(cancel))
        })
    }
  }

  private get scheduler(): Scheduler.Scheduler {
    return {
      executionMode: "async",
      shouldYield: (fiber) => fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield,
      makeDispatcher: () => ({ scheduleTask: (task) => void this.ready.push(task), flush() {} })
    }
  }

  /** Runs a program to its end; throws what it failed with. */
  run<A, E>(program: Effect.Effect<A, E>): A {
    const { scheduler } = this
    const fiber = Effect.runForkWith(Context.make(Clock.Clock, this.clock))(program.pipe(Random.withSeed(this.seed)), {
      scheduler
    })
    for (;;) {
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) {
        if (Exit.isSuccess(exit)) return exit.value
        throw new Error(`seed ${this.seed}: ${String(exit.cause)}`, { cause: exit.cause })
      }
      this.turn()
    }
  }

  private turn(): void {
    if (this.ready.length > 0) {
      this.ready.splice(this.below(this.ready.length), 1)[0]?.()
      return
    }
    let next: Sleeper | undefined
    for (const sleeper of this.sleepers) if (next === undefined || sleeper.at < next.at) next = sleeper
    if (next === undefined) throw new Error(`seed ${this.seed}: nothing runs and nobody sleeps`)
    this.now = Math.max(this.now, next.at)
    this.sleepers.delete(next)
    next.run()
  }
}

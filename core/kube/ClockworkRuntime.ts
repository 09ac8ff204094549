// Effects on a Clockwork: their clock, their random numbers and the order of their fibers come from it, so that a program written
// with Effect.gen runs in virtual time and the same in every run.
// Owns the three replaced services; refuses to own time, which the Clockwork has, and what effects do beyond them (no Promise there).
import { Clock, Context, Duration, Effect, type Exit, type Fiber, Random, Scheduler } from "effect"
import type { Cancel, Clockwork } from "./Clockwork.ts"

export interface ClockworkRuntime<R = never> {
  /** Starts an effect now; `done` is called once with its end, perhaps before this returns. The answer interrupts it. */
  readonly run: <A, E>(effect: Effect.Effect<A, E, R>, done: (exit: Exit.Exit<A, E>) => void) => Cancel
  /** Starts an effect now. */
  readonly fork: <A, E>(effect: Effect.Effect<A, E, R>) => Fiber.Fiber<A, E>
}

const NANOS_PER_MS = 1_000_000

const nanos = (ms: number): bigint => BigInt(Math.round(ms * NANOS_PER_MS))

const clockOf = (clockwork: Clockwork): Clock.Clock => ({
  currentTimeMillisUnsafe: clockwork.now,
  currentTimeMillis: Effect.sync(clockwork.now),
  currentTimeNanosUnsafe: () => nanos(clockwork.now()),
  currentTimeNanos: Effect.sync(() => nanos(clockwork.now())),
  monotonicTimeNanosUnsafe: () => nanos(clockwork.monotonic()),
  monotonicTimeNanos: Effect.sync(() => nanos(clockwork.monotonic())),
  sleep: (duration) => {
    const ms = Duration.toMillis(duration)
    if (ms === Infinity) return Effect.never
    if (ms <= 0) return Effect.yieldNow
    return Effect.callback<void>((resume) => {
      const cancel = clockwork.after(ms, () => resume(Effect.void))
      return Effect.sync(cancel)
    })
  }
})

const randomOf = (clockwork: Clockwork): Random.Random => ({
  nextDoubleUnsafe: clockwork.random,
  nextIntUnsafe: () =>
    Math.floor(clockwork.random() * (Number.MAX_SAFE_INTEGER - Number.MIN_SAFE_INTEGER + 1)) + Number.MIN_SAFE_INTEGER
})

/** Fibers that yield go on after the current turn of the Clockwork's loop. */
const schedulerOf = (clockwork: Clockwork): Scheduler.Scheduler =>
  new Scheduler.MixedScheduler("async", (run) => {
    let cancelled = false
    clockwork.defer(() => {
      if (!cancelled) run()
    })
    return () => {
      cancelled = true
    }
  })

/** What effects find in place of the machine's clock, randomness and scheduling. */
export const clockworkServices = (clockwork: Clockwork): Context.Context<never> =>
  Context.empty().pipe(
    Context.add(Clock.Clock, clockOf(clockwork)),
    Context.add(Random.Random, randomOf(clockwork)),
    Context.add(Scheduler.Scheduler, schedulerOf(clockwork))
  )

/** Runs effects that need these services, or none, on a Clockwork. */
export const makeClockworkRuntime: {
  (clockwork: Clockwork): ClockworkRuntime
  <R>(clockwork: Clockwork, services: Context.Context<R>): ClockworkRuntime<R>
} = <R>(clockwork: Clockwork, services?: Context.Context<R>): ClockworkRuntime<R> => {
  const own = clockworkServices(clockwork)
  // SAFETY: without services R is never, and the empty context provides all of it.
  const context = (services === undefined ? own : Context.merge(services, own)) as Context.Context<R>
  const fork = Effect.runForkWith(context)
  return {
    fork: (effect) => fork(effect),
    run: (effect, done) => {
      const fiber = fork(effect)
      fiber.addObserver(done)
      return () => fiber.interruptUnsafe()
    }
  }
}

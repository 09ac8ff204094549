// Opens connections to endpoints: plain calls on top of #net's Effects.
// Owns the bridge only; who dials when, and what happens to a connection, is for others.
import { Effect, Exit, Scope } from "effect"
import {
  connectHttp,
  type ConnectHttpOptions,
  type HttpClient,
  type HttpRequestHead,
  type HttpUpgraded,
  upgradeHttp
} from "#net"

/** Why there is no connection; the code is the system's, like ECONNREFUSED. Never holds a secret. */
export interface DialFailure {
  readonly kind: "failure"
  readonly code: string
  readonly message: string
}

/** The ways to an endpoint; another one than `machineDial` lets the simulator in. */
export interface Dial {
  readonly connect: (options: ConnectHttpOptions, done: (outcome: HttpClient | DialFailure) => void) => void
  /** Answers how to give up; after that `done` is not called. */
  readonly upgrade: (
    options: ConnectHttpOptions,
    head: HttpRequestHead,
    done: (outcome: HttpUpgraded | DialFailure) => void
  ) => () => void
}

const run = <A>(effect: Effect.Effect<A, { readonly code: string; readonly message: string }, Scope.Scope>) => {
  const scope = Scope.makeUnsafe()
  const fiber = Effect.runFork(Scope.provide(effect, scope))
  const close = (): void => void Effect.runFork(Scope.close(scope, Exit.void))
  const outcome = (done: (outcome: A | DialFailure) => void): void => {
    fiber.addObserver((exit) => {
      if (Exit.isSuccess(exit)) return done(exit.value)
      const [reason] = exit.cause.reasons
      const known = reason?._tag === "Fail" ? reason.error : { code: "", message: "cannot connect" }
      done({ kind: "failure", code: known.code, message: known.message })
    })
  }
  return { close, fiber, outcome }
}

/** Over the machine's sockets. A connection lives until it is closed or lost; an upgraded socket is its owner's. */
export const machineDial: Dial = {
  connect: (options, done) => run(connectHttp(options)).outcome(done),
  upgrade: (options, head, done) => {
    let over = false
    const attempt = run(upgradeHttp(options, head))
    attempt.outcome((outcome) => {
      if (!over) done(outcome)
      else if (!("kind" in outcome)) outcome.socket?.destroy()
    })
    return () => {
      over = true
      attempt.fiber.interruptUnsafe()
      attempt.close()
    }
  }
}

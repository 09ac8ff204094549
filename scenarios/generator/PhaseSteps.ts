// The steps that every phase has in common, whatever it talks to: all loads driven in their order, watchers that catch up, and the
// facts of how it went.
// Owns these steps; refuses to know what is sent.
import { Effect } from "effect"
import type { PhaseResult } from "./Protocol.ts"
import type { Tally } from "./Tally.ts"

/** Between two reports, in milliseconds. */
export const beatMs = 1000
const drainPollMs = 20

/** Drives loads together or one after the other; each is begun by its function, which calls back at its end. */
export const driveLoads = (
  begins: ReadonlyArray<(onEnd: () => void) => void>,
  order: "parallel" | "sequential"
): Effect.Effect<void> =>
  Effect.all(
    begins.map((begin) => Effect.callback<void>((resume) => begin(() => resume(Effect.void)))),
    { concurrency: order === "parallel" ? "unbounded" : 1, discard: true }
  )

/** Waits for watchers to receive what is missing, at most so many milliseconds. */
export const drainWatchers = (
  watchers: ReadonlyArray<{ readonly account: { readonly complete: boolean } }>,
  atMostMs: number
): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (!watchers.every(({ account }) => account.complete)) yield* Effect.sleep(drainPollMs)
  }).pipe(Effect.timeoutOption(atMostMs), Effect.asVoid)

/** When a phase ran, and what it cost the generator. */
export interface PhaseSpan {
  readonly startedAt: number
  readonly endedAt: number
  readonly cpuSeconds: number
}

/** The facts of a phase, out of who took part in it. */
export const phaseFacts = (
  span: PhaseSpan,
  parts: {
    readonly context: {
      readonly pauseEndedAt: number
      readonly pauseMs: number
      readonly violations: Iterable<readonly [string, number]>
    }
    readonly drivers: ReadonlyArray<{ readonly lateMs: number; readonly saturated: boolean }>
    readonly tallies: ReadonlyArray<Tally>
    readonly watchGapMs?: Readonly<Record<string, number>>
    readonly connections: number
    readonly notes: ReadonlyArray<string>
  }
): PhaseResult["facts"] => {
  const { connections, context, drivers, notes, tallies, watchGapMs = {} } = parts
  return {
    ...span,
    pauseMs: context.pauseMs,
    pauseEndedAt: performance.timeOrigin + context.pauseEndedAt,
    connections,
    lateMs: Math.max(0, ...drivers.map(({ lateMs }) => lateMs)),
    saturated: drivers.some(({ saturated }) => saturated),
    stddevMs: Object.fromEntries(tallies.map((tally) => [tally.name, tally.stddevMs])),
    gapMs: Object.fromEntries(tallies.map((tally) => [tally.name, tally.gapMs])),
    watchGapMs,
    violations: Object.fromEntries(context.violations),
    notes
  }
}

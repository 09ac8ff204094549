// Long reads in short turns: a generator says what it needs next, gets a View for one turn, and lets others run between.
// Owns the alternation; refuses to know what is read. A View is good for its turn only: nothing of it may be kept.
import type { Engine, Need, View } from "../engine/Engine.ts"

/** What a turn will read; asked for by engines that must fetch it first. */
export type Needs = () => ReadonlyArray<Need>

/** A long read: yields what its next turn needs and receives the View for it. */
export type Slices<Result = void> = Generator<Needs, Result, View>

/** Of a turn that reads nothing. */
export const noNeeds: Needs = () => []

/** Rows that one turn looks at: a few milliseconds. */
export const ROWS_PER_SLICE = 500
/** Bytes that one turn produces at most, but for one row beyond. */
export const BYTES_PER_SLICE = 2 ** 18

export interface SliceHooks {
  /** Called after each turn; the next starts when `resume` is called, and none does after `abandon`. */
  readonly between: (resume: () => void, abandon: () => void) => void
  /** Called once, with what a turn threw, if one did. */
  readonly done: (thrown?: unknown) => void
}

/** Runs a long read to its end. */
export const runSlices = (engine: Engine, slices: Slices, { between, done }: SliceHooks): void => {
  const turn = (needs: Needs): void => engine.read(needs, (view) => advance(view))
  const advance = (view?: View): void => {
    let step: IteratorResult<Needs, void>
    try {
      step = view === undefined ? slices.next() : slices.next(view)
    } catch (thrown) {
      return done(thrown)
    }
    if (step.done === true) return done()
    const needs = step.value
    if (view === undefined) turn(needs)
    else
      between(
        () => turn(needs),
        () => void slices.return()
      )
  }
  advance()
}

// What real programs did, played when a test first asks for it and kept for the tests that follow.
// Owns the second chance: a comparison that fails forgets what was played, so that the runner's next try plays it anew.
// A race inside a real program shows once; a mistake of ours shows each time.

/** Options for a test that compares what was played: after a failure it is played and compared once more. */
export const replayed = (timeoutMs: number): { readonly retry: number; readonly timeout: number } => ({
  retry: 1,
  timeout: timeoutMs
})

/** Checks of what `play` returned; it plays at the first check, and again at the first one after a failure. */
export const played = <A>(play: () => Promise<A>): ((check: (outcome: A) => void) => Promise<void>) => {
  let kept: Promise<A> | undefined
  return async (check) => {
    const outcome = (kept ??= play())
    try {
      check(await outcome)
    } catch (failure) {
      if (kept === outcome) kept = undefined
      throw failure
    }
  }
}

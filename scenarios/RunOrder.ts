// The order of runs: backends interleaved, forward and backward in turn (ABBA), so that a machine that grows slower or
// faster over time favours none of them. Owns the order only.

/** One run of a scenario: a backend, its repeat counted from 0, and its place among all runs. */
export interface PlannedRun<Backend> {
  readonly backend: Backend
  readonly repeat: number
  readonly position: number
}

/** All runs in the order in which they happen. */
export const runOrder = <Backend>(
  backends: ReadonlyArray<Backend>,
  repeats: number
): ReadonlyArray<PlannedRun<Backend>> =>
  Array.from({ length: repeats }, (_, repeat) => {
    const turn = repeat % 2 === 0 ? backends : backends.toReversed()
    return turn.map((backend) => ({ backend, repeat }))
  })
    .flat()
    .map((run, position) => ({ ...run, position }))

/** The interleaving as letters, for example ABBA: each backend's letter is its place on the command line. */
export const orderLetters = (backends: ReadonlyArray<unknown>, repeats: number): string =>
  runOrder(backends, repeats)
    .map(({ backend }) => String.fromCharCode(65 + (backends.indexOf(backend) % 26)))
    .join("")

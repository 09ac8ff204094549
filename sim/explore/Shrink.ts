// From a run that breaks a guarantee to the fewest steps that still break it: delta debugging (Zeller's ddmin), then one by one.
// Owns the search and its budget; refuses to know what the steps are. A smaller case counts when it breaks the same guarantee.

/** What is left after shrinking, and how many runs it took. */
export interface Shrunk<Item> {
  readonly items: ReadonlyArray<Item>
  readonly runs: number
  /** Whether the budget ended before nothing more could be left out. */
  readonly exhausted: boolean
}

/** Leaves items out as long as `fails` still says yes, within a budget of runs. */
export const shrinkItems = <Item>(
  items: ReadonlyArray<Item>,
  fails: (items: ReadonlyArray<Item>) => boolean,
  runsMax: number
): Shrunk<Item> => {
  let current = items
  const spent = { runs: 0 }
  let parts = 2
  const attempt = (candidate: ReadonlyArray<Item>): boolean => {
    if (spent.runs >= runsMax) return false
    spent.runs++
    if (!fails(candidate)) return false
    current = candidate
    return true
  }
  for (; current.length > 0 && spent.runs < runsMax;) {
    const size = Math.ceil(current.length / parts)
    let shrunk = false
    for (let from = 0; from < current.length && !shrunk; from += size) {
      const rest = [...current.slice(0, from), ...current.slice(from + size)]
      shrunk = attempt(rest)
    }
    if (shrunk) parts = Math.max(2, parts - 1)
    else if (size <= 1) break
    else parts = Math.min(current.length, parts * 2)
  }
  return { items: current, runs: spent.runs, exhausted: spent.runs >= runsMax }
}

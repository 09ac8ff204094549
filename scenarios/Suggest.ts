// "Did you mean": the nearest known name to one that is not known. Owns the distance and the cut-off, nothing else.
// Names are short; the quadratic cost is of no account.

/** Edit distance with transpositions (optimal string alignment) between two short names. */
export const distance = (left: string, right: string): number => {
  let before: Array<number> = []
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i++) {
    const next = [i]
    for (let j = 1; j <= right.length; j++) {
      const same = left[i - 1] === right[j - 1]
      let best = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1]
      if (swapped) best = Math.min(best, (before[j - 2] ?? 0) + 1)
      next.push(best)
    }
    before = row
    row = next
  }
  return row[right.length] ?? 0
}

/** The known name nearest to `name`, or undefined when none is near enough to be what was meant. */
export const nearest = (name: string, known: ReadonlyArray<string>): string | undefined => {
  const lower = name.toLowerCase()
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const gap = distance(lower, candidate.toLowerCase())
    if (gap < bestDistance) {
      best = candidate
      bestDistance = gap
    }
  }
  return best
}

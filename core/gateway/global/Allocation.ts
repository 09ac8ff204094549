// How a total is divided among those who want parts of it: everyone gets what they want as far as that goes, nobody more than an equal
// part while another wants for theirs (max-min fairness), and what is left over is headroom in equal parts.
// Owns this arithmetic; refuses to know what is divided. A sum of parts is never more than the total.

export interface AllocationOptions {
  /** Parts are whole numbers: slots and tokens. */
  readonly whole: boolean
  /** Whether what nobody wants is handed out too. */
  readonly spare: boolean
}

/** Fills up to the wants from below; answers what is left of the total. */
const fill = (total: number, wants: ReadonlyArray<number>, parts: Array<number>): number => {
  const order = wants.map((want, at) => [want, at] as const).toSorted(([left], [right]) => left - right)
  let left = total
  let open = order.length
  for (const [want, at] of order) {
    const part = Math.max(0, Math.min(want, left / open))
    parts[at] = part
    left -= part
    open--
  }
  return Math.max(0, left)
}

/** Rounds parts down and gives the whole units that this frees to those below their want, the first ones first. */
const roundDown = (total: number, wants: ReadonlyArray<number>, parts: Array<number>): void => {
  let left = Math.floor(total)
  for (const [at, part] of parts.entries()) {
    parts[at] = Math.floor(part + 1e-9)
    left -= parts[at] ?? 0
  }
  for (const [at, part] of parts.entries()) {
    if (left <= 0) break
    if (part >= (wants[at] ?? 0)) continue
    parts[at] = part + 1
    left--
  }
}

/** The part of each want, in their order; where units cannot be divided the first ones go before. */
export const allocate = (
  total: number,
  wants: ReadonlyArray<number>,
  { spare, whole }: AllocationOptions
): ReadonlyArray<number> => {
  if (wants.length === 0) return []
  const goal = Math.max(0, total)
  const parts = wants.map(() => 0)
  const left = fill(goal, whole ? wants.map(Math.ceil) : wants, parts)
  const headroom = spare ? left / wants.length : 0
  const raised = parts.map((part) => part + headroom)
  if (whole) {
    const most = spare ? wants.map(() => Number.POSITIVE_INFINITY) : wants
    roundDown(goal, most, raised)
  }
  return raised
}

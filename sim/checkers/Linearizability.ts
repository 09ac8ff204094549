// Whether what clients saw of a key could have happened one after the other, each operation at one instant between its call and its
// answer: the search of Wing and Gong with the memory of Lowe, for registers with compare-and-set and deletion.
// Owns that search, key by key (linearizability composes) and stretch by stretch: whenever a key is quiet, only the states that it may be
// in are carried on. Refuses to know revisions. An operation without an answer may have happened at any time since, or never.

/** Absent keys have the value undefined. Every written value is written once, so that values name writes. */
export type RegisterValue = string | undefined

export interface RegisterOperation {
  readonly kind: "read" | "write" | "delete" | "cas"
  /** What a read saw. */
  readonly seen?: RegisterValue
  /** What a write or a compare-and-set writes. */
  readonly value?: RegisterValue
  /** What a compare-and-set expects. */
  readonly expected?: RegisterValue
  /** Whether a compare-and-set wrote, or a deletion deleted; undefined when there was no answer. */
  readonly done?: boolean
  /** When it was called and answered, on any clock that orders both; an answer that never came is at infinity. */
  readonly calledAt: number
  readonly answeredAt: number
}

/** What a key's stretch came to; `undecided` when the search is given up at its bound, and `unchecked` from then on. */
export type Verdict = "linearizable" | "not linearizable" | "undecided" | "unchecked"

/** States that the search visits before it is given up. */
const VISITS_MAX = 20_000
/** Operations without an answer that are carried along for one key. */
const FLOATING_MAX = 14
const STRETCH_MAX = 512

interface Config {
  readonly value: RegisterValue
  /** Which of the floating operations have happened, as bits. */
  readonly floated: number
}

/** The value after an operation; `impossible` when it could not have been answered so in this state. */
const impossible = Symbol("impossible")
const apply = (state: RegisterValue, operation: RegisterOperation): RegisterValue | typeof impossible => {
  switch (operation.kind) {
    case "read":
      return operation.seen === state ? state : impossible
    case "write":
      return operation.value
    case "delete":
      return operation.done === undefined || operation.done === (state !== undefined) ? undefined : impossible
    case "cas": {
      const holds = state === operation.expected
      if (operation.done !== undefined && operation.done !== holds) return impossible
      return holds ? operation.value : state
    }
  }
}

/**
 * The search over one stretch. An operation without an answer is taken as late as possible, right before the first operation that
 * cannot be explained without it: until then nobody has seen it, and nobody can tell it from one that has not happened.
 */
class Search {
  private readonly operations: ReadonlyArray<RegisterOperation>
  private readonly floating: ReadonlyArray<RegisterOperation>
  private readonly taken: Uint8Array
  private readonly visited = new Set<string>()
  private readonly ends = new Map<string, Config>()

  constructor(operations: ReadonlyArray<RegisterOperation>, floating: ReadonlyArray<RegisterOperation>) {
    this.operations = operations
    this.floating = floating
    this.taken = new Uint8Array(operations.length)
  }

  /** All states that the stretch may leave a key in, from all it may have begun in; undefined when the search is given up. */
  run(from: ReadonlyArray<Config>): ReadonlyArray<Config> | undefined {
    for (const { floated, value } of from) if (!this.visit(this.operations.length, value, floated)) return undefined
    return [...this.ends.values()]
  }

  private visit(left: number, value: RegisterValue, floated: number): boolean {
    const state = `${floated}|${value ?? ""}${value === undefined ? "-" : "+"}`
    if (left === 0) {
      this.ends.set(state, { value, floated })
      return true
    }
    const key = `${Buffer.from(this.taken).toString("latin1")}${state}`
    if (this.visited.has(key)) return true
    this.visited.add(key)
    if (this.visited.size > VISITS_MAX) return false
    // What is called after the earliest answer among those left cannot come next.
    let horizon = Number.POSITIVE_INFINITY
    for (let at = 0; at < this.taken.length; at++)
      if (this.taken[at] === 0) horizon = Math.min(horizon, this.operations[at].answeredAt)
    for (let at = 0; at < this.taken.length; at++) {
      if (this.taken[at] === 1 || this.operations[at].calledAt > horizon) continue
      this.taken[at] = 1
      const goesOn = this.take(this.operations[at], left - 1, value, floated, horizon)
      this.taken[at] = 0
      if (!goesOn) return false
    }
    return true
  }

  /** Takes one operation, after none or those of the floating ones that explain it. */
  private take(
    operation: RegisterOperation,
    left: number,
    value: RegisterValue,
    floated: number,
    horizon: number
  ): boolean {
    const next = apply(value, operation)
    if (next !== impossible) return this.visit(left, next, floated)
    for (const wanted of this.wantedBy(operation)) {
      for (const config of this.reach(wanted, { value, floated }, horizon)) {
        const after = apply(config.value, operation)
        if (after !== impossible && !this.visit(left, after, config.floated)) return false
      }
    }
    return true
  }

  /** The states in which an operation could have been answered as it was; all that floating operations can make of a key. */
  private wantedBy(operation: RegisterOperation): ReadonlyArray<RegisterValue> {
    if (operation.kind === "read") return [operation.seen]
    if (operation.kind === "cas" && operation.done === true) return [operation.expected]
    return [undefined, ...this.floating.flatMap(({ kind, value }) => (kind === "delete" ? [] : [value]))]
  }

  /** The ways to a state through floating operations. As values are unique, there is at most one but for deletions. */
  private reach(wanted: RegisterValue, from: Config, horizon: number): ReadonlyArray<Config> {
    if (from.value === wanted) return [from]
    return this.floating.flatMap((floater, bit) => {
      const isUsable = (from.floated & (1 << bit)) === 0 && floater.calledAt <= horizon
      if (!isUsable || (floater.kind === "delete" ? undefined : floater.value) !== wanted) return []
      const befores = floater.kind === "cas" ? this.reach(floater.expected, from, horizon) : [from]
      return befores.map(({ floated }) => ({ value: wanted, floated: floated | (1 << bit) }))
    })
  }
}

/** The running check of one key. */
export class RegisterChecker {
  private configs: ReadonlyArray<Config>
  private stretch: Array<RegisterOperation> = []
  private floating: Array<RegisterOperation> = []
  private open = 0
  private givenUp = false

  constructor(initial?: RegisterValue) {
    this.configs = [{ value: initial, floated: 0 }]
  }

  called(): void {
    this.open++
  }

  /** Takes an operation that ended, with or without an answer; judges when the key is quiet. */
  ended(operation: RegisterOperation): Verdict {
    this.open--
    if (this.givenUp) return "unchecked"
    if (operation.answeredAt === Number.POSITIVE_INFINITY) {
      // A read without an answer tells nothing.
      if (operation.kind !== "read") this.floating.push(operation)
    } else this.stretch.push(operation)
    if (this.floating.length > FLOATING_MAX || this.stretch.length > STRETCH_MAX) return this.giveUp()
    return this.open === 0 ? this.judge() : "linearizable"
  }

  private judge(): Verdict {
    if (this.stretch.length === 0) return "linearizable"
    const configs = new Search(this.stretch, this.floating).run(this.configs)
    if (configs === undefined) return this.giveUp()
    this.stretch = []
    if (configs.length === 0) {
      this.givenUp = true
      return "not linearizable"
    }
    this.configs = configs
    return "linearizable"
  }

  private giveUp(): Verdict {
    this.givenUp = true
    this.stretch = []
    this.floating = []
    return "undecided"
  }
}

/** Judges a whole history of one key at once. */
export const judgeHistory = (operations: ReadonlyArray<RegisterOperation>, initial?: RegisterValue): Verdict => {
  const checker = new RegisterChecker(initial)
  for (let called = 0; called < operations.length; called++) checker.called()
  let verdict: Verdict = "linearizable"
  for (const operation of operations) {
    verdict = checker.ended(operation)
    if (verdict !== "linearizable") return verdict
  }
  return verdict
}

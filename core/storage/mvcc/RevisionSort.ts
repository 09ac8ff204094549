// Keys sorted by the revision that wrote them, in bounded memory: beyond the bound the newest half is let go, to be
// gathered again by the next pass. Owns that selection and the order; refuses to know where keys come from.
import { noNeeds, type Slices } from "./Slices.ts"

/** Keys held at once, and bytes of key text; a single revision of more keys than that is held whole. */
const KEYS_MAX = 2 ** 19
const TEXT_MAX = 2 ** 26
/** Keys sorted in one turn: a few milliseconds. */
const RUN_KEYS = 2 ** 14
const SAMPLES = 1001

/** The keys of one revision, each with its place among the revision's events, in the order of places. */
export interface RevisionKeys {
  readonly revision: number
  readonly keys: ReadonlyArray<readonly [text: string, sub: number]>
}

export class RevisionSort {
  private readonly floor: number
  /** Revisions below this one are all here; from it on they are left to the next pass. */
  ceiling: number
  private readonly revisionOf: Array<number> = []
  private readonly subOf: Array<number> = []
  private readonly textOf: Array<string> = []
  private textLength = 0
  private keysMax: number
  private textMax: number
  private runs: Array<Uint32Array> = []

  /** Takes revisions in [floor, ceiling). */
  constructor(floor: number, ceiling: number, keysMax = KEYS_MAX, textMax = TEXT_MAX) {
    this.floor = floor
    this.ceiling = ceiling
    this.keysMax = keysMax
    this.textMax = textMax
  }

  wants(revision: number): boolean {
    return revision >= this.floor && revision < this.ceiling
  }

  /** Adds a wanted key; the same key of a revision may come several times, and the highest place counts. */
  add(revision: number, sub: number, text: string): void {
    this.revisionOf.push(revision)
    this.subOf.push(sub)
    this.textOf.push(text)
    this.textLength += text.length
    if (this.revisionOf.length > this.keysMax || this.textLength > this.textMax) this.cut()
  }

  /** Lets the newer half go, at the boundary of a revision. */
  private cut(): void {
    const { revisionOf } = this
    const step = Math.max(1, Math.floor(revisionOf.length / SAMPLES))
    const sample: Array<number> = []
    for (let at = 0; at < revisionOf.length; at += step) sample.push(revisionOf[at])
    sample.sort((a, b) => a - b)
    const oldest = sample[0]
    const middle = sample[sample.length >> 1]
    const boundary = middle > oldest ? middle : sample.find((revision) => revision > oldest)
    if (boundary === undefined) {
      this.keysMax *= 2
      this.textMax *= 2
      return
    }
    this.ceiling = boundary
    let kept = 0
    this.textLength = 0
    for (let at = 0; at < revisionOf.length; at++) {
      if (revisionOf[at] >= boundary) continue
      revisionOf[kept] = revisionOf[at]
      this.subOf[kept] = this.subOf[at]
      this.textOf[kept] = this.textOf[at]
      this.textLength += this.textOf[at].length
      kept++
    }
    revisionOf.length = this.subOf.length = this.textOf.length = kept
    // A revision so large that little could go: the bound makes room rather than cutting again at the next key.
    this.keysMax = Math.max(this.keysMax, Math.ceil(kept * 1.5))
    this.textMax = Math.max(this.textMax, this.textLength * 1.5)
  }

  /** Sorts what is here, run by run; others may work between the runs. */
  *order(): Slices {
    const { revisionOf } = this
    this.runs = []
    for (let start = 0; start < revisionOf.length; start += RUN_KEYS) {
      const run = new Uint32Array(Math.min(RUN_KEYS, revisionOf.length - start))
      for (let at = 0; at < run.length; at++) run[at] = start + at
      this.runs.push(run.sort((a, b) => revisionOf[a] - revisionOf[b]))
      yield noNeeds
    }
  }

  /** Revisions in ascending order with their keys; only after `order`. */
  *revisions(): Generator<RevisionKeys> {
    const { revisionOf, runs, subOf, textOf } = this
    const heads = new Uint32Array(runs.length)
    for (;;) {
      let revision = Number.POSITIVE_INFINITY
      for (let run = 0; run < runs.length; run++) {
        if (heads[run] < runs[run].length) revision = Math.min(revision, revisionOf[runs[run][heads[run]]])
      }
      if (revision === Number.POSITIVE_INFINITY) return
      const keys = new Map<string, number>()
      for (let run = 0; run < runs.length; run++) {
        for (; heads[run] < runs[run].length; heads[run]++) {
          const at = runs[run][heads[run]]
          if (revisionOf[at] !== revision) break
          keys.set(textOf[at], Math.max(subOf[at], keys.get(textOf[at]) ?? 0))
        }
      }
      yield { revision, keys: keys.size === 1 ? [...keys] : [...keys].sort((a, b) => a[1] - b[1]) }
    }
  }
}

// The few largest of many: what stands behind a slow percentile, by name.
// Owns the choice; a tie keeps what came first, so that one seed gives one list. Bound: `most` entries.

export class Slowest<Entry> {
  readonly entries: Array<{ readonly us: number; readonly entry: Entry }> = []
  private readonly most: number
  private least = -1

  constructor(most = 10) {
    this.most = most
  }

  /** Whether a value of this size would be kept: asked first, so that most entries are never made. */
  wants(us: number): boolean {
    return this.entries.length < this.most || us > this.least
  }

  add(us: number, entry: Entry): void {
    let at = this.entries.length
    while (at > 0 && this.entries[at - 1].us < us) at--
    this.entries.splice(at, 0, { us, entry })
    if (this.entries.length > this.most) this.entries.pop()
    this.least = this.entries[this.entries.length - 1].us
  }

  /** Largest first. */
  list(): ReadonlyArray<Entry> {
    return this.entries.map(({ entry }) => entry)
  }
}

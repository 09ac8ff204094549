// What happened on nodes, in order, for those who keep results and want to know which still hold.
// Owns a ring of the latest changes. Bound: CHANGES_MAX; a reader that lags behind by more starts anew.

/** Changes of the log. */
export const Change = {
  /** A pod came to a node. */
  placed: 1,
  /** A pod left a node. */
  removed: 2,
  /** A pod on a node is being deleted from now on. */
  ending: 3,
  /** What a node offers or has given away is different; its labels and taints are not. */
  room: 4,
  /** A node came, left, or has other labels and taints. */
  node: 5,
  /** Other pods than before are promised a node. */
  promises: 6
} as const

const CHANGES_MAX = 1 << 16

export class ChangeLog {
  private readonly kinds = new Uint8Array(CHANGES_MAX)
  private readonly nodes = new Int32Array(CHANGES_MAX)
  private readonly kin = new Int32Array(CHANGES_MAX)
  /** 1 where the pod that came or left was being deleted. */
  private readonly endings = new Uint8Array(CHANGES_MAX)
  private written = 0

  /** Where a reader that has seen everything stands. */
  get head(): number {
    return this.written
  }

  /** Whether everything since then is still here. */
  reaches(from: number): boolean {
    return this.written - from <= CHANGES_MAX
  }

  write(kind: number, node: number, kin: number, ending: boolean): void {
    const at = this.written % CHANGES_MAX
    this.kinds[at] = kind
    this.nodes[at] = node
    this.kin[at] = kin
    this.endings[at] = ending ? 1 : 0
    this.written++
  }

  /** Shows each change since then. */
  read(from: number, see: (kind: number, node: number, kin: number, ending: boolean) => void): void {
    for (let position = from; position < this.written; position++) {
      const at = position % CHANGES_MAX
      see(this.kinds[at], this.nodes[at], this.kin[at], this.endings[at] === 1)
    }
  }
}

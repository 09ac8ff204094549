// A set of nodes by their numbers that is emptied and filled again and again.
// Owns its memory, which it keeps: a Set makes its table anew with each filling, and thousands of those a minute, each of some KiB, are
// what leaves a heap of small objects full of holes.

const FIRST_SIZE = 64

export class NodeSet {
  private members = new Int32Array(FIRST_SIZE)
  private isIn = new Uint8Array(FIRST_SIZE)
  private size = 0

  add(node: number): void {
    if (node >= this.isIn.length) this.isIn = grown(new Uint8Array(roomFor(node)), this.isIn)
    if (this.isIn[node] === 1) return
    if (this.size === this.members.length) this.members = grown(new Int32Array(2 * this.size), this.members)
    this.isIn[node] = 1
    this.members[this.size++] = node
  }

  /** Visits each node, in the order in which they came; the set must not change meanwhile. */
  each(visit: (node: number) => void): void {
    for (let at = 0; at < this.size; at++) visit(this.members[at])
  }

  clear(): void {
    for (let at = 0; at < this.size; at++) this.isIn[this.members[at]] = 0
    this.size = 0
  }
}

const roomFor = (node: number): number => 2 ** Math.ceil(Math.log2(node + 1))

const grown = <A extends Int32Array | Uint8Array>(larger: A, before: A): A => {
  larger.set(before)
  return larger
}

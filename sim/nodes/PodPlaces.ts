// Which addresses of a machine's block are taken by its pods.
// Owns the places, handed out in turn so that an address rests before it comes again; refuses texts, which NodeGroup.ts has.
// Bound: PLACES pods of a machine have addresses of their own; those beyond share them.

/** Addresses of a machine: as many as `podIp` tells apart. */
export const PLACES = 254

export class PodPlaces {
  /** Pods at each place, by node and place. */
  private readonly taken: Uint8Array
  private readonly next: Uint8Array

  constructor(nodes: number) {
    this.taken = new Uint8Array(nodes * PLACES)
    this.next = new Uint8Array(nodes)
  }

  /** The next place of a node that nobody has; the next one in turn when all are taken. */
  take(node: number): number {
    const start = this.next[node]
    let step = 0
    while (step < PLACES && this.taken[node * PLACES + ((start + step) % PLACES)] !== 0) step++
    const place = (start + step) % PLACES
    this.next[node] = (place + 1) % PLACES
    this.hold(node, place)
    return place
  }

  /** Marks the place of a pod that had it before. */
  hold(node: number, place: number): void {
    const at = node * PLACES + place
    if (this.taken[at] < 255) this.taken[at]++
  }

  free(node: number, place: number): void {
    const at = node * PLACES + place
    if (this.taken[at] > 0) this.taken[at]--
  }
}

// Waiting pods in order, with removal from the middle.
// Owns the heap; its order is given. A pod is in one heap at most, and knows its place in it.
import type { QueuedPod } from "./QueuedPod.ts"

export class PodHeap {
  private readonly heap: Array<QueuedPod> = []
  private readonly isBefore: (a: QueuedPod, b: QueuedPod) => boolean

  constructor(isBefore: (a: QueuedPod, b: QueuedPod) => boolean) {
    this.isBefore = isBefore
  }

  get size(): number {
    return this.heap.length
  }

  all(): ReadonlyArray<QueuedPod> {
    return this.heap
  }

  peek(): QueuedPod | undefined {
    return this.heap[0]
  }

  push(pod: QueuedPod): void {
    pod.heapAt = this.heap.length
    this.heap.push(pod)
    this.up(pod.heapAt)
  }

  pop(): QueuedPod | undefined {
    const first = this.heap[0]
    if (first !== undefined) this.remove(first)
    return first
  }

  remove(pod: QueuedPod): void {
    const { heap } = this
    const at = pod.heapAt
    if (heap[at] !== pod) return
    const last = heap.pop()
    pod.heapAt = -1
    if (last === undefined || last === pod) return
    heap[at] = last
    last.heapAt = at
    this.restore(last)
  }

  /** The pod's order has changed. */
  restore(pod: QueuedPod): void {
    this.up(pod.heapAt)
    this.down(pod.heapAt)
  }

  private up(from: number): void {
    const { heap } = this
    const pod = heap[from]
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]
      if (!this.isBefore(pod, above)) break
      heap[at] = above
      above.heapAt = at
      at = parent
    }
    heap[at] = pod
    pod.heapAt = at
  }

  private down(from: number): void {
    const { heap } = this
    const pod = heap[from]
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && this.isBefore(heap[child + 1], heap[child])) child++
      const below = heap[child]
      if (!this.isBefore(below, pod)) break
      heap[at] = below
      below.heapAt = at
      at = child
    }
    heap[at] = pod
    pod.heapAt = at
  }
}

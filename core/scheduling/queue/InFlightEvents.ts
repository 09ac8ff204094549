// Events that came while pods were being attempted: an attempt's outcome is judged against them, so that none is lost.
// Owns the list and who has seen what. Bound: events are kept from the start of the longest attempt under way, none when there is none.
import type { ClusterEvent } from "./ClusterEvents.ts"
import type { QueuedPod } from "./QueuedPod.ts"

const TRIM_MIN = 256

export class InFlightEvents {
  private readonly pods = new Map<string, QueuedPod>()
  private events: Array<ClusterEvent> = []
  /** The position of the first event that is kept. */
  private base = 0

  get size(): number {
    return this.pods.size
  }

  get(uid: string): QueuedPod | undefined {
    return this.pods.get(uid)
  }

  begin(pod: QueuedPod): void {
    pod.eventsFrom = this.base + this.events.length
    this.pods.set(pod.uid, pod)
  }

  /** Keeps an event, if any attempt is under way. */
  add(event: ClusterEvent): void {
    if (this.pods.size > 0) this.events.push(event)
  }

  /** What came since a pod's attempt began. */
  since(pod: QueuedPod): ReadonlyArray<ClusterEvent> {
    return this.events.slice(Math.max(0, pod.eventsFrom - this.base))
  }

  end(uid: string): void {
    if (!this.pods.delete(uid)) return
    if (this.pods.size === 0) {
      this.base += this.events.length
      this.events = []
      return
    }
    // Pods stand in the order in which their attempts began.
    for (const first of this.pods.values()) {
      const unneeded = first.eventsFrom - this.base
      if (unneeded > TRIM_MIN && unneeded * 2 > this.events.length) {
        this.events = this.events.slice(unneeded)
        this.base = first.eventsFrom
      }
      return
    }
  }
}

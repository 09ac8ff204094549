// What is still to be written into the status of pods that found no node: the newest of each, a few at a time. A thousand pods that wait
// for others to go are attempted again and again, and what is said of each attempt would take the API server's time from the going.
// A promised node does not wait: until the pod shows it, room would be made for it elsewhere again. Owns order and merging; refuses to
// know what is said. Bound: one entry for each pod that waits for a node.
import type { KubeObject } from "#kube"
import { uidOf } from "../pod/PodFields.ts"
import type { ConditionText, PodStatusWriter } from "./PodStatusWriter.ts"

/** Writes under way beside promises: as many as kube-scheduler's dispatcher of calls has. */
const UNDER_WAY_MAX = 16

interface Entry {
  readonly pod: KubeObject
  readonly condition: ConditionText
  readonly promised: string | undefined
}

export class StatusQueue {
  private readonly writer: PodStatusWriter
  private readonly waiting = new Map<string, Entry>()
  /** Those that promise a node, or take a promise back. */
  private readonly promises = new Map<string, Entry>()
  private readonly underWay = new Set<string>()
  private going = false

  constructor(writer: PodStatusWriter) {
    this.writer = writer
  }

  /** Takes the place of what is to be said of the pod; a promised node that is not said yet stays, unless there is another. */
  put(pod: KubeObject, condition: ConditionText, promised: string | undefined): void {
    const uid = uidOf(pod)
    const entry = { pod, condition, promised: promised ?? this.promises.get(uid)?.promised }
    if (entry.promised === undefined) this.waiting.set(uid, entry)
    else {
      this.waiting.delete(uid)
      this.promises.set(uid, entry)
    }
    this.go()
  }

  /** What is not under way yet is not to be said any more: the pod has a node. */
  forget(uid: string): void {
    this.waiting.delete(uid)
    this.promises.delete(uid)
  }

  stop(): void {
    this.waiting.clear()
    this.promises.clear()
  }

  private go(): void {
    // A write that would change nothing has ended before it returns.
    if (this.going) return
    this.going = true
    this.fill()
    this.going = false
  }

  private fill(): void {
    for (const [uid, entry] of this.promises) if (!this.underWay.has(uid)) this.write(uid, entry, this.promises)
    for (const [uid, entry] of this.waiting) {
      if (this.underWay.size >= UNDER_WAY_MAX) return
      if (!this.underWay.has(uid)) this.write(uid, entry, this.waiting)
    }
  }

  private write(uid: string, { condition, pod, promised }: Entry, from: Map<string, Entry>): void {
    from.delete(uid)
    this.underWay.add(uid)
    this.writer.write(pod, condition, promised, () => {
      this.underWay.delete(uid)
      this.go()
    })
  }
}

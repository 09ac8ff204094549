// How long a server takes for what it is asked, and how late it tells watchers, as it was measured on a real one: by verb, resource and
// scope. Without it a simulated server's own computing takes no virtual time.
// Owns drawing these times and the queue before processors that calls and the telling of watchers keep busy; refuses to know where they
// were measured. Calls overtake one another, the events of one watch never do.
import { type Collection, groupResource, type GroupVersionResource, type Target } from "#kube"
import type { RandomStream } from "../time/RandomStream.ts"
import { drawLatency, type Latency, medianOf } from "./Latency.ts"
import type { Lane } from "./SimConnection.ts"

/** A lane of a call; `answer` is told what is answered and gives the lane of the way back, where that takes time as well. */
export interface CallLane extends Lane {
  readonly answer?: (answer: unknown) => Lane | undefined
}

/** What a measured list was: so many objects in an answer, and the share of its time that does not depend on them. */
export interface MeasuredList {
  readonly items: number
  readonly fixedShare: number
}

export type PacedVerb = "get" | "list" | "create" | "update" | "patch" | "delete" | "deletecollection"

/** Times by name: "create pods/binding", "list pods (cluster)", "list pods (namespace)"; "create *" stands for what is not named. */
export interface ServerTimes {
  readonly calls: Readonly<Record<string, Latency>>
  /** By the names of lists: a list of twice as many objects takes twice the rest of its time. Default: of any size alike. */
  readonly lists?: Readonly<Record<string, MeasuredList>>
  /** By resource: "pods"; "*" stands for what is not named. */
  readonly events: Readonly<Record<string, Latency>>
  /** Processors of the control plane: a call waits for one, in the order in which calls come. Default: without bound. */
  readonly atOnce?: number
  /**
   * How long a call keeps a processor busy, for each ms that such calls take at the median: the store, watchers, controllers and
   * callers that it makes work may keep it busy longer than its caller waits. Default: as long as the very call takes.
   */
  readonly workShare?: number
  /** How long telling one watcher of one change keeps a processor busy, in ms, the watcher's reading included. Default: 0. */
  readonly eventMs?: number
}

/** The name of a kind of calls, as reports and calibrations have it. */
export const callKind = (verb: PacedVerb, place: Collection | Target): string => {
  const { namespace, resource } = place
  const subresource = "subresource" in place ? place.subresource : undefined
  const plain = groupResource(resource)
  const name = subresource === undefined ? plain : `${plain}/${subresource}`
  if (verb !== "list" && verb !== "deletecollection") return `${verb} ${name}`
  return `${verb} ${name} (${namespace === "" ? "cluster" : "namespace"})`
}

/** Events of one watch this close to one another are late together: what holds one of them up holds all. */
const TOGETHER_MS = 10

/**
 * Writes that a call makes one after another, each of which waits anew; others make one. A kubelet's deletion writes that no time is left
 * and then deletes; an eviction takes one of the budget, marks the pod, and writes when it has to be gone.
 */
const WRITES: Readonly<Record<string, number>> = { "delete pods": 2, "create pods/eviction": 3 }

/** The wait for processors that all share, by the wait in a line before them (M/D/1, and a batch). */
const SHARED = 2

/** Objects in the answer of a list; undefined for any other answer. */
export const itemsIn = (answer: unknown): number | undefined =>
  typeof answer === "object" && answer !== null && "items" in answer && Array.isArray(answer.items)
    ? answer.items.length
    : undefined

export class ServerPace {
  private readonly times: ServerTimes
  private readonly random: RandomStream
  /** When each processor is free again; none where they have no bound. */
  private readonly freeAtMs: Float64Array
  /** Which of them tells the next watcher. */
  private teller = 0
  /** When all events so far have been told. */
  private toldMs = 0
  /** By the resource's object, which clients keep as a constant; undefined once looked up in vain. */
  private readonly lanes = new Map<GroupVersionResource, Map<string, (() => CallLane) | undefined>>()

  constructor(times: ServerTimes, random: RandomStream) {
    this.times = times
    this.random = random
    this.freeAtMs = new Float64Array(times.atOnce ?? 0)
  }

  /** The lane of a call's way to the server: it is done once the server's time has passed. */
  call(verb: PacedVerb, place: Collection | Target): CallLane | undefined {
    const subresource = "subresource" in place ? (place.subresource ?? "") : ""
    const key = `${verb} ${subresource} ${place.namespace === ""}`
    let ofResource = this.lanes.get(place.resource)
    if (ofResource === undefined) this.lanes.set(place.resource, (ofResource = new Map()))
    if (!ofResource.has(key)) ofResource.set(key, this.laneOf(callKind(verb, place), `${verb} *`))
    return ofResource.get(key)?.()
  }

  private laneOf(kind: string, others: string): (() => CallLane) | undefined {
    const { random } = this
    const { calls, lists = {}, workShare } = this.times
    const name = calls[kind] === undefined ? others : kind
    const latency = calls[name]
    if (latency === undefined) return undefined
    const usualMs = medianOf(latency)
    const workMs = (takesMs: number): number => (workShare === undefined ? takesMs : usualMs * workShare)
    const list = lists[name]
    if (list === undefined) {
      const waits = WRITES[kind] ?? 1
      const arrivalMs = (wayMs: number): number => {
        const takesMs = drawLatency(latency, random)
        return this.endOf(wayMs, takesMs, workMs(takesMs), waits)
      }
      const lane = { arrivalMs }
      return () => lane
    }
    return () => {
      const takesMs = drawLatency(latency, random)
      const fixedMs = takesMs * list.fixedShare
      return {
        arrivalMs: (wayMs) => this.endOf(wayMs, fixedMs, workMs(takesMs) * list.fixedShare),
        answer: (answer) => {
          // What a list holds is written out, and read by its caller.
          const share = ((1 - list.fixedShare) * (itemsIn(answer) ?? 0)) / list.items
          return { arrivalMs: (wayMs) => this.endOf(wayMs, takesMs * share, workMs(takesMs) * share) }
        }
      }
    }
  }

  /**
   * When a call that comes then and takes so long is done: it waits for the work that is there, and adds its own. Processors are shared
   * and not taken in turn: who comes later slows those before, which is twice the wait in a line on average, whether calls come at random
   * or all at once.
   */
  private endOf(comesMs: number, takesMs: number, workMs: number, waits = 1): number {
    const { freeAtMs } = this
    if (freeAtMs.length === 0) return comesMs + takesMs
    let first = 0
    for (let place = 1; place < freeAtMs.length; place++) if (freeAtMs[place] < freeAtMs[first]) first = place
    const lineMs = Math.max(0, freeAtMs[first] - comesMs)
    freeAtMs[first] = comesMs + lineMs + workMs
    return comesMs + SHARED * waits * lineMs + takesMs
  }

  /** When a watcher's turn is over to whom an event is told then: events wait for one another, and calls for them. */
  private told(wayMs: number): number {
    const { freeAtMs, teller } = this
    const { eventMs = 0 } = this.times
    if (freeAtMs.length === 0 || eventMs === 0) return wayMs
    freeAtMs[teller] = Math.max(freeAtMs[teller], wayMs) + eventMs
    this.teller = (teller + 1) % freeAtMs.length
    return (this.toldMs = Math.max(this.toldMs, wayMs) + eventMs / freeAtMs.length)
  }

  /** A lane of its own for one watch, in whose order its events stay. */
  watch({ resource }: Collection): Lane | undefined {
    const latency = this.times.events[groupResource(resource)] ?? this.times.events["*"]
    if (latency === undefined) return undefined
    let [drawnAtMs, delayMs, lastMs] = [Number.NEGATIVE_INFINITY, 0, 0]
    const arrivalMs = (wayMs: number): number => {
      if (wayMs - drawnAtMs > TOGETHER_MS) {
        drawnAtMs = wayMs
        delayMs = drawLatency(latency, this.random)
      }
      return (lastMs = Math.max(lastMs, this.told(wayMs) + delayMs))
    }
    return { arrivalMs }
  }
}

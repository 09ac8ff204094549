// How long a server takes for what it is asked, and how late it tells watchers, as it was measured on a real one: by verb, resource and
// scope. Without it a simulated server's own computing takes no virtual time.
// Owns drawing these times and the queue before a server that works on so many calls at once; refuses to know where they were measured.
// Calls overtake one another, the events of one watch never do.
import { type Collection, groupResource, type GroupVersionResource, type Target } from "#kube"
import type { RandomStream } from "../time/RandomStream.ts"
import { drawLatency, type Latency } from "./Latency.ts"
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
  /** Calls that the server works on at once; more wait for a place, in the order in which they come. Default: without bound. */
  readonly atOnce?: number
  /**
   * How long a write holds its place, in ms: the store, the watchers and the controllers that it makes work may hold it longer than its
   * caller waits, or shorter. Default: as long as the call takes, which holds for reads in any case, up to this long.
   */
  readonly workMs?: number
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

/** What an eviction writes: the budget, the pod's condition, the deletion. */
const EVICTION = "create pods/eviction"
const EVICTION_WRITES = 3

/** Events of one watch this close to one another are late together: what holds one of them up holds all. */
const TOGETHER_MS = 10

/** Objects in the answer of a list; undefined for any other answer. */
export const itemsIn = (answer: unknown): number | undefined =>
  typeof answer === "object" && answer !== null && "items" in answer && Array.isArray(answer.items)
    ? answer.items.length
    : undefined

export class ServerPace {
  private readonly times: ServerTimes
  private readonly random: RandomStream
  /** When each of the server's places is free again; none where it has no bound. */
  private readonly freeAtMs: Float64Array
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
    const { calls, lists = {}, workMs = Number.POSITIVE_INFINITY } = this.times
    const name = calls[kind] === undefined ? others : kind
    const latency = calls[name]
    if (latency === undefined) return undefined
    const list = lists[name]
    if (list === undefined) {
      const isRead = name.startsWith("get ")
      const writes = kind === EVICTION ? EVICTION_WRITES : 1
      const arrivalMs = (wayMs: number): number => {
        const takesMs = drawLatency(latency, random)
        return this.endOf(wayMs, takesMs, isRead ? Math.min(takesMs, workMs) : writes * (this.times.workMs ?? takesMs))
      }
      const lane = { arrivalMs }
      return () => lane
    }
    return () => {
      const takesMs = drawLatency(latency, random)
      const fixedMs = takesMs * list.fixedShare
      return {
        arrivalMs: (wayMs) => this.endOf(wayMs, fixedMs, Math.min(fixedMs, workMs)),
        answer: (answer) => {
          const restMs = ((takesMs - fixedMs) * (itemsIn(answer) ?? 0)) / list.items
          // What a list holds is written out, which is work.
          return { arrivalMs: (wayMs) => this.endOf(wayMs, restMs, restMs) }
        }
      }
    }
  }

  /** When a call that comes then and takes so long is done: it waits for the place that is free first, and holds it while it is worked on. */
  private endOf(comesMs: number, takesMs: number, workMs: number): number {
    const { freeAtMs } = this
    if (freeAtMs.length === 0) return comesMs + takesMs
    let first = 0
    for (let place = 1; place < freeAtMs.length; place++) if (freeAtMs[place] < freeAtMs[first]) first = place
    const beginMs = Math.max(comesMs, freeAtMs[first])
    freeAtMs[first] = beginMs + workMs
    return beginMs + takesMs
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
      return (lastMs = Math.max(lastMs, wayMs + delayMs))
    }
    return { arrivalMs }
  }
}

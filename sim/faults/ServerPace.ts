// How long a server takes for what it is asked, and how late it tells watchers, as it was measured on a real one: by verb, resource and
// scope. Without it a simulated server's own computing takes no virtual time.
// Owns drawing these times and the queue before a server that works on so many calls at once; refuses to know where they were measured.
// Calls overtake one another, the events of one watch never do.
import { type Collection, groupResource, type GroupVersionResource, type Target } from "#kube"
import type { RandomStream } from "../time/RandomStream.ts"
import { drawLatency, type Latency } from "./Latency.ts"
import type { Lane } from "./SimConnection.ts"

export type PacedVerb = "get" | "list" | "create" | "update" | "patch" | "delete" | "deletecollection"

/** Times by name: "create pods/binding", "list pods (cluster)", "list pods (namespace)"; "create *" stands for what is not named. */
export interface ServerTimes {
  readonly calls: Readonly<Record<string, Latency>>
  /** By resource: "pods"; "*" stands for what is not named. */
  readonly events: Readonly<Record<string, Latency>>
  /** Calls that the server works on at once; more wait for a place, in the order in which they come. Default: without bound. */
  readonly atOnce?: number
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

export class ServerPace {
  private readonly times: ServerTimes
  private readonly random: RandomStream
  /** When each of the server's places is free again; none where it has no bound. */
  private readonly freeAtMs: Float64Array
  /** By the resource's object, which clients keep as a constant; undefined once looked up in vain. */
  private readonly lanes = new Map<GroupVersionResource, Map<string, Lane | undefined>>()

  constructor(times: ServerTimes, random: RandomStream) {
    this.times = times
    this.random = random
    this.freeAtMs = new Float64Array(times.atOnce ?? 0)
  }

  /** The lane of a call's way to the server: it is done once the server's time has passed. */
  call(verb: PacedVerb, place: Collection | Target): Lane | undefined {
    const subresource = "subresource" in place ? (place.subresource ?? "") : ""
    const key = `${verb} ${subresource} ${place.namespace === ""}`
    let ofResource = this.lanes.get(place.resource)
    if (ofResource === undefined) this.lanes.set(place.resource, (ofResource = new Map()))
    if (ofResource.has(key)) return ofResource.get(key)
    const latency = this.times.calls[callKind(verb, place)] ?? this.times.calls[`${verb} *`]
    const { random } = this
    const lane = latency && { arrivalMs: (wayMs: number) => this.endOf(wayMs, drawLatency(latency, random)) }
    ofResource.set(key, lane)
    return lane
  }

  /** When a call that comes then and takes so long is done: it waits for the place that is free first. */
  private endOf(comesMs: number, takesMs: number): number {
    const { freeAtMs } = this
    if (freeAtMs.length === 0) return comesMs + takesMs
    let first = 0
    for (let place = 1; place < freeAtMs.length; place++) if (freeAtMs[place] < freeAtMs[first]) first = place
    return (freeAtMs[first] = Math.max(comesMs, freeAtMs[first]) + takesMs)
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

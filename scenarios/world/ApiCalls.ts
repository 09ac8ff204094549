// How fast the API server answers, as its clients see it in virtual time: one histogram per verb, resource and scope, and the very
// calls that were slowest.
// Owns the measuring wrapper around a client's calls; watches are WatchLag.ts's. Costs a lookup and a histogram entry a call.
// Calls of controllers and schedulers stand apart: where those are real programs nobody measures them, so that they compare with nothing.
import { ApiFailure, type Client, type Collection, type GroupVersionResource, groupResource, type Target } from "#kube"
import { Latency, type RecordedCalls, type SlowCall } from "#reports"
import { itemsIn, MANAGER_NAME, type SimProcess } from "#sim"
import { Slowest } from "./Slowest.ts"
import type { VirtualClock } from "./VirtualClock.ts"

type Verb = RecordedCalls["verb"]
type Scope = RecordedCalls["scope"]

const REFUSED = "connection refused"
/** What a client of a real server says of that. */
const NOBODY = "nothing listens there"

const codeOf = ({ code, message }: ApiFailure): string =>
  message === REFUSED || message.includes(NOBODY) ? REFUSED : String(code)

const controlPlane: ReadonlySet<string> = new Set([MANAGER_NAME, "scheduler"])

/** The times of a call that is being made, and of the one whose answer is being told, in ms since the world began. */
export interface CallTimes {
  readonly sentMs: () => number
  readonly answeredMs: () => number
}

/** All calls of one kind. */
interface Entry {
  readonly by: RecordedCalls["by"]
  readonly verb: Verb
  readonly resource: string
  readonly scope: Scope
  readonly latency: Latency
  readonly errors: Map<string, number>
  readonly slowest: Slowest<SlowCall>
  /** In the answers of lists. */
  items: number
  lists: number
}

const scopeOf = (verb: Verb, { namespace }: Collection): Scope => {
  if (verb !== "list" && verb !== "deletecollection") return "object"
  return namespace === "" ? "cluster" : "namespace"
}

type ByResource = Map<GroupVersionResource, Map<string, Entry>>

export class ApiCalls {
  private readonly clock: VirtualClock
  private readonly entries = new Map<string, Entry>()
  /** By the resource's object, which clients keep as a constant. */
  private readonly byResource: ByResource = new Map()
  private readonly ofControlPlane: ByResource = new Map()

  constructor(clock: VirtualClock) {
    this.clock = clock
  }

  /** The same client, its calls measured; by default in the world's own time. */
  wrap(client: Client, process: SimProcess, times: CallTimes = this.times): Client {
    const by = controlPlane.has(process.name) ? ("control-plane" as const) : undefined
    const timed = <Answer>(verb: Verb, target: Collection | Target, name: string, done: (answer: Answer) => void) => {
      const entry = this.entryOf(by, verb, target)
      const sentMs = times.sentMs()
      return (answer: Answer): void => {
        const us = Math.max(0, times.answeredMs() - sentMs) * 1000
        this.answered(entry, { namespace: target.namespace, name, client: process.name, atMs: sentMs, us }, answer)
        done(answer)
      }
    }
    return {
      get: (target, options, done) => client.get(target, options, timed("get", target, target.name, done)),
      list: (collection, options, done) => client.list(collection, options, timed("list", collection, "", done)),
      watch: (collection, options, listener) => client.watch(collection, options, listener),
      create: (target, object, options, done) =>
        client.create(target, object, options, timed("create", target, object.metadata.name ?? "", done)),
      update: (target, object, options, done) =>
        client.update(target, object, options, timed("update", target, target.name, done)),
      patch: (target, patch, options, done) =>
        client.patch(target, patch, options, timed("patch", target, target.name, done)),
      delete: (target, options, done) => client.delete(target, options, timed("delete", target, target.name, done)),
      deleteCollection: (collection, options, selection, done) =>
        client.deleteCollection(collection, options, selection, timed("deletecollection", collection, "", done))
    }
  }

  /** What was measured, in a stable order. */
  recorded(): ReadonlyArray<RecordedCalls> {
    return [...this.entries.values()]
      .filter(({ latency }) => latency.count > 0)
      .map(({ by, errors, items, latency, lists, resource, scope, slowest, verb }) => ({
        ...(by && { by }),
        verb,
        resource,
        scope,
        answered: latency.count,
        ...(lists > 0 && { items: Number((items / lists).toPrecision(4)) }),
        errors: Object.fromEntries([...errors].toSorted(([left], [right]) => (left < right ? -1 : 1))),
        latency: latency.toRecorded(),
        slowest: slowest.list()
      }))
      .toSorted((left, right) => {
        const [a, b] = [left, right].map((calls) => `${calls.resource} ${calls.verb} ${calls.scope} ${calls.by ?? ""}`)
        return a < b ? -1 : 1
      })
  }

  private readonly times: CallTimes = { sentMs: () => this.clock.nowMs, answeredMs: () => this.clock.nowMs }

  private answered(entry: Entry, call: SlowCall, answer: unknown): void {
    if (answer instanceof ApiFailure) {
      const code = codeOf(answer)
      entry.errors.set(code, (entry.errors.get(code) ?? 0) + 1)
      // Nobody answered: a server that is down would look like a fast one.
      if (code === REFUSED) return
    }
    const items = itemsIn(answer)
    if (items !== undefined) {
      entry.items += items
      entry.lists++
    }
    entry.latency.record(call.us)
    if (entry.slowest.wants(call.us)) entry.slowest.add(call.us, call)
  }

  private entryOf(by: Entry["by"], verb: Verb, target: Collection | Target): Entry {
    const { resource } = target
    const subresource = "subresource" in target ? target.subresource : undefined
    const scope = scopeOf(verb, target)
    const key = subresource === undefined ? `${verb} ${scope}` : `${verb} ${scope} ${subresource}`
    const all = by === undefined ? this.byResource : this.ofControlPlane
    let ofResource = all.get(resource)
    if (ofResource === undefined) all.set(resource, (ofResource = new Map()))
    const known = ofResource.get(key)
    if (known !== undefined) return known
    const plain = groupResource(resource)
    const name = subresource === undefined ? plain : `${plain}/${subresource}`
    const shared = `${name} ${key} ${by ?? ""}`
    let entry = this.entries.get(shared)
    if (entry === undefined) {
      const empty = { latency: new Latency(), errors: new Map(), slowest: new Slowest<SlowCall>(), items: 0, lists: 0 }
      entry = { by, verb, resource: name, scope, ...empty }
      this.entries.set(shared, entry)
    }
    ofResource.set(key, entry)
    return entry
  }
}

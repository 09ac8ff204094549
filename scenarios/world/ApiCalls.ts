// How fast the API server answers, as its clients see it in virtual time: one histogram per verb, resource and scope, and the very
// calls that were slowest.
// Owns the measuring wrapper around a client's calls; watches are WatchLag.ts's. Costs a lookup and a histogram entry a call.
import { ApiFailure, type Client, type Collection, type GroupVersionResource, groupResource, type Target } from "#kube"
import { Latency, type RecordedCalls, type SlowCall } from "#reports"
import type { SimProcess } from "#sim"
import { Slowest } from "./Slowest.ts"
import type { VirtualClock } from "./VirtualClock.ts"

type Verb = RecordedCalls["verb"]
type Scope = RecordedCalls["scope"]

const REFUSED = "connection refused"

/** All calls of one kind. */
interface Entry {
  readonly verb: Verb
  readonly resource: string
  readonly scope: Scope
  readonly latency: Latency
  readonly errors: Map<string, number>
  readonly slowest: Slowest<SlowCall>
}

const scopeOf = (verb: Verb, { namespace }: Collection): Scope => {
  if (verb !== "list" && verb !== "deletecollection") return "object"
  return namespace === "" ? "cluster" : "namespace"
}

export class ApiCalls {
  private readonly clock: VirtualClock
  private readonly entries = new Map<string, Entry>()
  /** By the resource's object, which clients keep as a constant. */
  private readonly byResource = new Map<GroupVersionResource, Map<string, Entry>>()

  constructor(clock: VirtualClock) {
    this.clock = clock
  }

  /** The same client, its calls measured. */
  wrap(client: Client, process: SimProcess): Client {
    const timed = <Answer>(verb: Verb, target: Collection | Target, name: string, done: (answer: Answer) => void) => {
      const entry = this.entryOf(verb, target)
      const sentMs = this.clock.nowMs
      return (answer: Answer): void => {
        this.answered(entry, target.namespace, name, process.name, sentMs, answer)
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
      .map(({ errors, latency, resource, scope, slowest, verb }) => ({
        verb,
        resource,
        scope,
        answered: latency.count,
        errors: Object.fromEntries([...errors].toSorted(([left], [right]) => (left < right ? -1 : 1))),
        latency: latency.toRecorded(),
        slowest: slowest.list()
      }))
      .toSorted((left, right) => {
        const [a, b] = [left, right].map((calls) => `${calls.resource} ${calls.verb} ${calls.scope}`)
        return a < b ? -1 : 1
      })
  }

  private answered(
    entry: Entry,
    namespace: string,
    name: string,
    client: string,
    sentMs: number,
    answer: unknown
  ): void {
    const us = (this.clock.nowMs - sentMs) * 1000
    if (answer instanceof ApiFailure) {
      const code = answer.message === REFUSED ? REFUSED : String(answer.code)
      entry.errors.set(code, (entry.errors.get(code) ?? 0) + 1)
      // Nobody answered: a server that is down would look like a fast one.
      if (code === REFUSED) return
    }
    entry.latency.record(us)
    if (entry.slowest.wants(us)) entry.slowest.add(us, { namespace, name, client, atMs: sentMs, us })
  }

  private entryOf(verb: Verb, target: Collection | Target): Entry {
    const { resource } = target
    const subresource = "subresource" in target ? target.subresource : undefined
    const scope = scopeOf(verb, target)
    const key = subresource === undefined ? `${verb} ${scope}` : `${verb} ${scope} ${subresource}`
    let ofResource = this.byResource.get(resource)
    if (ofResource === undefined) this.byResource.set(resource, (ofResource = new Map()))
    const known = ofResource.get(key)
    if (known !== undefined) return known
    const plain = groupResource(resource)
    const name = subresource === undefined ? plain : `${plain}/${subresource}`
    const shared = `${name} ${key}`
    let entry = this.entries.get(shared)
    if (entry === undefined) {
      entry = { verb, resource: name, scope, latency: new Latency(), errors: new Map(), slowest: new Slowest() }
      this.entries.set(shared, entry)
    }
    ofResource.set(key, entry)
    return entry
  }
}

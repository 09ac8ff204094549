// Informers against a server that drops watches, forgets its history, fails and takes its time: what they hold is what the server
// holds, and what they tell is what happened. Every failing run names its seed.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import {
  Failures,
  gvr,
  Informer,
  InformerFactory,
  type InformerHandler,
  type KubeObject,
  objectKey,
  ObjectStore,
  parseLabelSelector,
  SelectorInvalid
} from "#kube"
import { FakeServer } from "./FakeServer.ts"
import { VirtualClock } from "./VirtualClock.ts"

const pods = gvr("", "v1", "pods")
const everywhere = { resource: pods, namespace: "" }

const pod = (namespace: string, name: string, spec: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { namespace, name },
  spec: { ...spec }
})

interface Told {
  readonly type: "added" | "updated" | "deleted"
  readonly key: string
  readonly uid: string
  readonly version: number
}

/** What a handler was told, checked on the way: each key is added once, then updated, then deleted, versions only rise. */
class Recorder implements InformerHandler {
  readonly told: Array<Told> = []
  readonly held = new Map<string, KubeObject>()
  readonly #versions = new Map<string, number>()

  added = (object: KubeObject): void => {
    assert.isFalse(this.held.has(objectKey(object)), `${objectKey(object)} was added twice`)
    this.#tell("added", object)
  }

  updated = (before: KubeObject, after: KubeObject): void => {
    assert.strictEqual(this.held.get(objectKey(after)), before, "an update names another state before it")
    assert.strictEqual(before.metadata.uid, after.metadata.uid)
    this.#tell("updated", after)
  }

  deleted = (object: KubeObject): void => {
    assert.isTrue(this.held.has(objectKey(object)), `${objectKey(object)} was not there`)
    this.#tell("deleted", object)
  }

  #tell(type: Told["type"], object: KubeObject): void {
    const key = objectKey(object)
    const uid = object.metadata.uid ?? ""
    const version = Number(object.metadata.resourceVersion)
    const last = this.#versions.get(key) ?? 0
    // A deletion that fell into a pause is told with the last state that was seen.
    assert.isTrue(version > last || (type === "deleted" && version === last), `${key} went from ${last} to ${version}`)
    this.#versions.set(key, version)
    if (type === "deleted") this.held.delete(key)
    else this.held.set(key, object)
    this.told.push({ type, key, uid, version })
  }
}

interface World {
  readonly clock: VirtualClock
  readonly server: FakeServer
  readonly informer: Informer
  readonly recorder: Recorder
}

const world = (seed: number): World => {
  const clock = new VirtualClock(seed)
  const server = new FakeServer(clock)
  const recorder = new Recorder()
  const informer = new Informer({ clockwork: clock, client: server.client, collection: everywhere })
  informer.addHandler(recorder)
  return { clock, server, informer, recorder }
}

const change = ({ clock, server }: World): void => {
  const namespace = `ns-${clock.below(3)}`
  const name = `pod-${clock.below(12)}`
  if (clock.random() < 0.3) server.remove("pods", namespace, name)
  else server.put("pods", pod(namespace, name, { turn: server.revision }))
}

const state = (objects: Iterable<KubeObject>): Record<string, string> =>
  Object.fromEntries(
    [...objects]
      .map((object): [string, string] => [objectKey(object), object.metadata.resourceVersion ?? ""])
      .sort(([a], [b]) => (a < b ? -1 : 1))
  )

const assertConverged = ({ informer, recorder, server }: World): void => {
  const truth = state(server.objects("pods"))
  assert.deepStrictEqual(state(informer.store.all()), truth)
  assert.deepStrictEqual(state(recorder.held.values()), truth)
  const indexed = ["ns-0", "ns-1", "ns-2"].flatMap((namespace) => informer.store.inNamespace(namespace))
  assert.deepStrictEqual(state(indexed), truth)
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 })

describe("Informer", () => {
  it("tells each change exactly once while watches drop and the server forgets nothing", () => {
    fc.assert(
      fc.property(seeds, fc.boolean(), (seed, streaming) => {
        const here = world(seed)
        const { clock, informer, recorder, server } = here
        server.faults.streaming = streaming
        for (let at = 0; at < 20; at++) change(here)
        informer.start()
        clock.run(60_000)
        const start = server.revision
        const before = recorder.told.length
        server.faults.latencyMs = 300
        for (let at = 0; at < 150; at++) {
          change(here)
          if (clock.random() < 0.1) {
            server.dropWatches(1, () => (clock.random() < 0.5 ? undefined : Failures.unavailable("connection reset")))
          }
          server.faults.failing = clock.random() < 0.1 ? 0.7 : 0
          clock.run(clock.random() * 1500)
        }
        server.faults.failing = 0
        clock.run(300_000)
        assertConverged(here)
        const types = { ADDED: "added", MODIFIED: "updated", DELETED: "deleted", BOOKMARK: "" }
        const happened = server.log
          .filter(({ revision }) => revision > start)
          .map(
            ({ event }) => `${types[event.type]} ${objectKey(event.object)} ${event.object.metadata.resourceVersion}`
          )
        const told = recorder.told.slice(before).map(({ key, type, version }) => `${type} ${key} ${version}`)
        assert.deepStrictEqual(told, happened)
      }),
      { numRuns: 60 }
    )
  })

  it("converges whatever the server forgets, drops and refuses, and tells nothing twice", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const here = world(seed)
        const { clock, informer, server } = here
        server.faults.latencyMs = 500
        for (let at = 0; at < 10; at++) change(here)
        informer.start()
        for (let at = 0; at < 200; at++) {
          if (clock.random() < 0.9) change(here)
          if (clock.random() < 0.1) server.compact()
          if (clock.random() < 0.1) server.sendBookmarks()
          if (clock.random() < 0.1) {
            const failure = [
              undefined,
              Failures.expired("gone"),
              Failures.internal("x"),
              Failures.tooManyRequests("x", 1)
            ]
            server.dropWatches(0.7, () => failure[clock.below(failure.length)])
          }
          if (clock.random() < 0.02) server.faults.streaming = false
          server.faults.failing = clock.random() < 0.2 ? 0.8 : 0
          clock.run(clock.random() * 4000)
        }
        server.faults.failing = 0
        clock.run(600_000)
        assertConverged(here)
        change(here)
        clock.run(10_000)
        assertConverged(here)
        assert.isAtMost(server.watchers, 1)
      }),
      { numRuns: 120 }
    )
  })

  it("does the same in every run of a seed", () => {
    const run = (seed: number): ReadonlyArray<Told> => {
      const here = world(seed)
      here.informer.start()
      for (let at = 0; at < 100; at++) {
        change(here)
        if (here.clock.random() < 0.1) here.server.dropWatches(1, () => Failures.expired("gone"))
        here.clock.run(here.clock.random() * 2000)
      }
      return here.recorder.told
    }
    assert.deepStrictEqual(run(7), run(7))
    assert.notDeepEqual(run(7), run(8))
  })

  it("resumes after a bookmark instead of listing again", () => {
    const here = world(1)
    const { clock, informer, server } = here
    server.put("pods", pod("ns-0", "quiet"))
    informer.start()
    clock.run(1000)
    for (let at = 0; at < 10; at++) server.put("nodes", pod("", `node-${at}`))
    server.sendBookmarks()
    clock.run(1000)
    server.compact()
    const calls = server.calls
    server.dropWatches(1, () => undefined)
    clock.run(1000)
    assert.strictEqual(server.calls - calls, 1, "one new watch, no list")
    assert.strictEqual(informer.resourceVersion, String(server.revision))
  })

  it("tells late handlers what is there, and cancelled ones nothing more", () => {
    const here = world(2)
    const { clock, informer, server } = here
    server.put("pods", pod("ns-0", "a"))
    informer.start()
    clock.run(1000)
    const late = new Recorder()
    const cancel = informer.addHandler(late)
    assert.deepStrictEqual(
      late.told.map(({ key, type }) => `${type} ${key}`),
      ["added ns-0/a"]
    )
    server.put("pods", pod("ns-0", "b"))
    clock.run(1000)
    cancel()
    server.put("pods", pod("ns-0", "c"))
    clock.run(1000)
    assert.deepStrictEqual([...late.held.keys()], ["ns-0/a", "ns-0/b"])
    assert.strictEqual(informer.store.size, 3)
  })

  it("tells a deletion and an addition when an object was replaced by another of its name in a pause", () => {
    const here = world(3)
    const { clock, informer, recorder, server } = here
    server.put("pods", pod("ns-0", "a"))
    informer.start()
    clock.run(1000)
    server.faults.failing = 1
    server.dropWatches(1, () => Failures.unavailable("away"))
    server.remove("pods", "ns-0", "a")
    server.put("pods", pod("ns-0", "a"))
    server.compact()
    clock.run(1000)
    server.faults.failing = 0
    clock.run(60_000)
    assert.deepStrictEqual(
      recorder.told.map(({ type }) => type),
      ["added", "deleted", "added"]
    )
    assertConverged(here)
  })

  it("keeps indexes as objects move between their values", () => {
    const clock = new VirtualClock(4)
    const server = new FakeServer(clock)
    const nodeOf = (object: KubeObject): ReadonlyArray<string> => [(object.spec as { node: string }).node]
    const informer = new Informer({
      clockwork: clock,
      client: server.client,
      collection: everywhere,
      indexers: { node: nodeOf }
    })
    informer.start()
    for (let at = 0; at < 500; at++) {
      server.put("pods", pod("ns-0", `p-${clock.below(20)}`, { node: `n-${clock.below(4)}` }))
      if (at % 7 === 0) server.remove("pods", "ns-0", `p-${clock.below(20)}`)
      clock.run(50)
    }
    clock.run(1000)
    for (let node = 0; node < 4; node++) {
      const expected = server.objects("pods").filter((object) => nodeOf(object)[0] === `n-${node}`)
      assert.deepStrictEqual(state(informer.store.byIndex("node", `n-${node}`)), state(expected))
      assert.strictEqual(informer.store.countByIndex("node", `n-${node}`), expected.length)
    }
  })

  it("finds by labels what a selector matches, as looking at every object would", () => {
    const value = fc.constantFrom("", "a", "b")
    const label = fc.constantFrom("app", "tier", "constructor")
    const labels = fc.dictionary(label, value, { maxKeys: 3 })
    const requirement = fc.oneof(
      fc.tuple(label, value).map(([key, one]) => `${key}=${one}`),
      fc.tuple(label, value, value).map(([key, one, other]) => `${key} in (${one},${other})`),
      fc.tuple(label, value).map(([key, one]) => `${key}!=${one}`),
      label
    )
    const change = fc.record({
      namespace: fc.constantFrom("x", "y"),
      name: fc.nat(6).map(String),
      labels: fc.option(labels)
    })
    const selector = fc.tuple(fc.constantFrom("", "x", "y"), fc.array(requirement, { maxLength: 2 }))
    fc.assert(
      fc.property(fc.array(fc.tuple(change, selector), { maxLength: 40 }), (steps) => {
        const store = new ObjectStore()
        for (const [{ labels, name, namespace }, [within, requirements]] of steps) {
          const object = pod(namespace, name)
          if (labels === null) store.delete(objectKey(object))
          else store.set({ ...object, metadata: { ...object.metadata, labels } })
          const asked = parseLabelSelector(requirements.join())
          if (asked instanceof SelectorInvalid) return assert.fail(asked.message)
          const expected = store.inNamespace(within).filter(({ metadata }) => asked.matches(metadata.labels))
          assert.sameMembers([...store.selected(within, asked)], [...expected])
        }
      })
    )
  })

  it("shares informers by what they follow", () => {
    const clock = new VirtualClock(5)
    const server = new FakeServer(clock)
    const factory = new InformerFactory({ clockwork: clock, client: server.client })
    const first = factory.informer(pods)
    assert.strictEqual(factory.informer(pods), first)
    assert.notStrictEqual(factory.informer(pods, { namespace: "a" }), first)
    let synced = 0
    factory.start()
    factory.onSynced(() => synced++)
    assert.isFalse(factory.hasSynced)
    clock.run(1000)
    assert.isTrue(factory.hasSynced)
    assert.strictEqual(synced, 1)
    factory.stop()
    assert.strictEqual(server.watchers, 0)
  })

  it("reads a store page by page when it must, and whole when its pages are gone too soon", () => {
    const here = world(6)
    const { clock, informer, server } = here
    server.faults.streaming = false
    for (let at = 0; at < 1800; at++) server.put("pods", pod("ns-1", `p-${at}`))
    informer.start()
    clock.run(1000)
    const lose = (): number => {
      const calls = server.calls
      server.faults.newest = 1
      server.dropWatches(1, () => Failures.expired("gone"))
      server.compact()
      clock.run(10)
      return calls
    }
    const quiet = lose()
    clock.run(60_000)
    assert.strictEqual(server.calls - quiet, 6, "a list that fails, four pages, a watch")
    lose()
    for (let at = 0; at < 30; at++) {
      server.put("pods", pod("ns-2", `q-${at}`))
      clock.run(3)
    }
    clock.run(60_000)
    assertConverged(here)
  })
})

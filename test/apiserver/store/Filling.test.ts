// A cache that fills from a store of its own process takes the objects that were written there instead of reading them out of their
// texts. Nobody may notice: two more servers are started on a store in use, one of which is given the texts alone.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { ApiFailure, type Client, type Collection, gvr, type KubeObject } from "#kube"
import { inProcessClient, makeApiServer, makeDefinitions } from "#apiserver"
import type { KeyValue } from "../../../core/apiserver/store/KeyValue.ts"
import { inNamespace, named, testDefinitions, World } from "../World.ts"

const configMaps = inNamespace("configmaps", "a")
const pods = inNamespace("pods", "a")
const leases = inNamespace("leases", "a", "coordination.k8s.io")
const widgets: Collection = { resource: gvr("example.com", "v2", "widgets"), namespace: "a" }
const collections = [configMaps, pods, leases, widgets]
const NAMES = ["x", "y", "z"]

const words = fc.dictionary(fc.string({ maxLength: 4 }), fc.string({ maxLength: 4, unit: "binary" }), { maxKeys: 3 })

interface Step {
  readonly collection: Collection
  readonly name: string
  readonly verb: "create" | "update" | "status" | "renew" | "delete"
  readonly words: Readonly<Record<string, string>>
  readonly number: number
}

const steps: fc.Arbitrary<ReadonlyArray<Step>> = fc.array(
  fc.record({
    collection: fc.constantFrom(...collections),
    name: fc.constantFrom(...NAMES),
    verb: fc.constantFrom("create", "create", "update", "status", "renew", "delete"),
    words,
    number: fc.integer()
  }),
  { minLength: 1, maxLength: 30 }
)

// SAFETY: what a client sends; a server says what is wrong with it.
const objectOf = (value: object): KubeObject => value as KubeObject

/** A body with what its kind knows, absent fields that are there as undefined among it. */
const bodyOf = ({ collection, name, number, words }: Step, old: KubeObject | undefined): KubeObject => {
  const metadata = old?.metadata ?? { name, labels: words, annotations: undefined }
  const head: object = { ...old, metadata }
  if (collection === configMaps) return objectOf({ ...head, data: words, immutable: undefined })
  if (collection === widgets) return objectOf({ ...head, size: number })
  if (collection === leases) {
    const renewTime = new Date(Math.abs(number)).toISOString().replace("Z", "000Z")
    const spec = old?.spec as object | undefined
    return objectOf({ ...head, spec: { holderIdentity: name, ...spec, renewTime } })
  }
  return objectOf({ ...head, spec: { words, none: undefined }, status: { number, list: [words, null] } })
}

const live = (world: World, plan: ReadonlyArray<Step>): void => {
  const seen = new Map<string, KubeObject>()
  for (const step of plan) {
    const { collection, name, verb } = step
    const id = `${collection.resource.resource}/${name}`
    const target = named(collection, name)
    const body = bodyOf(step, verb === "create" ? undefined : seen.get(id))
    const answer = world.ask<KubeObject>((done) => {
      if (verb === "create") world.client.create(collection, body, {}, done)
      else if (verb === "delete") world.client.delete(target, {}, done)
      else if (verb === "status") world.client.update({ ...target, subresource: "status" }, body, {}, done)
      else world.client.update(target, body, {}, done)
    })
    if (!(answer instanceof ApiFailure)) seen.set(id, answer)
  }
}

/** Everything that a list and the beginning of a watch say, field by field. */
const seenBy = (world: World, client: Client): ReadonlyArray<string> =>
  collections.flatMap((collection) => {
    const list = world.must((done) => client.list(collection, {}, done))
    const events: Array<unknown> = []
    const stop = client.watch(
      collection,
      {},
      { event: (event) => events.push(event), ended: (end) => events.push(end) }
    )
    world.clockwork.settle()
    stop()
    return [JSON.stringify(list), JSON.stringify(events)]
  })

describe("a cache that fills", () => {
  it("takes what this process wrote for what the store's texts say", () => {
    let taken = 0
    fc.assert(
      fc.property(steps, (plan) => {
        const world = new World()
        live(world, plan)
        const told = (keyValue: KeyValue): ReadonlyArray<string> => {
          const definitions = makeDefinitions(testDefinitions)
          const compaction = { intervalMs: 0 }
          const server = makeApiServer({ clockwork: world.clockwork, definitions, compaction, keyValue })
          return seenBy(world, inProcessClient(server, { name: "admin", groups: ["system:masters"] }))
        }
        const texts: KeyValue = {
          ...world.keyValue,
          page: (prefix, start, limit, revision, done) =>
            world.keyValue.page(prefix, start, limit, revision, (page) => {
              if (page instanceof Error) return done(page)
              taken += page.entries.filter(({ origin }) => origin !== undefined).length
              const entries = page.entries.map(({ key, revision, value }) => ({ key, revision, value }))
              done({ ...page, entries })
            })
        }
        assert.deepStrictEqual(told(world.keyValue), told(texts))
      }),
      { numRuns: 60 }
    )
    assert.isAbove(taken, 0)
  })
})

// Extenders: what they keep, score, spare and bind decides; what they fail at fails the attempt unless they may be ignored.
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, assert, describe, it } from "vitest"
import { Extender, ExtenderFailure, extenderTransport, type ExtenderTransport } from "#scheduling"
import { node, pod } from "./Objects.ts"
import { SchedulerWorld } from "./SchedulerWorld.ts"

const gpu = { "example.com/gpu": "1" }

type Fields = ConstructorParameters<typeof Extender>[0]
type Body = {
  readonly nodenames?: ReadonlyArray<string>
  readonly pod: { readonly metadata: { readonly name: string } }
}

/** An extender that answers from a function, in a later turn of the world. */
const answering = (
  world: () => SchedulerWorld,
  fields: Partial<Fields>,
  answer: (verb: string, body: Body) => unknown
): { readonly extender: Extender; readonly asked: Array<string> } => {
  const asked: Array<string> = []
  const transport: ExtenderTransport = {
    post: (url, body, _, done) => {
      const verb = url.slice(url.lastIndexOf("/") + 1)
      asked.push(verb)
      world()
        .kernel.process("extender")
        .clockwork.after(20, () => {
          const json = answer(verb, body as Body)
          done(json === undefined ? new ExtenderFailure("no answer") : { json })
        })
    }
  }
  const all = { urlPrefix: "http://extender", nodeCacheCapable: true, ...fields }
  return { extender: new Extender(all, transport), asked }
}

const worldWith = (seed: number, fields: Partial<Fields>, answer: (verb: string, body: Body) => unknown) => {
  let world: SchedulerWorld | undefined
  const { asked, extender } = answering(() => world!, fields, answer)
  world = new SchedulerWorld(seed, { extenders: [extender] })
  return { world, asked }
}

describe("an extender", () => {
  it("narrows down nodes and adds to their scores", () => {
    const { asked, world } = worldWith(
      21,
      { filterVerb: "filter", prioritizeVerb: "score", weight: 5 },
      (verb, { nodenames = [] }) =>
        verb === "filter"
          ? { nodenames: nodenames.filter((name) => name !== "n0"), failedNodes: { n0: "not this one" } }
          : nodenames.map((host) => ({ host, score: host === "n3" ? 10 : 1 }))
    )
    world.createAll(Array.from({ length: 4 }, (_, at) => node(`n${at}`)))
    world.createAll([pod("a"), pod("b"), pod("c")])
    world.run(3000)
    assert.deepStrictEqual(new Set(["a", "b", "c"].map((name) => world.nodeOf(name))), new Set(["n3"]))
    assert.deepStrictEqual(asked, ["filter", "score", "filter", "score", "filter", "score"])
  })

  it("that turns all nodes down says why, and is asked again when it may have changed its mind", () => {
    let open = false
    const { world } = worldWith(22, { filterVerb: "filter" }, (_, { nodenames = [] }) =>
      open
        ? { nodenames }
        : { nodenames: [], failedNodes: Object.fromEntries(nodenames.map((name) => [name, "the extender is full"])) }
    )
    world.createAll([node("n0"), node("n1")])
    world.create(pod("p"))
    world.run(2000)
    assert.match(world.conditionOf("p")?.message ?? "", /^0\/2 nodes are available: 2 the extender is full\./)
    open = true
    world.create(node("n2"))
    world.run(15_000)
    assert.isString(world.nodeOf("p"))
  })

  it("that fails holds pods up, unless it may be ignored or is not interested", () => {
    const strict = worldWith(
      23,
      { filterVerb: "filter", managedResources: [{ name: "example.com/gpu" }] },
      () => undefined
    )
    strict.world.create(node("n", { allocatable: { "example.com/gpu": "4" } }))
    strict.world.createAll([
      pod("plain"),
      pod("gpu", { spec: { containers: [{ name: "c", image: "i", resources: { limits: gpu, requests: gpu } }] } })
    ])
    strict.world.run(3000)
    assert.strictEqual(strict.world.nodeOf("plain"), "n")
    assert.isUndefined(strict.world.nodeOf("gpu"))
    assert.deepInclude(strict.world.conditionOf("gpu"), { reason: "SchedulerError", message: "no answer" })
    const lax = worldWith(24, { filterVerb: "filter", ignorable: true }, () => undefined)
    lax.world.create(node("n"))
    lax.world.create(pod("p"))
    lax.world.run(3000)
    assert.strictEqual(lax.world.nodeOf("p"), "n")
  })

  it("binds in the scheduler's place", () => {
    const bound: Array<unknown> = []
    const { world } = worldWith(25, { bindVerb: "bind" }, (_, body) => {
      bound.push(body)
      return {}
    })
    world.create(node("n"))
    world.create(pod("p"))
    world.run(3000)
    assert.lengthOf(bound, 1)
    assert.deepInclude(bound[0], { podName: "p", podNamespace: "default", node: "n" })
  })

  it("may drop candidates of a preemption", () => {
    const { world } = worldWith(26, { preemptVerb: "preempt" }, (_, body) => {
      const { nodeNameToMetaVictims: victims } = body as unknown as {
        nodeNameToMetaVictims: Record<string, unknown>
      }
      return { nodeNameToMetaVictims: { n1: victims["n1"] } }
    })
    world.createAll([node("n0", { allocatable: { cpu: "1" } }), node("n1", { allocatable: { cpu: "1" } })])
    world.createAll([pod("a", { requests: { cpu: "1" } }), pod("b", { requests: { cpu: "1" } })])
    world.run(2000)
    world.create(pod("high", { requests: { cpu: "1" }, spec: { priority: 10 } }))
    world.run(2000)
    assert.match(world.conditionOf("high")?.message ?? "", /found a potential placement for pod on node n1/)
  })
})

describe("the transport", () => {
  let server: Server | undefined
  afterEach(() => void server?.close())

  const serve = (status: number, text: string): Promise<string> =>
    new Promise((resolve) => {
      server = createServer((request, response) => {
        request.resume().on("end", () => response.writeHead(status).end(text))
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server!.address() as AddressInfo
        resolve(`http://127.0.0.1:${port}`)
      })
    })

  const post = (urlPrefix: string): Promise<{ readonly json: unknown } | ExtenderFailure> =>
    new Promise((resolve) => {
      extenderTransport({ urlPrefix }).post(`${urlPrefix}/x`, { a: 1 }, 2000, resolve)
    })

  it("posts JSON, and tells what went wrong", async () => {
    assert.deepStrictEqual(await post(await serve(200, `{"ok":true}`)), { json: { ok: true } })
    server?.close()
    const refused = await post(await serve(503, "no"))
    assert.match(refused instanceof ExtenderFailure ? refused.message : "", /code 503$/)
    server?.close()
    const garbled = await post(await serve(200, "<html>"))
    assert.match(garbled instanceof ExtenderFailure ? garbled.message : "", /answers no JSON$/)
    assert.instanceOf(await post("http://127.0.0.1:1"), ExtenderFailure)
  })
})

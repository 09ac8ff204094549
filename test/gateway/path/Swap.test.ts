// Change under load: a hundred swaps of every kind cost not one short request, and what lasts ends in good order.
import { Redacted } from "effect"
import { once } from "node:events"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type Pair, Pki } from "./Pki.ts"
import { askOn, changed, clusterOf, eventually, everything, Gateway } from "./Rig.ts"
import { ScriptedUpstream } from "./ScriptedUpstream.ts"

describe("swaps", () => {
  let pki: Pki
  let alice: Pair
  let gateway: Gateway
  let upstreams: ReadonlyArray<ScriptedUpstream>
  let pairs: ReadonlyArray<Pair>
  const headers = { ":authority": "a.example" }

  beforeAll(async () => {
    pki = await Pki.make("the one ca")
    const serving = await pki.sign({ name: "upstream", dns: ["upstream"] })
    alice = await pki.sign({ name: "alice" })
    gateway = await Gateway.open(await pki.sign({ name: "gateway" }))
    upstreams = await Promise.all([0, 1, 2].map(() => new ScriptedUpstream(serving, pki.ca).open()))
    pairs = await Promise.all([0, 1, 2].map((n) => pki.sign({ name: `credential ${n}` })))
  })
  afterAll(async () => {
    await gateway.close()
    await Promise.all(upstreams.map((upstream) => upstream.kill()))
  })

  it("of endpoints, credentials, certificates, policies and times lose no request", { timeout: 120_000 }, async () => {
    const urls = upstreams.map(({ url }) => url)
    let cluster = clusterOf("a.example", urls, pki)
    gateway.snapshots.set(cluster)
    await gateway.ready()
    const load = { stop: false }
    const failures: Array<string> = []
    let done = 0
    const worker = async (turn: number): Promise<void> => {
      let session = gateway.session("a.example", alice)
      for (let n = 0; !load.stop; n++) {
        // Some connections are new, so that handshakes meet the swaps as well.
        if (n % 20 === 19) {
          session.destroy()
          session = gateway.session("a.example", alice)
        }
        const write = n % 4 === 3
        const more = write ? { method: "POST", body: "b", headers: { ...headers, "content-length": 1 } } : { headers }
        const answer = await askOn(session, `/api/v1/pods?w=${turn}&n=${n}`, more)
        done++
        if (answer.status !== 200 || answer.rst !== 0) failures.push(`${answer.status} ${answer.rst} ${answer.body}`)
      }
      session.destroy()
    }
    const workers = Array.from({ length: 6 }, (_, turn) => worker(turn))
    const all = cluster.endpoints
    const kinds: ReadonlyArray<(n: number) => Parameters<typeof changed>[1]> = [
      (n) => ({ endpoints: all.filter((_, at) => at !== n % 3) }),
      (n) => ({ endpoints: all.map((each, at) => ({ ...each, disabled: at === n % 3 })) }),
      (n) => ({ endpoints: all.map((each, at) => ({ ...each, weight: 1 + ((n + at) % 3) })) }),
      (n) => {
        const { cert, key } = pairs[n % 3]
        return { client: { keyPair: { cert, key: Redacted.make(key) }, token: Redacted.make(`token ${n}`) } }
      },
      (n) => {
        const { cert, key } = pairs[n % 3]
        return { serving: { keyPair: { cert, key: Redacted.make(key) } } }
      },
      (n) => ({ policyOf: () => ({ ...everything, index: n, subset: [urls[n % 2] ?? "", urls[2] ?? ""] }) }),
      (n) => ({ authentication: { tokenSuccessTtlMs: 1000 + n }, retry: { attempts: 3 + (n % 2) } }),
      (n) => ({ timeouts: { responseHeaderMs: 20_000 + n, drainMs: 1000 }, health: { intervalMs: 100 + n } })
    ]
    for (let n = 0; n < 104; n++) {
      const before = done
      const kind = kinds[n % kinds.length]
      cluster = changed(cluster, kind(n))
      gateway.snapshots.set(cluster)
      await eventually(() => done > before + 3, "requests went on")
    }
    load.stop = true
    await Promise.all(workers)
    assert.deepEqual(failures, [])
    assert.isAbove(done, 400)
    assert.deepEqual(gateway.defects, [])
    const shown = new Set(upstreams.flatMap(({ seen }) => seen.map(({ shownBy }) => shownBy)))
    assert.isAbove(shown.size, 2, "credentials were really changed")
  })

  it("that take an endpoint away let its watches end cleanly between two events, in time", async () => {
    const [first] = upstreams as [ScriptedUpstream]
    const cluster = clusterOf("a.example", [first.url], pki, { timeouts: { drainMs: 600 } })
    gateway.snapshots.set(cluster)
    await gateway.ready()
    first.script = (_, response) => {
      response.writeHead(200, { "content-type": "application/json" })
      response.write('{"type":"ADDED"}\n')
    }
    const session = gateway.session("a.example", alice)
    const stream = session.request({ ...headers, ":path": "/api/v1/pods?watch=1" })
    let text = ""
    stream.on("data", (chunk: Buffer) => (text += String(chunk)))
    await once(stream, "response")
    await eventually(() => text.endsWith("\n"), "the event came")
    gateway.snapshots.set(changed(cluster, { endpoints: [] }))
    if (!stream.closed) await new Promise((resolve) => stream.once("close", resolve))
    assert.equal(stream.rstCode, 0)
    assert.equal(text, '{"type":"ADDED"}\n')
    session.destroy()
  })

  it("that make a cluster anew forget the users of the old one", async () => {
    const [first] = upstreams as [ScriptedUpstream]
    first.script = (_, response) => void response.end("ok")
    first.whoIs = () => ({ authenticated: true, user: { username: "bob" } })
    gateway.snapshots.set(clusterOf("a.example", [first.url], pki))
    const asked = { headers: { authorization: "Bearer remembered" } }
    assert.equal((await gateway.ask("a.example", "/api/v1/pods", asked)).status, 200)
    first.whoIs = () => ({ authenticated: false })
    assert.equal((await gateway.ask("a.example", "/api/v1/pods", asked)).status, 200)
    gateway.snapshots.set(clusterOf("a.example", [first.url], pki))
    assert.equal((await gateway.ask("a.example", "/api/v1/pods", asked)).status, 401)
  })
})

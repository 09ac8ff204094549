// Where configuration comes from: a folder whose files change, and a server of this process; and the statuses that go back to it.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import {
  ConfigStore,
  followFolder,
  ManifestInvalid,
  noFeatures,
  parseManifests,
  StatusReporter,
  type UpstreamCluster
} from "#gateway"
import {
  type ApiFailure,
  applyMergePatch,
  type Client,
  Failures,
  type Json,
  type JsonObject,
  type KubeObject,
  type Patch
} from "#kube"
import { VirtualClock } from "../../kube/VirtualClock.ts"
import { base64, cluster, secret } from "./Manifests.ts"

const folders: Array<string> = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** A folder that is followed, in virtual time. */
const follow = (files: Readonly<Record<string, string>>) => {
  const folder = mkdtempSync(join(tmpdir(), "gateway-config-"))
  folders.push(folder)
  const clock = new VirtualClock(1)
  const store = new ConfigStore({ clockwork: clock, features: noFeatures })
  const problems: Array<string> = []
  let written = 0
  const write = (name: string, text: string): void => {
    // Another inode each time, as editors and mounted ConfigMaps have it.
    writeFileSync(join(folder, `.new-${++written}`), text)
    renameSync(join(folder, `.new-${written}`), join(folder, name))
  }
  for (const [name, text] of Object.entries(files)) write(name, text)
  const onProblem = (file: string, message: string): void =>
    void problems.push(`${file.slice(folder.length)}: ${message}`)
  const source = followFolder({ folder, clockwork: clock, store, onProblem })
  clock.run(1)
  return {
    store,
    problems,
    write,
    remove: (name: string) => rmSync(join(folder, name)),
    look: () => clock.run(1001),
    source,
    served: (name: string): UpstreamCluster | undefined => store.current().clusters.get(name)
  }
}

const yaml = (...objects: ReadonlyArray<KubeObject>): string =>
  objects.map((object) => `---\n${JSON.stringify(object)}\n`).join("")

describe("a folder", () => {
  it("is read at once, and again when it changes", () => {
    const { look, remove, served, source, store, write } = follow({
      "a.yaml": yaml(cluster("a")),
      "b.json": JSON.stringify(cluster("b")),
      "notes.txt": "no manifest"
    })
    assert.isTrue(source.isSynced())
    assert.deepStrictEqual([...store.current().clusters.keys()], ["a", "b"])
    assert.strictEqual(served("a")?.generation, 1)
    write("a.yaml", yaml(cluster("a", { balancing: { connectionsPerEndpoint: 4 } })))
    look()
    assert.deepInclude(served("a"), { generation: 2, balancing: { connectionsPerEndpoint: 4, slowStartMs: 0 } })
    const { revision } = store.current()
    write("a.yaml", yaml(cluster("a", { balancing: { connectionsPerEndpoint: 4 } })))
    look()
    assert.strictEqual(store.current().revision, revision)
    remove("b.json")
    look()
    assert.deepStrictEqual([...store.current().clusters.keys()], ["a"])
  })

  it("keeps what a file said before it could not be read", () => {
    const { look, problems, served, write } = follow({ "a.yaml": yaml(cluster("a")) })
    write("a.yaml", "kind: [")
    look()
    look()
    assert.isDefined(served("a"))
    assert.strictEqual(problems.length, 1)
    assert.match(problems[0] ?? "", /^\/a\.yaml: line 1, column \d+: no YAML/)
    write("a.yaml", yaml(cluster("a"), cluster("a2")))
    look()
    assert.isDefined(served("a2"))
  })

  it("brings secrets, in base64 and as text", () => {
    const manifest = cluster("a", {
      servers: [{ endpoint: "https://a" }],
      clientConfig: { insecure: true, secretRef: { namespace: "default", name: "s" } }
    })
    const { look, served, store, write } = follow({ "a.yaml": yaml(manifest) })
    assert.strictEqual(store.verdict("a")?.reason, "SecretMissing")
    write("s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: { name: s }\nstringData: { token: one }\n")
    look()
    assert.isDefined(served("a")?.client.token)
    write("s.yaml", yaml(secret("default", "s", { token: "two" })))
    const before = served("a")
    look()
    assert.notStrictEqual(served("a")?.client, before?.client)
  })

  it("may name a cluster once", () => {
    const { problems, served } = follow({
      "1.yaml": yaml(cluster("a", { balancing: { slowStartSeconds: 1 } })),
      "2.yaml": yaml(cluster("A"))
    })
    assert.strictEqual(served("a")?.balancing.slowStartMs, 1000)
    assert.deepStrictEqual(problems, [": UpstreamCluster a is there twice; the first counts"])
  })
})

describe("the text of manifests", () => {
  it("may be documents, lists and other kinds", () => {
    const text = `${yaml(cluster("a"))}---\nkind: List\napiVersion: v1\nitems:\n- ${JSON.stringify(cluster("b"))}\n- kind: Pod\n---\n`
    const read = parseManifests(text)
    if (read instanceof ManifestInvalid) throw read
    assert.deepStrictEqual(
      read.clusters.map(({ metadata }) => metadata.name),
      ["a", "b"]
    )
  })

  it("is never shown when it cannot be read", () => {
    for (const text of ["token: [s3cr3t", "a: &a [*a, s3cr3t]\nb: *s3cr3t", "? {s3cr3t: 1}\n: 2"]) {
      const read = parseManifests(text)
      if (read instanceof ManifestInvalid) assert.notInclude(read.message, "s3cr3t")
      else assert.deepStrictEqual(read, { clusters: [], secrets: [] })
    }
    const nameless = parseManifests(yaml({ ...cluster("a"), metadata: {} }))
    assert.instanceOf(nameless, ManifestInvalid)
  })
})

/** A reporter whose writes are kept, and answered when the test says so. */
const reporting = () => {
  const clock = new VirtualClock(1)
  const store = new ConfigStore({ clockwork: clock, features: noFeatures })
  const writes: Array<{ readonly name: string; readonly atMs: number; readonly status: JsonObject }> = []
  const failures: Array<string> = []
  let refuse = false
  const patch: Client["patch"] = ({ name }, { body }: Patch, _options, done) => {
    const { status } = body as { readonly status: JsonObject }
    writes.push({ name, atMs: clock.monotonic(), status })
    clock.defer(() => {
      const object = store.verdict(name)?.object
      if (refuse || object === undefined) return done(Failures.unavailable("no"))
      const patched = applyMergePatch(object as unknown as Json, body) as unknown as KubeObject
      store.put(patched)
      done(patched)
    })
  }
  const reporter = new StatusReporter({
    store,
    clockwork: clock,
    // SAFETY: nothing but patches is sent by a reporter.
    client: { patch } as unknown as Client,
    gateway: "one",
    onFailure: (failure: ApiFailure) => void failures.push(failure.message)
  })
  return { clock, store, writes, failures, reporter, refuse: (now: boolean) => void (refuse = now) }
}

const conditionsOf = (status: JsonObject | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries(
    ((status?.["conditions"] ?? []) as ReadonlyArray<{ type: string; status: string; reason: string }>).map(
      ({ reason, status: value, type }) => [type, `${value} ${reason}`]
    )
  )

const well = { healthy: true, reason: "", message: "" }
const URL = "http://127.0.0.1:8080"

describe("the status", () => {
  it("tells verdict, hosts and endpoints, and is written once for each change", () => {
    const { clock, reporter, store, writes } = reporting()
    store.put(cluster("a"))
    clock.run(5000)
    assert.strictEqual(writes.length, 1)
    assert.deepStrictEqual(conditionsOf(writes[0]?.status), {
      Accepted: "True Accepted",
      Programmed: "True Programmed",
      Ready: "Unknown NotChecked"
    })
    reporter.report("a", URL, well)
    clock.run(5000)
    reporter.report("a", URL, well)
    clock.run(5000)
    assert.strictEqual(writes.length, 2)
    assert.deepInclude(writes[1]?.status, { healthyEndpoints: "1/1", hosts: ["a"], observedGeneration: 1 })
    const [before, after] = writes.map(({ status }) =>
      (status["conditions"] as ReadonlyArray<{ lastTransitionTime: string }>).map((one) => one.lastTransitionTime)
    )
    assert.strictEqual(before?.[0], after?.[0])
    assert.notStrictEqual(before?.[2], after?.[2])
  })

  it("says that the last good one serves", () => {
    const { clock, store, writes } = reporting()
    store.put(cluster("a"))
    clock.run(2000)
    store.put(cluster("a", { servers: [] }, { generation: 2 }))
    clock.run(2000)
    const last = writes.at(-1)?.status
    assert.deepInclude(conditionsOf(last), { Accepted: "False Invalid", Programmed: "False LastGoodServes" })
    assert.strictEqual(last?.["observedGeneration"], 2)
  })

  it("is written once a second for a cluster, and twenty times for all, however endpoints flap", () => {
    const { clock, reporter, store, writes } = reporting()
    for (let at = 0; at < 100; at++) store.put(cluster(`c${at}`))
    clock.run(100)
    for (let turn = 0; turn < 200; turn++) {
      for (let at = 0; at < 100; at++)
        reporter.report(`c${at}`, URL, { ...well, healthy: turn % 2 === 0, reason: "Timeout" })
      clock.run(50)
    }
    assert.isAtMost(writes.length, 205)
    assert.isAtLeast(writes.length, 190)
    const moments = new Map<string, number>()
    for (const { atMs, name } of writes) {
      assert.isAtLeast(atMs - (moments.get(name) ?? -1000), 1000)
      moments.set(name, atMs)
    }
    // All have their turn.
    assert.strictEqual(moments.size, 100)
  })

  it("is tried again when it could not be written, and forgotten with its cluster", () => {
    const { clock, failures, refuse, reporter, store, writes } = reporting()
    refuse(true)
    store.put(cluster("a"))
    clock.run(3500)
    assert.isAtLeast(failures.length, 3)
    refuse(false)
    clock.run(2000)
    const count = writes.length
    clock.run(5000)
    assert.strictEqual(writes.length, count)
    store.remove("a")
    reporter.report("a", URL, well)
    clock.run(5000)
    assert.strictEqual(writes.length, count)
    assert.isUndefined(reporter.statusOf("a"))
  })

  it("holds what every gateway sees, and says of all together what follows from it", () => {
    const clock = new VirtualClock(1)
    let object = cluster("a")
    const stores = new Set<ConfigStore>()
    let writes = 0
    const patch: Client["patch"] = (_target, { body }: Patch, _options, done) => {
      writes++
      clock.defer(() => {
        object = applyMergePatch(object as unknown as Json, body) as unknown as KubeObject
        for (const store of stores) store.put(object)
        done(object)
      })
    }
    const start = (gateway: string) => {
      const store = new ConfigStore({ clockwork: clock, features: noFeatures })
      stores.add(store)
      const client = { patch } as unknown as Client
      const reporter = new StatusReporter({ store, clockwork: clock, client, gateway, onFailure: () => undefined })
      store.put(object)
      const stop = (): void => {
        reporter.stop()
        stores.delete(store)
      }
      return { reporter, stop }
    }
    const status = () => (object as unknown as { status: Record<string, never> }).status
    const [one, two] = [start("one"), start("two")]
    clock.run(5000)
    one.reporter.report("a", URL, well)
    two.reporter.report("a", URL, well)
    clock.run(5000)
    assert.strictEqual(status()["healthyEndpoints"], "1/1")
    assert.hasAllKeys(status()["gateways"], ["one", "two"])
    two.reporter.report("a", URL, { healthy: false, reason: "Timeout", message: "no answer" })
    clock.run(5000)
    assert.strictEqual(status()["healthyEndpoints"], "0/1")
    assert.include(JSON.stringify(status()["endpoints"]), "two: no answer")
    assert.include(JSON.stringify(status()["gateways"]["one"]), '"healthy":true')
    // They agree: nobody writes without a reason.
    const settled = writes
    clock.run(60_000)
    assert.strictEqual(writes, settled)
    two.stop()
    clock.run(3_600_000)
    assert.hasAllKeys(status()["gateways"], ["one"])
    assert.strictEqual(status()["healthyEndpoints"], "1/1")
    one.stop()
  })

  it("shows no secret", () => {
    const { clock, store, writes } = reporting()
    store.put(
      cluster("a", {
        servers: [{ endpoint: "https://a" }],
        clientConfig: { insecure: true, bearerToken: base64("s3cr3t") }
      })
    )
    clock.run(2000)
    assert.notInclude(JSON.stringify(writes), "s3cr3t")
    assert.notInclude(JSON.stringify(writes), base64("s3cr3t"))
  })
})

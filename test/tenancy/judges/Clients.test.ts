// Programs of a tenant that know nothing of tenancy: informers of client-node and client-go through cut connections, and a controller
// on client-go with its usual protobuf, which does as a tenant what it does as the owner of the cluster.
import { spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { replayed } from "../../Played.ts"
import { until } from "../../apiserver/kubectl/Rig.ts"
import { type Access, kubeconfigOf } from "../../front/Access.ts"
import { goClient } from "../../front/GoClient.ts"
import { type Relay, startRelay } from "../../front/Relay.ts"
import { callOf, startUpstream, type Upstream, UPSTREAM_PROGRAMS } from "../../front/Upstream.ts"
import { watched } from "../../front/Watched.ts"
import { startZoo, type Zoo } from "./Zoo.ts"

const TENANT = "tour02"
const JSON_BODY = { "content-type": "application/json" }
const seconds = Number(process.env["WATCH_SECONDS"] ?? 5)

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

interface Listed {
  readonly items: ReadonlyArray<Readonly<Record<string, unknown>>>
}

/** Objects without what differs between any two runs. */
const normalized = (body: string): ReadonlyArray<unknown> =>
  (JSON.parse(body) as Listed).items.map(
    (item) =>
      JSON.parse(
        JSON.stringify(item, (key, value: unknown) =>
          /^(uid|resourceVersion|creationTimestamp|time|renewTime|acquireTime|managedFields|firstTimestamp|lastTimestamp|lastUpdateTime|lastTransitionTime)$/.test(
            key
          )
            ? undefined
            : typeof value === "string"
              ? value.replaceAll(/\.[0-9a-f]{16}\b/g, ".HASH")
              : value
        )
      ) as unknown
  )

/** Runs the controller in a namespace, asks it for two things and changes one; answers what it left. */
const controlled = async (program: string, access: Access, folder: string): Promise<ReadonlyArray<unknown>> => {
  const { call, close } = callOf(access)
  const namespace = "kept"
  const within = (resource: string, base = "/api/v1"): string => `${base}/namespaces/${namespace}/${resource}`
  const post = async (path: string, body: object): Promise<void> => {
    const answer = await call("POST", path, { headers: JSON_BODY, body: JSON.stringify(body) })
    assert.strictEqual(answer.code, 201, answer.body)
  }
  const wish = (name: string, image: string): object => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, labels: { keep: "yes" } },
    data: { image }
  })
  const config = join(folder, `controller-${Date.now()}.conf`)
  writeFileSync(config, kubeconfigOf(access))
  await post("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } })
  const child = spawn(program, [config, namespace, "control"], { stdio: ["ignore", "ignore", "pipe"] })
  let said = ""
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()))
  try {
    await post(within("configmaps"), wish("first", "i:1"))
    await post(within("configmaps"), wish("second", "i:2"))
    const image = (name: string, tag: string) => async () => {
      const answer = await call("GET", within(`deployments/${name}`, "/apis/apps/v1"))
      return answer.code === 200 && answer.body.includes(`"image":"${tag}"`)
    }
    await until(`a deployment (${said})`, image("first", "i:1"))
    await until("another", image("second", "i:2"))
    const changed = JSON.stringify({ data: { image: "i:9" } })
    await call("PATCH", within("configmaps/first"), {
      headers: { "content-type": "application/merge-patch+json" },
      body: changed
    })
    await until("the change", image("first", "i:9"))
    const applied = Buffer.from("i:9").toString("base64")
    await until("the secret", async () => (await call("GET", within("secrets/first"))).body.includes(applied))
    await until("the events", async () => (await call("GET", within("events"))).body.split('"Kept"').length > 2)
    await call("DELETE", within("configmaps/second"))
    await until("the collector", async () => (await call("GET", within("secrets/second"))).code === 404)
    const left: Array<unknown> = []
    for (const path of [within("deployments", "/apis/apps/v1"), within("secrets"), within("configmaps")]) {
      const { body } = await call("GET", path)
      left.push(...normalized(body).filter((one) => !JSON.stringify(one).includes("kube-root-ca")))
    }
    const leases = await call("GET", within("leases", "/apis/coordination.k8s.io/v1"))
    return [...left, ...normalized(leases.body)]
  } catch (failure) {
    process.stderr.write(said.slice(-3000))
    throw failure
  } finally {
    child.kill("SIGKILL")
    close()
  }
}

describeWith(...UPSTREAM_PROGRAMS)("a tenant's programs", (programs) => {
  let upstream: Upstream
  let zoo: Zoo
  let relays: ReadonlyArray<Relay>
  let tenant: Access

  beforeAll(async () => {
    upstream = await startUpstream(programs)
    const behind = await startRelay(upstream.endpoints[0]?.port ?? 0)
    const file = join(upstream.folder, "relayed.conf")
    writeFileSync(file, kubeconfigOf({ ...upstream.root, url: behind.url }))
    zoo = await startZoo(upstream, [TENANT], file)
    const before = await startRelay(zoo.front.port)
    relays = [before, behind]
    const access = zoo.tenants.get(TENANT)
    if (access === undefined) throw new Error("no tenant")
    tenant = { ...access, url: before.url }
  }, 120_000)

  afterAll(async () => {
    for (const relay of relays ?? []) relay.stop()
    await zoo?.stop()
    await upstream?.stop()
  })

  it(`see every event once, in order, for ${seconds} s`, replayed(120_000 + seconds * 1000), async (context) => {
    const goProgram = await goClient(context)
    const { call, close } = callOf(tenant)
    const body = JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: "watched" } })
    await call("POST", "/api/v1/namespaces", { headers: JSON_BODY, body })
    close()
    const run = await watched({
      upstream,
      namespace: `${TENANT}-watched`,
      seenAs: "watched",
      access: tenant,
      goProgram,
      disturb: async () => {
        const end = Date.now() + seconds * 1000
        for (let turn = 0; Date.now() < end; turn++) {
          await pause(800)
          relays[turn % relays.length]?.cut()
        }
      }
    })
    assert.deepStrictEqual([run.bare.wrong, run.node.wrong, run.go.wrong], [[], [], []])
    assert.isAbove(run.deeds, 40)
    assert.isAtLeast(run.again[0], 2, "connections were cut")
  })

  it("control as the owner of a cluster does", replayed(180_000), async (context) => {
    const goProgram = await goClient(context)
    const asTenant = await controlled(goProgram, tenant, upstream.folder)
    const asOwner = await controlled(goProgram, upstream.owner, upstream.folder)
    assert.deepStrictEqual(asTenant, asOwner)
    assert.isAtLeast(asOwner.length, 4)
  })
})

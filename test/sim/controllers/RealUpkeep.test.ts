// What keeps a cluster, ours and the real kube-controller-manager's, on a real kube-apiserver: the same users, the same objects.
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { assert, it } from "vitest"
import {
  ApiFailure,
  type Client,
  httpClient,
  type KubeList,
  type KubeObject,
  loadAccess,
  machineClockwork,
  gvr
} from "#kube"
import { nodeLifecycleWith, startControllers, upkeepControllers } from "#sim"
import { describeWith } from "../../Judges.ts"
import { type RealApiServer, startApiServer } from "../../kube/RealApiServer.ts"
import { played, replayed } from "../../Played.ts"
import { toldEvents } from "./Dump.ts"
import { begin, beginDeleted, compared, goOn, keepAlive, Player, toyDefinition } from "./UpkeepScript.ts"

const chosen = upkeepControllers.filter(
  ({ name, offByDefault }) => offByDefault !== true && !/legacy|certificate|clusterrole/.test(name)
)
const fast = { monitorMs: 1000, graceMs: 4000, startupGraceMs: 5000, perSecond: 10 }
const ours = chosen.map((one) =>
  one.name === "node-lifecycle-controller" ? { ...one, make: nodeLifecycleWith(fast) } : one
)
const QUIET_MS = 2500
const PATIENCE_MS = 60_000

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const ask = <A>(call: (done: (answer: A | ApiFailure) => void) => void): Promise<A> =>
  new Promise((resolve, reject) => call((answer) => (answer instanceof ApiFailure ? reject(answer) : resolve(answer))))

interface Cluster {
  readonly server: RealApiServer
  readonly client: Client
  readonly kubeconfig: string
  readonly stop: () => Promise<void>
}

const startCluster = async (programs: {
  readonly etcd: string
  readonly "kube-apiserver": string
}): Promise<Cluster> => {
  const folder = mkdtempSync(join(tmpdir(), "upkeep-"))
  const server = await startApiServer(programs)
  const kubeconfig = join(folder, "kubeconfig")
  const it = { cluster: "it", user: "it" }
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "it",
    clusters: [{ name: "it", cluster: { server: server.url, "insecure-skip-tls-verify": true } }],
    contexts: [{ name: "it", context: it }],
    users: [{ name: "it", user: { token: server.token } }]
  }
  writeFileSync(kubeconfig, JSON.stringify(config))
  const scope = Scope.makeUnsafe()
  const client = await Effect.runPromise(
    loadAccess({ kubeconfig }).pipe(
      Effect.flatMap((access) => httpClient({ access })),
      Effect.provideService(Scope.Scope, scope)
    )
  )
  const stop = async (): Promise<void> => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  return { server, client, kubeconfig, stop }
}

type Fields = Record<string, unknown>

const dropped: ReadonlySet<string> = new Set([
  "uid",
  "resourceVersion",
  "creationTimestamp",
  "deletionTimestamp",
  "managedFields",
  "lastTransitionTime",
  "lastPhaseTransitionTime",
  "lastHeartbeatTime",
  "lastProbeTime",
  "timeAdded",
  "startTime",
  "clusterIP",
  "clusterIPs",
  "generateName",
  "generation",
  "observedGeneration",
  "endpoints.kubernetes.io/last-change-trigger-time",
  // The real manager's first count of a custom resource races the charge at admission, and stays wrong for five minutes.
  "count/toys.upkeep.example.com"
])

/** Lists whose order says nothing. */
const unordered: ReadonlySet<string> = new Set([
  "conditions",
  "taints",
  "endpoints",
  "addresses",
  "subsets",
  "ownerReferences",
  "finalizers"
])

/** Whether annotations tell nothing but when something happened: whether they are there at all is a matter of time, too. */
const tellsTimes = (name: string, value: unknown): boolean =>
  name === "annotations" && Object.keys((value ?? {}) as Fields).every((key) => dropped.has(key))

const plain = (value: unknown, ns: string, field = ""): unknown => {
  if (typeof value === "string")
    return value.replaceAll(ns, "NS").replace(/^((?:plain|headless|close|empty|far)-)[a-z0-9]{5}$/, "$1*")
  if (Array.isArray(value)) {
    const items = value.map((item) => plain(item, ns))
    return unordered.has(field) ? items.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : items
  }
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, item]) => !dropped.has(name) && item !== undefined && !tellsTimes(name, item))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, item]) => [name, plain(item, ns, name)])
  )
}

const objects = async (client: Client, ns: string): Promise<ReadonlyArray<KubeObject>> => {
  const lists = await Promise.all(
    compared.map(([resource, namespaced]) =>
      ask<KubeList>((done) => client.list({ resource, namespace: namespaced ? ns : "" }, {}, done))
    )
  )
  return lists
    .flatMap(({ items }) => items)
    .filter(
      ({ metadata }) =>
        metadata.namespace === ns || metadata.name === ns || metadata.name?.startsWith(`${ns}-`) === true
    )
}

const dump = (all: ReadonlyArray<KubeObject>, ns: string): Fields => {
  const found: Record<string, Array<unknown>> = {}
  for (const object of all) {
    const { metadata, ...rest } = plain(object, ns) as Fields & { metadata: Fields }
    const key = `${object.kind} ${String(metadata["name"])}`
    ;(found[key] ??= []).push({ metadata, ...rest })
  }
  return Object.fromEntries(
    Object.entries(found)
      .map(([key, same]) => [key, same.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1))
  )
}

/** Waits until all of some words stand in what there is, and nothing but heartbeats has changed for a while. */
const settle = async (client: Client, ns: string, words: ReadonlyArray<string> = []): Promise<Fields> => {
  let before = ""
  const started = Date.now()
  for (let since = started; ;) {
    const now = dump(await objects(client, ns), ns)
    const text = JSON.stringify(now)
    if (text !== before || !words.every((word) => text.includes(word))) since = Date.now()
    before = text
    if (Date.now() - since > QUIET_MS) return now
    if (Date.now() - started > PATIENCE_MS) throw new Error(`${ns} does not settle: ${text}`)
    await pause(200)
  }
}

interface Played {
  readonly made: Fields
  readonly changed: Fields
  readonly held: unknown
  readonly gone: boolean
  readonly events: ReadonlyArray<string>
}

const namespaces = gvr("", "v1", "namespaces")
const configmaps = gvr("", "v1", "configmaps")
const nodes = gvr("", "v1", "nodes")

const play = async ({ client }: Cluster, ns: string): Promise<Played> => {
  const other = `${ns}x`
  for (const name of [ns, other]) {
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name } }
    await ask((done) => client.create({ resource: namespaces, namespace: "" }, namespace, {}, done))
  }
  const [player, deleted] = [new Player(client, ns), new Player(client, other)]
  const stop = await keepAlive(player, client)
  try {
    await Promise.all([begin(player), beginDeleted(deleted)])
    await ask((done) => client.delete({ resource: namespaces, namespace: "", name: other }, {}, done))
    const made = await settle(client, ns, ["NodeStatusNeverUpdated", "NodeStatusUnknown", "DeletionByTaintManager"])
    const getHeld = () =>
      ask<KubeObject>((done) => client.get({ resource: namespaces, namespace: "", name: other }, {}, done))
    for (let tries = 0; tries < 150 && !JSON.stringify(await getHeld()).includes("SomeFinalizersRemain"); tries++)
      await pause(200)
    const held = plain(await getHeld(), other)
    await deleted.change(configmaps, "stuck", { metadata: { finalizers: null } })
    await goOn(player)
    const changed = await settle(client, ns)
    let gone = false
    for (let tries = 0; tries < 150 && !gone; tries++) {
      gone = await getHeld().then(
        () => false,
        () => true
      )
      await pause(200)
    }
    const events = gvr("", "v1", "events")
    const told = await Promise.all(
      [ns, "default"].map((namespace) =>
        ask<KubeList>((done) => client.list({ resource: events, namespace }, {}, done))
      )
    )
    const own = told
      .flatMap(({ items }) => items)
      .filter((event) => JSON.stringify(event["involvedObject"]).includes(ns))
      // The API server tells of its own repairs.
      .filter((event) => (event["source"] as Fields)["component"] !== undefined)
      .map((event) => plain(event, ns) as KubeObject)
    return { made, changed, held, gone, events: toldEvents(own, "NS") }
  } finally {
    stop()
    // The next one's zones must not be disrupted by nodes of this one.
    for (const name of ["well", "silent", "never", "unready"]) await player.delete(nodes, name, {}, true)
  }
}

describeWith(
  "etcd",
  "kube-apiserver",
  "kube-controller-manager"
)("beside the real manager", (programs) => {
  const asReal = async (cluster: Cluster): Promise<Played> => {
    const child = spawn(
      programs["kube-controller-manager"],
      [
        `--kubeconfig=${cluster.kubeconfig}`,
        `--controllers=${chosen.map(({ name }) => name).join()}`,
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=500",
        "--kube-api-burst=500",
        "--node-monitor-period=1s",
        "--node-monitor-grace-period=4s",
        "--node-startup-grace-period=5s",
        "--node-eviction-rate=10",
        `--cert-dir=${cluster.kubeconfig}.manager`
      ],
      { stdio: ["ignore", "ignore", process.env["CONTROLLERS_LOUD"] === undefined ? "ignore" : "inherit"] }
    )
    try {
      return await play(cluster, "real")
    } finally {
      await new Promise<void>((resolve) => {
        child.once("exit", () => resolve())
        if (child.exitCode !== null || !child.kill("SIGTERM")) resolve()
      })
    }
  }

  const asOurs = async (cluster: Cluster): Promise<Played> => {
    const stop = startControllers({ controllers: ours }, { client: cluster.client, clockwork: machineClockwork })
    try {
      return await play(cluster, "ours")
    } finally {
      stop()
    }
  }

  const both = played(async () => {
    const cluster = await startCluster(programs)
    try {
      const definitions = gvr("apiextensions.k8s.io", "v1", "customresourcedefinitions")
      await ask<KubeObject>((done) =>
        cluster.client.create({ resource: definitions, namespace: "" }, toyDefinition, {}, done)
      )
      await pause(2000)
      return { byReal: await asReal(cluster), byOurs: await asOurs(cluster) }
    } finally {
      await cluster.stop()
    }
  })
  const options = replayed(300_000)

  it("what is made is kept alike", options, () =>
    both(({ byOurs, byReal }) => assert.deepStrictEqual(byOurs.made, byReal.made))
  )
  it("what is changed and deleted ends alike", options, () =>
    both(({ byOurs, byReal }) => assert.deepStrictEqual(byOurs.changed, byReal.changed))
  )
  it("a namespace that cannot go yet says the same, and goes then", options, () =>
    both(({ byOurs, byReal }) => {
      assert.deepStrictEqual(byOurs.held, byReal.held)
      assert.isTrue(byReal.gone && byOurs.gone)
    })
  )
  it("all of it was at work", options, () =>
    both(({ byReal }) => {
      const text = JSON.stringify(byReal)
      for (const word of ["DeletionByTaintManager", "node.kubernetes.io/unreachable", "forZones", "NoPodsUsingPVC"])
        assert.include(text, word)
      assert.notInclude(Object.keys(byReal.changed), "ConfigMap bg-grandchild")
      assert.include(Object.keys(byReal.changed), "ConfigMap orphan-to-be")
    })
  )
  it("the same is told", options, () =>
    both(({ byOurs, byReal }) => assert.deepStrictEqual(byOurs.events, byReal.events))
  )
})

// What a federation carries: objects a second through a host of ours and its watches, the time from an apply to the request on a member,
// and a start over many objects. Members answer from memory, their nodes and pods are counts.
//   node --max-old-space-size=8192 test/federation/bench/FederationBench.ts federation-100x5k
//   node --max-old-space-size=8192 test/federation/bench/FederationBench.ts members=20 objects=1000 rate=100 seconds=10
// Owns the load and the clock; the figures are printed as one line of JSON, and by name the shapes that are published.
import { makeControlPlane, inProcessClient, storageKeyValue } from "#apiserver"
import {
  defaultTypeConfigs,
  type Federation,
  federationDefinitions,
  federationResources,
  FEDERATION_API_VERSION,
  makeFederation,
  type ServedType,
  SYSTEM_NAMESPACE,
  usualClusterTimes
} from "#federation"
import { ApiFailure, type Client, effectClient, gvr, type KubeObject, machineClockwork } from "#kube"
import { CountedMember } from "#sim"
import { Effect } from "effect"
import { deployment } from "../run/Objects.ts"
import { makeMemoryStorage } from "../run/MemoryStorage.ts"

/** Shapes by name. */
const SHAPES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  // Karmada's published shape: 100 clusters, 500,000 nodes, 2,000,000 pods.
  "federation-100x5k": { members: 100, nodes: 5000, pods: 20_000, objects: 3000, copies: 2, rate: 100, seconds: 10 },
  "federation-1000-clusters": { members: 1000, nodes: 100, pods: 1000, objects: 1000, copies: 5, rate: 0 },
  "member-outage-storm": { members: 100, nodes: 100, pods: 1000, objects: 1000, copies: 2, rate: 0, lose: 10 },
  "federation-cold-start": { members: 100, nodes: 5000, pods: 20_000, objects: 100_000, copies: 1, rate: 0 },
  "rollout-waves": { members: 50, nodes: 100, pods: 1000, objects: 500, copies: 3, rate: 0, waves: 4 }
}

const words = process.argv.slice(2)
const given = new Map<string, string | number>(Object.entries(SHAPES[words[0] ?? ""] ?? {}))
for (const word of words)
  if (word.includes("=")) given.set(word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1))
const number = (name: string, usual: number): number => Number(given.get(name) ?? usual)
const [members, objects, rate, seconds] = [
  number("members", 100),
  number("objects", 2000),
  number("rate", 100),
  number("seconds", 10)
]
const copies = number("copies", 2)
const TOLERATION_SECONDS = 5
const REPLICAS = 4
const clusters = new Map<string, CountedMember>()
const arrived = new Map<string, number>()
const now = (): number => performance.now()
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const plane = makeControlPlane({
  keyValue: storageKeyValue(makeMemoryStorage(machineClockwork), machineClockwork),
  clockwork: machineClockwork,
  disable: ["ServiceAccount"],
  definitions: federationDefinitions()
})
const raw = inProcessClient(plane.api, { name: "federation", groups: ["system:masters"] })
let writes = 0
const counting = <K extends "create" | "update" | "patch" | "delete">(verb: K): Client[K] =>
  ((...args: Parameters<Client[K]>) => {
    writes++
    ;(raw[verb] as (...all: ReadonlyArray<unknown>) => void)(...args)
  }) as Client[K]
const client: Client = {
  ...raw,
  create: counting("create"),
  update: counting("update"),
  patch: counting("patch"),
  delete: counting("delete")
}
const user = effectClient(raw)
const make = (resource: ReturnType<typeof gvr>, namespace: string, object: KubeObject): Promise<KubeObject> =>
  Effect.runPromise(user.create({ resource, namespace }, object))

const types: ReadonlyArray<ServedType> = defaultTypeConfigs.map(
  ({ spec }) => (spec as unknown as { readonly sourceType: ServedType }).sourceType
)

const until = async (what: string, holds: () => boolean, patienceMs = 170_000): Promise<void> => {
  const end = now() + patienceMs
  while (!holds()) {
    if (now() > end) throw new Error(`${what}: not within ${patienceMs} ms`)
    await pause(20)
  }
}

const start = (): Federation => {
  const federation = makeFederation({
    clockwork: machineClockwork,
    host: client,
    connect: (cluster) => clusters.get(cluster.metadata.name ?? "")!.connection(),
    transport: () => (_url, _body, _ms, done) => done(new Error("none")),
    times: {
      ...usualClusterTimes,
      probeMs: 2000,
      health: { ...usualClusterTimes.health, downAfterMs: 4000, upAfterMs: 2000 }
    },
    ...(process.env["FEDERATION_LOUD"] === undefined
      ? {}
      : {
          onFailure: (controller, key, failure) =>
            void process.stderr.write(`${controller} ${key}: ${failure.message}\n`)
        })
  })
  federation.start()
  return federation
}

const prepare = async (): Promise<void> => {
  for (const name of [SYSTEM_NAMESPACE, "default"])
    await make(gvr("", "v1", "namespaces"), "", { apiVersion: "v1", kind: "Namespace", metadata: { name } })
  for (const config of defaultTypeConfigs) await make(federationResources.typeConfigs, "", config)
  for (let at = 0; at < members; at++) {
    const name = `member-${String(at).padStart(4, "0")}`
    clusters.set(
      name,
      new CountedMember({
        clockwork: machineClockwork,
        types,
        nodes: number("nodes", 5000),
        pods: number("pods", 20_000),
        latencyMs: number("latencyMs", 0),
        onWrite: (verb, { kind, metadata }) => {
          if (verb === "create" && kind === "Deployment" && !arrived.has(metadata.name ?? ""))
            arrived.set(metadata.name ?? "", now())
        }
      })
    )
    await make(gvr("", "v1", "secrets"), SYSTEM_NAMESPACE, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, namespace: SYSTEM_NAMESPACE }
    })
    await make(federationResources.clusters, "", {
      apiVersion: FEDERATION_API_VERSION,
      kind: "FederatedCluster",
      metadata: { name },
      spec: { apiEndpoint: `https://${name}`, secretRef: { name } }
    })
  }
  await make(federationResources.propagationPolicies, "default", {
    apiVersion: FEDERATION_API_VERSION,
    kind: "PropagationPolicy",
    metadata: { name: "spread", namespace: "default" },
    spec: {
      schedulingMode: "Divide",
      maxClusters: copies,
      failover: { tolerationSeconds: TOLERATION_SECONDS, gracePeriodSeconds: 60 }
    }
  })
}

const percentile = (values: ReadonlyArray<number>, share: number): number =>
  Math.round(
    (values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN) *
      10
  ) / 10

const placed = (): number =>
  [...clusters.values()].reduce((sum, member) => sum + member.objects("deployments.apps").length, 0)

/** Objects as fast as they are taken. */
const flood = async (count: number, prefix: string): Promise<number> => {
  const begun = now()
  const before = arrived.size
  let next = 0
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (next < count)
        await make(gvr("apps", "v1", "deployments"), "default", deployment(`${prefix}-${next++}`, REPLICAS))
    })
  )
  await until("all objects on members", () => arrived.size - before >= count)
  return count / ((now() - begun) / 1000)
}

/** Objects on a schedule; latencies from the planned moment to the first request on a member. */
const paced = async (): Promise<ReadonlyArray<number>> => {
  const begun = now()
  const planned = new Map<string, number>()
  for (let at = 0; at < rate * seconds; at++) {
    const due = begun + (at * 1000) / rate
    if (due > now()) await pause(due - now())
    const name = `paced-${at}`
    planned.set(name, due)
    raw.create(
      { resource: gvr("apps", "v1", "deployments"), namespace: "default" },
      deployment(name, REPLICAS),
      {},
      (answer) => {
        if (answer instanceof ApiFailure) throw answer
      }
    )
  }
  await until("paced objects on members", () => [...planned.keys()].every((name) => arrived.has(name)))
  return [...planned].map(([name, due]) => arrived.get(name)! - due)
}

const quiet = async (federation: Federation): Promise<void> => {
  let last = -1
  let since = now()
  await until("quiet", () => {
    const queued = federation.stats().controllers.reduce((sum, { stats }) => sum + stats().queued + stats().working, 0)
    const waiting = [...federation.stats().queued.values()].reduce((sum, keys) => sum + keys, 0)
    if (writes !== last || queued + waiting > 0) since = now()
    last = writes
    return now() - since > 3000
  })
}

interface Spec {
  readonly replicas: number
  readonly template: { readonly spec: { readonly containers: ReadonlyArray<{ readonly image: string }> } }
}

const specOf = ({ spec }: KubeObject): Spec => spec as unknown as Spec

/** Replicas of each object on members that answer. */
const reachable = (): ReadonlyMap<string, number> => {
  const sums = new Map<string, number>()
  for (const member of clusters.values()) {
    if (!member.up) continue
    for (const object of member.objects("deployments.apps")) {
      const name = object.metadata.name ?? ""
      sums.set(name, (sums.get(name) ?? 0) + specOf(object).replicas)
    }
  }
  return sums
}

/** Some members vanish at once: until every replica is wanted elsewhere, and whether any is wanted twice then and after they are back. */
const outage = async (federation: Federation, lose: number): Promise<Record<string, unknown>> => {
  const all = [...reachable().keys()].length
  const lost = [...clusters.values()].slice(0, lose)
  const touched = new Set(
    lost.flatMap((member) => member.objects("deployments.apps").map(({ metadata }) => metadata.name))
  )
  const begun = now()
  for (const member of lost) member.cut()
  await until("replicas elsewhere", () => {
    const sums = reachable()
    return [...touched].every((name) => (sums.get(name ?? "") ?? 0) >= REPLICAS)
  })
  const elsewhereMs = Math.round(now() - begun)
  const tooMany = [...reachable().values()].filter((sum) => sum > REPLICAS).length
  for (const member of lost) member.up = true
  await quiet(federation)
  await until("none twice", () => [...reachable().values()].every((sum) => sum === REPLICAS))
  return {
    lost: lose,
    objects: all,
    touched: touched.size,
    elsewhereMs,
    tooMany,
    healedMs: Math.round(now() - begun - 3000)
  }
}

/** All objects get a new image, wave after wave: until all members have it. */
const rollOut = async (waves: number): Promise<ReadonlyArray<number>> => {
  const took: Array<number> = []
  for (let wave = 0; wave < waves; wave++) {
    const image = `nginx:2.${wave}`
    const begun = now()
    const names = [...reachable().keys()].filter((name) => name.startsWith("flood"))
    const body = { spec: { template: { spec: { containers: [{ name: "web", image }] } } } }
    await Promise.all(
      names.map((name) =>
        Effect.runPromise(
          user.patch(
            { resource: gvr("apps", "v1", "deployments"), namespace: "default", name },
            { type: "strategic", body }
          )
        )
      )
    )
    await until("a wave", () =>
      [...clusters.values()].every((member) =>
        member
          .objects("deployments.apps")
          .every(
            (object) =>
              !object.metadata.name?.startsWith("flood") || specOf(object).template.spec.containers[0].image === image
          )
      )
    )
    took.push(Math.round(now() - begun))
  }
  return took
}

await prepare()
let federation = start()
await until(
  "members",
  () => federation.members.fleet.size === members && federation.members.fleet.clusters.every(({ ready }) => ready)
)
await flood(50, "warm")
await quiet(federation)
const figures: Record<string, unknown> = { shape: words[0], members, objects, copies }
writes = 0
figures["floodPerSecond"] = Math.round(await flood(objects, "flood"))
await quiet(federation)
figures["hostWritesPerObject"] = Math.round((writes / objects) * 100) / 100
figures["placedCopies"] = placed()
if (rate > 0) {
  const latencies = await paced()
  figures["pacedPerSecond"] = rate
  figures["latencyMs"] = {
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    max: percentile(latencies, 1)
  }
  await quiet(federation)
}
if (number("lose", 0) > 0) figures["outage"] = await outage(federation, number("lose", 0))
if (number("waves", 0) > 0) figures["waveMs"] = await rollOut(number("waves", 0))
if (number("waves", 0) > 0) await quiet(federation)
federation.stop()
await pause(500)
globalThis.gc?.()
const rss = (): number => Math.round(process.memoryUsage().rss / 2 ** 20)
figures["hostAndMembersMiB"] = rss()
writes = 0
const begun = now()
federation = start()
await until("known", () => federation.hasSynced())
figures["knownAfterMs"] = Math.round(now() - begun)
await quiet(federation)
figures["restartMs"] = Math.round(now() - begun - 3000)
figures["restartWrites"] = writes
figures["withFederationMiB"] = rss()
process.stdout.write(`${JSON.stringify(figures)}\n`)
federation.stop()
process.exit(0)

// A real Kubernetes on three nodes of the store on TiKV, the leader killed again and again: client-go informers must end with what is
// there, every acknowledged write must be there, and the controllers must have made what they were asked for. Prints what happened and
// ends with 1 if anything is wrong.
//
//   node test/storage/KubernetesFailover.ts [--seconds 180] [--every 20] [--nodes 20] [--pods 60]
//
// Needs `wharf assets build default tikv` and Go.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { NodeServices } from "@effect/platform-node"
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node"
import { Effect } from "effect"
import { findAsset, type ProgramName } from "#kind"
import { buildGoClient } from "../front/GoClient.ts"
import { goInformer, type Observer } from "../front/Observers.ts"
import { untilPods } from "./KubernetesWalk.ts"
import { KwokCluster } from "./KwokCluster.ts"
import { NodeCluster } from "./nodes/NodeCluster.ts"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "180" },
    every: { type: "string", default: "20" },
    nodes: { type: "string", default: "20" },
    pods: { type: "string", default: "60" }
  }
})
const [seconds, every, nodes, pods] = [values.seconds, values.every, values.nodes, values.pods].map(Number)
const NAMESPACE = "default"
/** How long a killed node stays away, in milliseconds. */
const AWAY_MS = 3000
const SETTLE_MS = 60_000

const pathOf = (name: ProgramName): Promise<string> =>
  findAsset(name).pipe(
    Effect.map(({ path }) => path),
    Effect.provide(NodeServices.layer),
    Effect.runPromise
  )

const paths = async <const Names extends ReadonlyArray<ProgramName>>(...names: Names) =>
  // SAFETY: one entry for each name.
  Object.fromEntries(await Promise.all(names.map(async (name) => [name, await pathOf(name)]))) as {
    readonly [Name in Names[number]]: string
  }

/** A member that can be killed. */
interface Member {
  readonly name: string
  readonly endpoint: string
  readonly kill: () => Promise<void>
  readonly start: () => Promise<void>
}

const leads = async ({ endpoint }: Member): Promise<boolean> => {
  const page = await fetch(`http://${endpoint}/metrics`, { signal: AbortSignal.timeout(1000) }).catch(() => undefined)
  return /^etcd_server_is_leader 1$/m.test((await page?.text().catch(() => "")) ?? "")
}

const killLeader = async (members: ReadonlyArray<Member>): Promise<string> => {
  for (;;) {
    for (const member of members) {
      if (!(await leads(member))) continue
      await member.kill()
      setTimeout(() => void member.start(), AWAY_MS)
      return member.name
    }
    await sleep(50)
  }
}

/** Creates and updates ConfigMaps one after the other; keeps the last acknowledged version of each. */
class Writer {
  readonly acknowledged = new Map<string, string>()
  /** Versions whose write was answered with an error: it may have happened. */
  readonly unknown = new Set<string>()
  readonly failures = new Map<string, number>()
  private readonly api: CoreV1Api
  private writing = true
  private readonly running: Promise<void>

  constructor(api: CoreV1Api) {
    this.api = api
    this.running = this.run()
  }

  private async run(): Promise<void> {
    for (let n = 0; this.writing; n++) {
      const name = `w${n % 2 === 0 ? n : n - 1}`
      const body = { metadata: { name }, data: { n: String(n) } }
      try {
        const { metadata } =
          n % 2 === 0
            ? await this.api.createNamespacedConfigMap({ namespace: NAMESPACE, body })
            : await this.api.replaceNamespacedConfigMap({ name, namespace: NAMESPACE, body })
        this.acknowledged.set(name, metadata?.resourceVersion ?? "")
      } catch (error) {
        this.unknown.add(name)
        const said = (error instanceof Error ? error.message : String(error)).replaceAll(/\d{3,}/g, "N").slice(0, 160)
        this.failures.set(said, (this.failures.get(said) ?? 0) + 1)
      }
      await sleep(20)
    }
  }

  stop(): Promise<void> {
    this.writing = false
    return this.running
  }
}

const judge = async (api: CoreV1Api, writer: Writer, observers: ReadonlyArray<Observer>): Promise<Array<string>> => {
  const listed = async (): Promise<ReadonlyMap<string, string>> => {
    const { items } = await api.listNamespacedConfigMap({ namespace: NAMESPACE })
    const versions = items.map(({ metadata }) => [metadata?.name ?? "", metadata?.resourceVersion ?? ""] as const)
    // The namespace's own, which observers leave out.
    return new Map(versions.filter(([name]) => name !== "kube-root-ca.crt"))
  }
  const there = await listed()
  const wrong: Array<string> = []
  for (const [name, version] of writer.acknowledged) {
    const found = there.get(name)
    const isLater = writer.unknown.has(name) && found !== undefined && BigInt(found) > BigInt(version)
    if (found !== version && !isLater)
      wrong.push(`${name} was acknowledged at ${version}, and is ${found ?? "not there"}`)
  }
  for (const [at, { holds, seen }] of observers.entries()) {
    let difference = ["not asked"]
    for (const end = Date.now() + SETTLE_MS; difference.length > 0 && Date.now() < end; await sleep(500)) {
      const held = (await holds?.()) ?? new Map<string, string>()
      difference = [...new Set([...held.keys(), ...there.keys()])]
        .filter((name) => held.get(name) !== there.get(name))
        .map((name) => `informer ${at} ends with ${name} at ${held.get(name)}, and it is ${there.get(name)}`)
    }
    wrong.push(...difference)
    const last = new Map<string, bigint>()
    for (const { deed, name, version } of seen) {
      if (deed === "delete") wrong.push(`informer ${at} was told that ${name} was deleted`)
      else if (BigInt(version) <= (last.get(name) ?? 0n)) wrong.push(`informer ${at}: ${name} went back to ${version}`)
      last.set(name, BigInt(version))
    }
  }
  return wrong
}

const main = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "kubernetes-failover-"))
  const beds = await paths("tikv-testbed", "pd-server")
  const programs = await paths(
    ...(["kwokctl", "kwok", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] as const)
  )
  const program = await buildGoClient("go")
  const store = await NodeCluster.start(beds, { nodes: 2 })
  const etcd = join(folder, "etcd")
  const own = fileURLToPath(new URL("../../bin/etcd", import.meta.url))
  writeFileSync(etcd, `#!/bin/sh\nexec ${own} "$@" --backend tikv --pd-endpoints ${store.bed.pd}\n`)
  chmodSync(etcd, 0o755)
  const others = store.endpoints.map((endpoint) => `http://${endpoint}`).join(",")
  const cluster = await KwokCluster.start(programs, etcd, [
    `kube-apiserver=etcd-servers=${others}`,
    "etcd=watch-progress-notify-interval=5s"
  ])
  try {
    const config = new KubeConfig()
    const text = await cluster.kubeconfig()
    config.loadFromString(text)
    const kubeconfig = join(folder, "kubeconfig")
    writeFileSync(kubeconfig, text)
    const api = config.makeApiClient(CoreV1Api)
    const members: ReadonlyArray<Member> = [
      ...store.nodes.map(({ name }, at) => ({
        name,
        endpoint: store.endpoint(at),
        kill: () => store.end(at, "SIGKILL"),
        start: () => store.startNode(at)
      })),
      {
        name: "kwok's",
        endpoint: cluster.storeEndpoint,
        kill: async () => cluster.killStore(),
        start: async () => cluster.startStore()
      }
    ]
    await cluster.scaleNodes(nodes)
    await cluster.kubectl(`create deployment web --image=web:1 --replicas=${pods}`)
    await untilPods(cluster, "readyReplicas", pods)
    const observers = [
      await goInformer(program, kubeconfig, NAMESPACE),
      await goInformer(program, kubeconfig, NAMESPACE)
    ]
    const writer = new Writer(api)
    const end = Date.now() + seconds * 1000
    for (let round = 1; Date.now() < end; round++) {
      await sleep(every * 1000)
      const before = writer.acknowledged.size
      const killed = await killLeader(members)
      // Something for controllers to do meanwhile.
      const replicas = round % 2 === 0 ? pods : Math.ceil(pods / 2)
      await cluster.kubectl(`scale deployment/web --replicas=${replicas}`).catch(() => undefined)
      process.stdout.write(`${round}: killed ${killed}; ${before} objects acknowledged so far\n`)
    }
    await writer.stop()
    await cluster.kubectl(`scale deployment/web --replicas=${pods}`)
    await untilPods(cluster, "readyReplicas", pods)
    const wrong = await judge(api, writer, observers)
    for (const message of wrong.slice(0, 20)) process.stdout.write(`WRONG: ${message}\n`)
    for (const [message, count] of writer.failures)
      process.stdout.write(`answered with an error, ${count}: ${message}\n`)
    const seen = observers.map((one) => one.seen.length).join(" and ")
    process.stdout.write(
      `${writer.acknowledged.size} objects acknowledged, ${seen} events told, ${wrong.length} wrong\n`
    )
    process.exitCode = wrong.length > 0 || writer.acknowledged.size === 0 ? 1 : 0
    for (const observer of observers) await observer.stop()
  } finally {
    await cluster.stop()
    await store.destroy()
    rmSync(folder, { recursive: true, force: true })
  }
}

await main()
process.exit()

// Two limiters as processes that share the shards of a real kube-apiserver by its Leases, with client certificates and with their
// conditions kept there: a gateway gets its part, and gets it from the other one when the leader is killed.
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, it } from "vitest"
import { machineClockwork } from "#kube"
import { machineDial } from "../../../core/gateway/balance/DialAdapter.ts"
import { LimiterClient } from "../../../core/gateway/global/LimiterClient.ts"
import { limiterDial } from "../../../core/gateway/global/LimiterDial.ts"
import { Flow } from "../../../core/gateway/limits/Flow.ts"
import { describeWith } from "../../Judges.ts"
import { type RealApiServer, startApiServer } from "../../kube/RealApiServer.ts"
import { makeAuthority } from "../../net/Certificates.ts"
import { allowAll } from "../config/Manifests.ts"
import { globalBucket } from "../global/LimiterWorld.ts"
import { until, wharf } from "./GatewayRun.ts"

const run = promisify(execFile)
const CLUSTER = "a.example.io"

interface Limiter {
  readonly address: string
  readonly said: () => string
  readonly kill: (signal: NodeJS.Signals) => Promise<void>
}

const startLimiter = (flags: ReadonlyArray<string>): Promise<Limiter> =>
  new Promise((resolve, reject) => {
    const args = ["serve", "ratelimiter", "--ratelimiter-secure-port", "0", ...flags]
    const child: ChildProcess = spawn(wharf, args, { stdio: ["ignore", "pipe", "pipe"] })
    let said = ""
    const kill = (signal: NodeJS.Signals): Promise<void> =>
      new Promise((done) => {
        if (child.exitCode !== null || child.signalCode !== null) return done()
        child.removeAllListeners("exit").once("exit", () => done())
        child.kill(signal)
      })
    const hear = (text: Buffer): void => {
      said += String(text)
      const address = /limiting at (\S+):/.exec(said)?.[1]
      if (address !== undefined) resolve({ address, said: () => said, kill })
    }
    child.stdout?.on("data", hear)
    child.stderr?.on("data", hear)
    child.once("exit", (code) => reject(new Error(`wharf ${args.join(" ")} ended with ${code}: ${said}`)))
  })

describeWith(
  "etcd",
  "kube-apiserver",
  "kubectl"
)("wharf serve ratelimiter", (paths) => {
  const directory = mkdtempSync(join(tmpdir(), "ratelimiter-"))
  const config = join(directory, "direct.conf")
  const authority = makeAuthority()
  const serving = authority.sign("limiter", "limiter")
  const own = authority.sign("gateway", "gateway-1")
  const stranger = makeAuthority()
  const limiters: Array<Limiter> = []
  let upstream: RealApiServer

  const kubectl = async (...args: ReadonlyArray<string>): Promise<string> =>
    (await run(paths.kubectl, ["--kubeconfig", config, ...args], { timeout: 60_000, env: { HOME: directory } })).stdout

  const gateway = (name: string, { certFile, keyFile }: typeof own) => {
    const [first = "", ...rest] = limiters.map(({ address }) => address)
    const tls = { caFile: authority.caFile, certFile, keyFile }
    const client = new LimiterClient({
      clockwork: machineClockwork,
      instance: name,
      servers: [first, ...rest],
      transport: limiterDial({ dial: machineDial, tls })
    })
    client.manage(CLUSTER, globalBucket("GlobalAllocate", 300, 300), new Flow(machineClockwork))
    return { client, leased: () => client.managed().every(({ leased }) => leased) }
  }

  /** Who keeps each shard, by the address that gateways go to. */
  const holders = async (): Promise<ReadonlyArray<string>> => {
    const leases = await kubectl(
      "get",
      "leases",
      "-n",
      "kube-gateway",
      "-o",
      "jsonpath={.items[*].spec.holderIdentity}"
    )
    return leases.split(" ").flatMap((holder) => (holder === "" ? [] : [holder.replace(/_.*$/, "")]))
  }

  beforeAll(async () => {
    upstream = await startApiServer(paths)
    const cluster = { server: upstream.url, "insecure-skip-tls-verify": true }
    writeFileSync(
      config,
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        clusters: [{ name: "a", cluster }],
        users: [{ name: "a", user: { token: upstream.token } }],
        contexts: [{ name: "a", context: { cluster: "a", user: "a" } }],
        "current-context": "a"
      })
    )
    const crds = join(directory, "crds.yaml")
    writeFileSync(crds, (await run(wharf, ["gateway", "crds"], { timeout: 60_000 })).stdout)
    await kubectl("apply", "--server-side", "-f", crds)
    await kubectl("wait", "--for=condition=Established", "crd/upstreamclusters.proxy.kubegateway.io")
    const bucket = { qps: 300, burst: 300 }
    const schema = { name: "limited", strategy: "globalAllocate", tokenBucket: { qps: 1, burst: 1 } }
    const file = join(directory, "cluster.json")
    writeFileSync(
      file,
      JSON.stringify({
        apiVersion: "proxy.kubegateway.io/v1alpha1",
        kind: "UpstreamCluster",
        metadata: { name: CLUSTER, annotations: { "proxy.kubegateway.io/feature-gates": "GlobalRateLimiter=true" } },
        spec: {
          servers: [{ endpoint: "http://127.0.0.1:1" }],
          flowControl: { flowControlSchemas: [{ ...schema, globalTokenBucket: bucket }] },
          dispatchPolicies: [{ ...allowAll, flowControlSchemaName: "limited" }]
        }
      })
    )
    await kubectl("apply", "-f", file)
    const tls = ["--tls-cert-file", serving.certFile, "--tls-private-key-file", serving.keyFile]
    const flags = ["--kubeconfig", config, "--sharding-count", "2", ...tls, "--client-ca-file", authority.caFile]
    const store = ["--limit-store", "k8s", "--k8s-store-sync-seconds", "1"]
    limiters.push(...(await Promise.all([0, 1].map(() => startLimiter([...flags, ...store])))))
  }, 180_000)
  afterAll(async () => {
    for (const limiter of limiters) await limiter.kill("SIGKILL")
    await upstream?.stop()
    for (const folder of [directory, authority.folder, stranger.folder])
      rmSync(folder, { recursive: true, force: true })
  })

  it("elects leaders at the API server, keeps conditions there, and survives the death of a leader", async () => {
    await until("both shards are led", async () => (await holders()).length === 2)
    const one = gateway("one", own)
    const nobody = gateway("nobody", stranger.sign("gateway", "gateway-1"))
    try {
      await until("a lease", one.leased)
      assert.isFalse(nobody.leased(), "who shows another authority's certificate gets nothing")
      await until("the conditions are stored", async () => {
        const names = await kubectl("get", "ratelimitconditions", "-o", "jsonpath={.items[*].metadata.name}")
        return names.includes(`${CLUSTER}.state`) && names.includes(`${CLUSTER}.one`)
      })
      // Whoever leads both or one: the first of them dies without a word.
      const [leader] = await holders()
      const dead = limiters.find(({ address }) => address === leader)
      assert.isDefined(dead, `${leader} is one of ${limiters.map(({ address }) => address).join(", ")}`)
      await dead?.kill("SIGKILL")
      await until("the other leads all", async () => {
        const all = await holders()
        return all.length === 2 && all.every((holder) => holder !== leader)
      })
      await until("a lease of the other", one.leased)
      assert.isFalse(nobody.leased())
      assert.notInclude(limiters.map(({ said }) => said()).join(), readFileSync(serving.keyFile, "utf8").slice(30, 90))
    } finally {
      one.client.stop()
      nobody.client.stop()
    }
  })
})

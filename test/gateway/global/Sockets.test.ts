// The limiter as a process would run it, over real sockets with TLS: three gateways share one limit, strangers are turned away, a
// restarted limiter takes over, and the original's paths answer. Only conditions are waited for, never times.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { clusterCertificates } from "#apiserver"
import { machineClockwork } from "#kube"
import { machineDial } from "../../../core/gateway/balance/DialAdapter.ts"
import { LimiterClient } from "../../../core/gateway/global/LimiterClient.ts"
import { limiterDial } from "../../../core/gateway/global/LimiterDial.ts"
import { Flow } from "../../../core/gateway/limits/Flow.ts"
import { type RunningRateLimiter, serveRateLimiter } from "../../../core/gateway/serve/ServeRateLimiter.ts"
import { globalBucket } from "./LimiterWorld.ts"

const CLUSTER = "a.example.io"
const RATE = 300
const BURST = 300

const manifest = `
apiVersion: proxy.kubegateway.io/v1alpha1
kind: UpstreamCluster
metadata: { name: ${CLUSTER}, annotations: { proxy.kubegateway.io/feature-gates: "GlobalRateLimiter=true" } }
spec:
  servers: [ { endpoint: "http://127.0.0.1:1" } ]
  flowControl:
    flowControlSchemas:
    - name: limited
      strategy: globalAllocate
      tokenBucket: { qps: 1, burst: 1 }
      globalTokenBucket: { qps: ${RATE}, burst: ${BURST} }
    - name: counted
      strategy: globalCount
      tokenBucket: { qps: 1, burst: 1 }
      globalTokenBucket: { qps: 10, burst: 10 }
  dispatchPolicies:
  - rules: [ { verbs: ["*"], apiGroups: ["*"], resources: ["*"], nonResourceURLs: ["*"] } ]
    flowControlSchemaName: limited
`

const folder = mkdtempSync(join(tmpdir(), "wharf-limiter-"))
let pem: { readonly ca: string; readonly cert: string; readonly key: string } = { ca: "", cert: "", key: "" }
let scope = Scope.makeUnsafe()
let limiter: RunningRateLimiter

const start = async (port: number): Promise<void> => {
  scope = Scope.makeUnsafe()
  const options = {
    config: { kind: "folder" as const, folder },
    host: "127.0.0.1",
    port,
    identity: undefined,
    shards: 4,
    leaseMs: 1000,
    elect: false,
    storeMs: undefined,
    tls: { cert: pem.cert, key: pem.key },
    clientCa: undefined,
    tokens: "right-token,gateway,1\n"
  }
  limiter = await Effect.runPromise(
    Scope.provide(
      serveRateLimiter(options, () => undefined),
      scope
    )
  )
}

const stop = (): Promise<void> => Effect.runPromise(Scope.close(scope, Exit.void))

const until = async (what: string, condition: () => boolean): Promise<void> => {
  for (let tries = 0; tries < 3000; tries++) {
    if (condition()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.fail(`never came: ${what}`)
}

const gateway = (name: string, token: string) => {
  const client = new LimiterClient({
    clockwork: machineClockwork,
    instance: name,
    servers: [limiter.address],
    transport: limiterDial({ dial: machineDial, tls: { ca: pem.ca }, token: () => token })
  })
  const flow = new Flow(machineClockwork)
  client.manage(CLUSTER, globalBucket("GlobalAllocate", RATE, BURST), flow)
  const admittedAt: Array<number> = []
  const entry = { key: "", longRunning: false, initialListMs: 0, privileged: false, drops: false }
  const ask = (): void => {
    const outcome = flow.enter(entry, () => undefined)
    if (outcome.kind !== "permit") return
    admittedAt.push(performance.now())
    outcome.release()
  }
  const load = setInterval(() => {
    for (let at = 0; at < 4; at++) ask()
  }, 5)
  const leave = (): void => {
    clearInterval(load)
    client.stop()
  }
  return { client, flow, admittedAt, leave, leased: () => client.managed().every(({ leased }) => leased) }
}

beforeAll(async () => {
  writeFileSync(join(folder, "a.yaml"), manifest)
  const made = await Effect.runPromise(clusterCertificates({ directory: undefined, hosts: ["127.0.0.1"] }))
  pem = { ca: made.ca, ...made.server }
  await start(0)
})

afterAll(async () => {
  await stop()
  rmSync(folder, { recursive: true, force: true })
})

/** As much of the limiter's objects as is looked at. */
interface Answer {
  readonly metadata: { readonly name: string }
  readonly items: ReadonlyArray<{ readonly metadata: { readonly name: string } }>
  readonly endpoints: ReadonlyArray<unknown>
  readonly spec: { readonly limitItemConfigurations: ReadonlyArray<object> }
  readonly status: {
    readonly limitItemStatuses: ReadonlyArray<{ readonly tokenBucket: { readonly qps: number } }>
    readonly results: ReadonlyArray<{ readonly limit: number }>
  }
}

const fetched = async (method: string, path: string, body?: object) => {
  const { request } = await import("node:https")
  const [hostname, port] = limiter.address.split(":")
  const headers = { authorization: "Bearer right-token" }
  const target = { hostname, port, method, path: `/apis/proxy.kubegateway.io/v1alpha1/${path}`, ca: pem.ca, headers }
  return new Promise<Answer>((resolve, reject) => {
    const asked = request(target, (answer) => {
      let text = ""
      answer.on("data", (chunk) => (text += chunk))
      answer.on("end", () => resolve(JSON.parse(text)))
    })
    asked.on("error", reject)
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

describe("a limiter over real sockets", () => {
  it("shares one limit among three gateways, turns strangers away, and is taken over after a restart", async () => {
    const gateways = ["one", "two", "three"].map((name) => gateway(name, "right-token"))
    const stranger = gateway("stranger", "wrong-token")
    await until("leases of all", () => gateways.every(({ leased }) => leased()))
    for (const one of gateways) one.admittedAt.length = 0
    await until("admissions of all", () => gateways.every(({ admittedAt }) => admittedAt.length >= 100))
    assert.strictEqual(stranger.admittedAt.length, 0)
    assert.isFalse(stranger.leased())
    const all = gateways.flatMap(({ admittedAt }) => admittedAt).toSorted((left, right) => left - right)
    const spanMs = (all.at(-1) ?? 0) - (all[0] ?? 0)
    assert.isAtMost(all.length, (RATE * spanMs) / 1000 + BURST + 3 + 1)

    const list = await fetched("GET", "ratelimitconditions")
    const names = list.items.map(({ metadata }) => metadata.name)
    assert.includeMembers(names, [`${CLUSTER}.state`, `${CLUSTER}.one`, `${CLUSTER}.two`, `${CLUSTER}.three`])
    const state = await fetched("GET", `ratelimitconditions/${CLUSTER}.state`)
    assert.deepInclude(state.spec.limitItemConfigurations[0], { name: "limited", strategy: "globalAllocate" })
    assert.isAtMost(state.status.limitItemStatuses[0].tokenBucket.qps, RATE)

    const { port } = limiter
    await stop()
    await until("leases to run out", () => gateways.every(({ leased }) => !leased()))
    await start(port)
    await until("leases anew", () => gateways.every(({ leased }) => leased()))
    const before = gateways.map(({ admittedAt }) => admittedAt.length)
    await until("admissions anew", () =>
      gateways.every(({ admittedAt }, at) => admittedAt.length > (before[at] ?? 0) + 20)
    )
    for (const one of [...gateways, stranger]) one.leave()
  })

  it("answers the original's paths", async () => {
    const info = await fetched("GET", "ratelimit/endpoints")
    assert.deepInclude(info as object, { kind: "RateLimitServerInfo", server: limiter.address, shardCount: 4 })
    assert.strictEqual(info.endpoints.length, 4)
    const acquire = (tokens: number) =>
      fetched("POST", `ratelimitconditions/${CLUSTER}/acquire`, {
        metadata: { name: CLUSTER },
        spec: { instance: "old", requestID: 1, requests: [{ flowControl: "counted", tokens }] }
      })
    const taken: Array<number> = []
    for (let tries = 0; tries < 300 && taken.reduce((sum, tokens) => sum + tokens, 0) < 5; tries++) {
      const { status } = await acquire(3)
      taken.push(status.results[0].limit)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    assert.isAtLeast(
      taken.reduce((sum, tokens) => sum + tokens, 0),
      5
    )
    assert.isAtMost(Math.max(...taken), 3)
    const stated = await fetched("PUT", `ratelimitconditions/${CLUSTER}.old-1/status`, {
      spec: { upstreamCluster: CLUSTER, instance: "old:1" },
      status: { limitItemStatuses: [{ name: "limited", tokenBucket: { qps: 10, burst: 1 } }] }
    })
    assert.strictEqual(stated.metadata.name, `${CLUSTER}.old-1`)
    const missing = await fetched("GET", "ratelimitconditions/nobody")
    assert.deepInclude(missing as object, { kind: "Status", code: 404 })
  })
})

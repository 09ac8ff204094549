// What a tenant's request costs more than the same request to the cluster behind, on a real kube-apiserver: GET and CREATE of a
// ConfigMap, one at a time over one HTTP/2 connection each, three ways in turns: direct as the cluster's owner (system:masters, whom
// kube-apiserver exempts from its authorizer and its queues), direct as the tenant's upstream identity, and through the server.
// `node test/tenancy/bench/AddedLatency.ts [ROUNDS]`; SERVER=process has the server in a process of its own. Prints medians.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { connect, type ClientHttp2Session, constants } from "node:http2"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { NodeServices } from "@effect/platform-node"
import { chooseAccess, type KubeAccess, KubeconfigInvalid, parseKubeconfig } from "#kube"
import { findAsset } from "#kind"
import { assertedIdentity, impersonationOf } from "../../../core/tenancy/identity/Caller.ts"
import { type Access, kubeconfigOf } from "../../front/Access.ts"
import { startApiServer } from "../../kube/RealApiServer.ts"
import { startZooAt } from "../judges/Zoo.ts"
import { startZoo } from "../serve/Zoo.ts"

const rounds = Number(process.argv[2] ?? 1500)
const TENANT = "acme01"

const find = (name: "etcd" | "kube-apiserver" | "kubectl") =>
  Effect.runPromise(
    findAsset(name).pipe(
      Effect.map(({ path }) => path),
      Effect.provide(NodeServices.layer)
    )
  )
const programs = {
  etcd: await find("etcd"),
  "kube-apiserver": await find("kube-apiserver"),
  kubectl: await find("kubectl")
}

const accessIn = (text: string): KubeAccess => {
  const config = parseKubeconfig(text, "kubeconfig")
  if (config instanceof KubeconfigInvalid) throw config
  const access = chooseAccess(config, "kubeconfig")
  if (access instanceof KubeconfigInvalid) throw access
  return access
}

interface Bench {
  readonly direct: KubeAccess
  readonly tenant: KubeAccess
  readonly stop: () => Promise<void>
}

const inThisProcess = async (): Promise<Bench> => {
  const zoo = await startZoo(programs)
  await zoo.tenant(TENANT)
  const access = (who: string): KubeAccess => accessIn(readFileSync(zoo.kubeconfig(who), "utf8"))
  return { direct: access("upstream"), tenant: access(TENANT), stop: zoo.stop }
}

const upstreamConfig = (url: string, token: string): string => `
apiVersion: v1
kind: Config
current-context: a
clusters: [{ name: a, cluster: { server: "${url}", insecure-skip-tls-verify: true } }]
users: [{ name: a, user: { token: ${token} } }]
contexts: [{ name: a, context: { cluster: a, user: a } }]
`

const inItsOwn = async (): Promise<Bench> => {
  const upstream = await startApiServer(programs)
  const folder = mkdtempSync(join(tmpdir(), "latency-"))
  const config = upstreamConfig(upstream.url, upstream.token)
  writeFileSync(join(folder, "upstream.conf"), config)
  // What a controller would make in the tenant's namespace.
  const account = JSON.stringify({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } })
  const path = `/api/v1/namespaces/${TENANT}-default/serviceaccounts`
  const headers = { "content-type": "application/json" }
  const making = setInterval(
    () => void upstream.call("POST", path, { body: account, headers }).catch(() => undefined),
    200
  )
  const zoo = await startZooAt({ folder, upstreamConfig: join(folder, "upstream.conf") }, [TENANT])
  clearInterval(making)
  // SAFETY: it was asked for.
  const tenant = accessIn(kubeconfigOf(zoo.tenants.get(TENANT) as Access))
  const stop = async (): Promise<void> => {
    await zoo.stop()
    await upstream.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  return { direct: accessIn(config), tenant, stop }
}

const pem = (source: KubeAccess["user"]["key"]): string | Buffer | undefined =>
  source === undefined ? undefined : "text" in source ? source.text : readFileSync(source.file)

interface Way {
  readonly session: ClientHttp2Session
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string>>>
}

const wayOf = ({ cluster, user }: KubeAccess, headers: Way["headers"] = {}): Way => {
  const [cert, key] = [pem(user.certificate), pem(user.key)]
  const session = connect(cluster.server, {
    rejectUnauthorized: false,
    ...(cert === undefined || key === undefined ? {} : { cert, key })
  })
  return {
    session,
    headers: { ...headers, ...(user.token === undefined ? {} : { authorization: `Bearer ${user.token}` }) }
  }
}

const timed = ({ headers: own, session }: Way, method: string, path: string, body?: string) =>
  new Promise<number>((resolve, reject) => {
    const begun = performance.now()
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: method,
      [constants.HTTP2_HEADER_PATH]: path,
      accept: "application/json",
      ...own,
      ...(body === undefined ? {} : { "content-type": "application/json" })
    })
    let code = 0
    stream.on("response", (headers) => {
      code = Number(headers[":status"])
    })
    stream.on("error", reject)
    stream.on("data", () => undefined)
    stream.on("end", () =>
      code < 300 ? resolve(performance.now() - begun) : reject(new Error(`${method} ${path}: ${code}`))
    )
    stream.end(body)
  })

const quantile = (sorted: ReadonlyArray<number>, q: number): number => sorted[Math.floor(q * (sorted.length - 1))] ?? 0

const bench = process.env["SERVER"] === "process" ? await inItsOwn() : await inThisProcess()
try {
  const admin = `${TENANT}-admin`
  const groups = [`${TENANT}-system:masters`, `${TENANT}-system:authenticated`]
  const fields = impersonationOf(assertedIdentity(TENANT, { name: admin, groups }, true))
  const impersonated = {
    "impersonate-user": admin,
    "impersonate-group": fields.filter(([name]) => name === "impersonate-group").map(([, value]) => value)
  }
  const ways = [
    ["owner", `${TENANT}-default`, wayOf(bench.direct)],
    ["direct", `${TENANT}-default`, wayOf(bench.direct, impersonated)],
    ["tenant", "default", wayOf(bench.tenant)]
  ] as const
  const map = (name: string): string =>
    JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { key: "x".repeat(512) } })
  const path = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps`
  await timed(ways[2][2], "POST", path("default"), map("read"))
  const asked = {
    GET: (way: Way, namespace: string) => timed(way, "GET", `${path(namespace)}/read`),
    CREATE: (way: Way, namespace: string, name: string) => timed(way, "POST", path(namespace), map(name))
  }
  for (const [name, ask] of Object.entries(asked)) {
    const times = ways.map((): Array<number> => [])
    for (let at = 0; at < rounds; at++) {
      // Each is first, second and last in turn.
      for (let turn = 0; turn < ways.length; turn++) {
        const which = (at + turn) % ways.length
        const [who, namespace, way] = ways[which] ?? ways[0]
        times[which]?.push(await ask(way, namespace, `${who}-${at}`))
      }
    }
    // The first tenth warms all up.
    const sorted = times.map((all) => all.slice(rounds / 10).sort((a, b) => a - b))
    const line = ways.map(
      ([who], i) => `${who} ${[0.5, 0.9, 0.99].map((q) => quantile(sorted[i] ?? [], q).toFixed(2)).join(" / ")}`
    )
    const p50 = sorted.map((all) => quantile(all, 0.5))
    const added = [0, 1].map((i) => ((p50[2] ?? 0) - (p50[i] ?? 0)).toFixed(2))
    console.log(
      `${name}: p50 / p90 / p99 ms: ${line.join(", ")}; added p50 ${added[0]} ms to the owner's, ${added[1]} ms to the same identity's`
    )
  }
  for (const [, , { session }] of ways) session.close()
} finally {
  await bench.stop()
}

// What a tenant's request costs more than the same request to the cluster behind, on a real kube-apiserver: GET and CREATE of a
// ConfigMap, and a list of all namespaces, interleaved over one HTTP/2 connection each. Prints medians; judges nothing.
import { connect, constants, type ClientHttp2Session } from "node:http2"
import { Effect } from "effect"
import { NodeServices } from "@effect/platform-node"
import { chooseAccess, KubeconfigInvalid, parseKubeconfig } from "#kube"
import { findAsset } from "#kind"
import { readFileSync } from "node:fs"
import { startZoo } from "../serve/Zoo.ts"

const rounds = Number(process.argv[2] ?? 1500)

const find = (name: "etcd" | "kube-apiserver" | "kubectl") =>
  Effect.runPromise(
    findAsset(name).pipe(
      Effect.map(({ path }) => path),
      Effect.provide(NodeServices.layer)
    )
  )

const zoo = await startZoo({
  etcd: await find("etcd"),
  "kube-apiserver": await find("kube-apiserver"),
  kubectl: await find("kubectl")
})

const sessionOf = (who: string): { readonly session: ClientHttp2Session; readonly token: string | undefined } => {
  const config = parseKubeconfig(readFileSync(zoo.kubeconfig(who), "utf8"), who)
  if (config instanceof KubeconfigInvalid) throw config
  const access = chooseAccess(config, who)
  if (access instanceof KubeconfigInvalid) throw access
  const text = (source: typeof access.user.key): string | undefined =>
    source !== undefined && "text" in source ? source.text : undefined
  const { certificate, key, token } = access.user
  const cert = text(certificate)
  const keyText = text(key)
  const session = connect(access.cluster.server, {
    rejectUnauthorized: false,
    ...(cert === undefined || keyText === undefined ? {} : { cert, key: keyText })
  })
  return { session, token }
}

const timed = ({ session, token }: ReturnType<typeof sessionOf>, method: string, path: string, body?: string) =>
  new Promise<number>((resolve, reject) => {
    const begun = performance.now()
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: method,
      [constants.HTTP2_HEADER_PATH]: path,
      accept: "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
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

try {
  await zoo.tenant("acme01")
  const direct = sessionOf("upstream")
  const tenant = sessionOf("acme01")
  const map = (name: string): string =>
    JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { key: "x".repeat(512) } })
  const path = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps`
  await timed(tenant, "POST", path("default"), map("read"))
  const asked = {
    GET: (at: number) =>
      [
        timed(direct, "GET", `${path("acme01-default")}/read`),
        () => timed(tenant, "GET", `${path("default")}/read`),
        at
      ] as const,
    CREATE: (at: number) =>
      [
        timed(direct, "POST", path("acme01-default"), map(`d-${at}`)),
        () => timed(tenant, "POST", path("default"), map(`t-${at}`)),
        at
      ] as const
  }
  for (const [name, pair] of Object.entries(asked)) {
    const times: { direct: Array<number>; tenant: Array<number> } = { direct: [], tenant: [] }
    for (let at = 0; at < rounds; at++) {
      const [first, second] = pair(at)
      times.direct.push(await first)
      times.tenant.push(await second())
    }
    // The first tenth warms both up.
    const [d, t] = [times.direct, times.tenant].map((all) => all.slice(rounds / 10).sort((a, b) => a - b))
    const line = [0.5, 0.9, 0.99].map(
      (q) => `p${q * 100} ${quantile(d ?? [], q).toFixed(2)} / ${quantile(t ?? [], q).toFixed(2)} ms`
    )
    const added = quantile(t ?? [], 0.5) - quantile(d ?? [], 0.5)
    console.log(`${name}: direct / tenant ${line.join(", ")}; added p50 ${added.toFixed(2)} ms`)
  }
  direct.session.close()
  tenant.session.close()
} finally {
  await zoo.stop()
}

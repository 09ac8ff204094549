// A real kube-apiserver with a tenancy server before it, tenants made through it, and kubectl as any of them.
// Owns the processes and their folder; refuses to judge what they answer.
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { Agent, request } from "node:https"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { defaultServerOptions, serveApiServer, type Streams } from "#apiserver"
import { parseKubeconfig, chooseAccess, type KubeAccess, KubeconfigInvalid } from "#kube"
import { defaultTenantLimits, type RunningTenancy, serveTenancy, type ServeTenancyOptions } from "#tenancy"
import { caller, type RealApiServer, startApiServer } from "../../kube/RealApiServer.ts"

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** A request's answer, with everything that its bytes say. */
export interface Asked {
  readonly code: number
  readonly headers: string
  readonly body: string
}

export interface Zoo {
  readonly upstream: Omit<RealApiServer, "signal">
  readonly running: RunningTenancy
  /** Runs kubectl with the kubeconfig of a tenant, of "operator" here, or of "upstream". */
  readonly kubectl: (who: string, args: ReadonlyArray<string>, input?: string) => Promise<Ran>
  /** Sends one request as a tenant. */
  readonly ask: (
    who: string,
    method: string,
    path: string,
    options?: { readonly body?: string; readonly headers?: Readonly<Record<string, string>> }
  ) => Promise<Asked>
  /** Asks for a connection that is upgraded, says something on it, and answers what comes back. */
  readonly upgrade: (who: string, path: string, protocol: string, said: string) => Promise<string>
  /** Makes a tenant and waits until it can be used. */
  readonly tenant: (id: string, spec?: string) => Promise<void>
  readonly kubeconfig: (who: string) => string
  /** Writes a kubeconfig of this server without any credential, for tokens. */
  readonly bearerKubeconfig: (who: string) => void
  readonly stop: () => Promise<void>
}

/** Without etcd and kube-apiserver our own API server stands behind. */
type Programs = { readonly kubectl: string } & (
  | { readonly etcd: string; readonly "kube-apiserver": string }
  | { readonly etcd?: undefined }
)

/** Our own API server in this process, in the shape of the real one. */
const startOwnServer = async (streams: Streams | undefined): Promise<Omit<RealApiServer, "signal">> => {
  const folder = mkdtempSync(join(tmpdir(), "own-"))
  const scope = Scope.makeUnsafe()
  const token = "of-a-test"
  const tokenAuthFile = join(folder, "tokens.csv")
  writeFileSync(tokenAuthFile, `${token},admin,admin,"system:masters"\n`)
  const options = { ...defaultServerOptions, host: "127.0.0.1", port: 0, tokenAuthFile, streams }
  const { url } = await Effect.runPromise(serveApiServer(options).pipe(Scope.provide(scope)))
  // SAFETY of refusing no certificate: the server made its own a moment ago, and nothing secret is sent.
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false, maxSockets: 8 })
  const stop = async (): Promise<void> => {
    agent.destroy()
    await Effect.runPromise(Scope.close(scope, Exit.void))
    rmSync(folder, { recursive: true, force: true })
  }
  return { url, token, call: caller(Number(new URL(url).port), agent), stop }
}

const upstreamConfig = (url: string, token: string): string => `
apiVersion: v1
kind: Config
current-context: a
clusters: [{ name: a, cluster: { server: "${url}", insecure-skip-tls-verify: true } }]
users: [{ name: a, user: { token: ${token} } }]
contexts: [{ name: a, context: { cluster: a, user: a } }]
`

const accessIn = (text: string): KubeAccess => {
  const config = parseKubeconfig(text, "kubeconfig")
  if (config instanceof KubeconfigInvalid) throw config
  const access = chooseAccess(config, "kubeconfig")
  if (access instanceof KubeconfigInvalid) throw access
  return access
}

export const until = async (what: string, check: () => Promise<boolean>): Promise<void> => {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (await check()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`gave up waiting: ${what}`)
}

const pemOf = (source: KubeAccess["user"]["certificate"]): string | undefined =>
  source !== undefined && "text" in source ? source.text : undefined

/** Starts everything; ready when it returns. */
export const startZoo = async (
  programs: Programs,
  options: Partial<ServeTenancyOptions> & {
    readonly flags?: ReadonlyArray<string>
    readonly streams?: Streams
    /** The token of whom the server is to the cluster behind it; by default the administrator's. */
    readonly tokenOf?: (upstream: Omit<RealApiServer, "signal">) => Promise<string>
  } = {}
): Promise<Zoo> => {
  const { flags = [], streams, tokenOf, ...further } = options
  const upstream = await (programs.etcd === undefined ? startOwnServer(streams) : startApiServer(programs, flags))
  const folder = mkdtempSync(join(tmpdir(), "zoo-"))
  const scope = Scope.makeUnsafe()
  const configs = new Map<string, string>()
  const agents = new Map<string, { readonly agent: Agent; readonly port: number }>()
  const write = (who: string, text: string): void => {
    writeFileSync(join(folder, who), text)
    configs.set(who, text)
  }
  write("upstream", upstreamConfig(upstream.url, upstream.token))
  const stop = async (): Promise<void> => {
    for (const { agent } of agents.values()) agent.destroy()
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await upstream.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  const serverToken = tokenOf === undefined ? upstream.token : await tokenOf(upstream)
  const serving = serveTenancy({
    access: accessIn(upstreamConfig(upstream.url, serverToken)),
    host: "127.0.0.1",
    port: 0,
    dataDir: undefined,
    hosts: [],
    publicUrl: undefined,
    podsServer: undefined,
    clientCa: "",
    limits: { ...defaultTenantLimits, requestsPerSecond: 10_000, burst: 10_000 },
    kubeconfigSeconds: 3600,
    kubeconfigMaxSeconds: 7200,
    ...further
  })
  const running = await Effect.runPromise(serving.pipe(Scope.provide(scope))).catch(async (failure: unknown) => {
    await stop()
    throw failure
  })
  write("operator", running.kubeconfig)

  const kubectl: Zoo["kubectl"] = (who, args, input) =>
    new Promise((resolve) => {
      const own = ["--kubeconfig", join(folder, who), "--cache-dir", join(folder, `cache-${who}`), ...args]
      const child = execFile(programs.kubectl, own, { timeout: 60_000, maxBuffer: 2 ** 26 }, (problem, out, err) =>
        resolve({ code: problem === null ? 0 : Number(problem.code ?? 1), out, err })
      )
      child.stdin?.end(input ?? "")
    })

  const connection = (who: string) => {
    const known = agents.get(who)
    if (known !== undefined) return known
    const { cluster, user } = accessIn(configs.get(who) ?? "")
    const ca = pemOf(cluster.certificateAuthority)
    const agent = new Agent({ keepAlive: true, ca, cert: pemOf(user.certificate), key: pemOf(user.key) })
    const made = { agent, port: Number(new URL(cluster.server).port) }
    agents.set(who, made)
    return made
  }
  const ask: Zoo["ask"] = (who, method, path, { body, headers = {} } = {}) =>
    new Promise((resolve, reject) => {
      const { agent, port } = connection(who)
      const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) }
      const type = body === undefined ? {} : { "content-type": "application/json" }
      const sent = request(
        { agent, host: "127.0.0.1", port, method, path, headers: { ...length, ...type, ...headers } },
        (response) => {
          const chunks: Array<Buffer> = []
          response.on("data", (chunk: Buffer) => chunks.push(chunk))
          response.on("error", reject)
          response.on("end", () =>
            resolve({
              code: response.statusCode ?? 0,
              headers: response.rawHeaders.join("\n"),
              body: Buffer.concat(chunks).toString("utf8")
            })
          )
        }
      )
      sent.on("error", reject)
      sent.end(body)
    })

  const upgrade: Zoo["upgrade"] = (who, path, protocol, said) =>
    new Promise((resolve, reject) => {
      const { agent, port } = connection(who)
      const headers = { connection: "Upgrade", upgrade: protocol, "x-stream-protocol-version": "v4.channel.k8s.io" }
      const sent = request({ agent, host: "127.0.0.1", port, method: "POST", path, headers })
      sent.on("upgrade", (response, socket) => {
        socket.on("data", (bytes: Buffer) => {
          resolve(`${response.statusCode} ${String(response.headers["upgrade"])} ${bytes.toString("utf8")}`)
          socket.destroy()
        })
        socket.write(said)
      })
      sent.on("response", (response) => resolve(String(response.statusCode)))
      sent.on("error", reject)
      sent.end()
    })

  const tenant: Zoo["tenant"] = async (id, spec = "{}") => {
    const manifest = `{"apiVersion":"tenant.kubezoo.io/v1alpha1","kind":"Tenant","metadata":{"name":"${id}"},"spec":${spec}}`
    const made = await kubectl("operator", ["create", "--validate=false", "-f", "-"], manifest)
    if (made.code !== 0) throw new Error(`tenant ${id}: ${made.err}`)
    await until(`tenant ${id} is ready`, async () => {
      const read = await upstream.call("GET", `/apis/tenant.kubezoo.io/v1alpha1/tenants/${id}`)
      return read.body.includes('"phase":"Ready"')
    })
    const path = `/apis/tenant.kubezoo.io/v1alpha1/tenants/${id}/kubeconfig`
    const issued = await ask("operator", "POST", path)
    if (issued.code !== 201) throw new Error(`kubeconfig of ${id}: ${issued.body}`)
    write(id, issued.body)
  }
  const bearerKubeconfig = (who: string): void =>
    write(
      who,
      running.kubeconfig.replaceAll(/^ +client-(certificate|key)-data: .*\n/gm, "").replace(/user:\s*$/m, "user: {}")
    )
  return {
    upstream,
    running,
    kubectl,
    ask,
    upgrade,
    tenant,
    kubeconfig: (who) => join(folder, who),
    bearerKubeconfig,
    stop
  }
}

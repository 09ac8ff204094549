// The two API servers that are measured beside each other: ours on its own store, and a real kube-apiserver on a real etcd.
// Owns their processes, data on disk (both sync every commit) and what they cost; refuses to send any load.
import { type ChildProcess, spawn } from "node:child_process"
import { generateKeyPairSync } from "node:crypto"
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { Agent, request } from "node:https"
import { join, resolve } from "node:path"
import { freePort } from "../../FreePort.ts"

export const TOKEN = "of-a-benchmark"

export interface Side {
  readonly name: "ours" | "kube-apiserver"
  readonly url: string
  readonly kubeconfig: string
  readonly processes: ReadonlyArray<ChildProcess>
  readonly call: (
    method: string,
    path: string,
    body?: object
  ) => Promise<{ readonly code: number; readonly body: string }>
  readonly stop: () => Promise<void>
}

/** CPU milliseconds (user and system, all threads) and resident bytes now and at the most, of all processes of a side. */
export interface Cost {
  readonly cpuMs: number
  readonly residentBytes: number
  readonly peakBytes: number
}

const TICKS_PER_SECOND = 100

const statusOf = (pid: number, field: string): number =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024

/** Reads what a side has cost since it began. */
export const costOf = ({ processes }: Side): Cost => {
  const cost = { cpuMs: 0, residentBytes: 0, peakBytes: 0 }
  for (const { pid } of processes) {
    if (pid === undefined) continue
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ")
    cost.cpuMs += ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND
    cost.residentBytes += statusOf(pid, "VmRSS")
    cost.peakBytes += statusOf(pid, "VmHWM")
  }
  return cost
}

const running = new Set<ChildProcess>()
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1))

/** Starts a program that ends with this process at the latest. */
const run = (program: string, args: ReadonlyArray<string>): ChildProcess => {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "ignore"] })
  running.add(child)
  child.once("exit", () => running.delete(child))
  return child
}

const end = (child: ChildProcess): Promise<void> =>
  new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) return done()
    child.once("exit", () => done())
    child.kill("SIGKILL")
  })

const caller = (port: number, agent: Agent): Side["call"] => {
  return (method, path, body) =>
    new Promise((done, failed) => {
      const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" }
      const sent = request({ agent, host: "127.0.0.1", port, method, path, headers }, (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("error", failed)
        response.on("end", () => done({ code: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
      })
      sent.on("error", failed)
      sent.end(body === undefined ? undefined : JSON.stringify(body))
    })
}

const kubeconfigOf = (url: string): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "bench", cluster: { server: url, "insecure-skip-tls-verify": true } }],
    users: [{ name: "bench", user: { token: TOKEN } }],
    contexts: [{ name: "bench", context: { cluster: "bench", user: "bench" } }],
    "current-context": "bench"
  })

const opened = async (
  name: Side["name"],
  folder: string,
  port: number,
  processes: ReadonlyArray<ChildProcess>
): Promise<Side> => {
  const url = `https://127.0.0.1:${port}`
  const kubeconfig = join(folder, "kubeconfig.json")
  writeFileSync(kubeconfig, kubeconfigOf(url))
  // SAFETY of refusing no certificate: the server made its own a moment ago, and nothing secret is sent.
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false, maxSockets: 4 })
  const call = caller(port, agent)
  const stop = async (): Promise<void> => {
    agent.destroy()
    await Promise.all(processes.map(end))
    rmSync(folder, { recursive: true, force: true })
  }
  for (let attempt = 0; attempt < 300; attempt++) {
    const answer = await call("GET", "/readyz").catch(() => undefined)
    if (answer?.code === 200) return { name, url, kubeconfig, processes, call, stop }
    await new Promise((done) => setTimeout(done, 200))
  }
  await stop()
  throw new Error(`${name} was not ready within 60 s`)
}

const prepare = (parent: string, name: string): { readonly folder: string; readonly tokens: string } => {
  const folder = resolve(parent, name)
  mkdirSync(folder, { recursive: true })
  const tokens = join(folder, "tokens.csv")
  writeFileSync(tokens, `${TOKEN},admin,admin,"system:masters"\n`)
  return { folder, tokens }
}

/** Starts ours on its own store. */
export const startOurs = async (parent: string, wharf: string): Promise<Side> => {
  const { folder, tokens } = prepare(parent, "ours")
  const port = await freePort()
  const args = ["serve", "apiserver", "--listen", `127.0.0.1:${port}`, "--data-dir", join(folder, "data")]
  const child = run(wharf, [...args, "--token-auth-file", tokens, "--kubeconfig", join(folder, "admin.conf")])
  return opened("ours", folder, port, [child])
}

/** Starts a kube-apiserver on an etcd. */
export const startReal = async (
  parent: string,
  programs: { readonly etcd: string; readonly "kube-apiserver": string }
): Promise<Side> => {
  const { folder, tokens } = prepare(parent, "real")
  const key = join(folder, "sa.key")
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  writeFileSync(key, privateKey.export({ type: "pkcs1", format: "pem" }))
  const [client, peer, port] = [await freePort(), await freePort(), await freePort()]
  const store = `http://127.0.0.1:${client}`
  const peers = `http://127.0.0.1:${peer}`
  const etcd = run(
    programs.etcd,
    [
      [`--data-dir=${join(folder, "etcd")}`, `--listen-client-urls=${store}`, `--advertise-client-urls=${store}`],
      [`--listen-peer-urls=${peers}`, `--initial-advertise-peer-urls=${peers}`, `--initial-cluster=default=${peers}`]
    ].flat()
  )
  const server = run(
    programs["kube-apiserver"],
    [
      [`--etcd-servers=${store}`, `--secure-port=${port}`, "--bind-address=127.0.0.1"],
      [`--cert-dir=${join(folder, "certs")}`, "--service-account-issuer=https://kubernetes.default.svc"],
      [`--service-account-key-file=${key}`, `--service-account-signing-key-file=${key}`],
      [`--token-auth-file=${tokens}`, "--authorization-mode=Node,RBAC", "--service-cluster-ip-range=10.0.0.0/16"]
    ].flat()
  )
  return opened("kube-apiserver", folder, port, [server, etcd])
}

// Two clusters side by side for comparisons: `wharf serve apiserver` and a real kube-apiserver on etcd, each with a real
// kube-controller-manager and with hollow nodes, and kubectl for both.
// Owns processes and their folder; refuses to judge what anybody answers.
import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { Agent } from "node:https"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { caller, type RealApiServer, startApiServer } from "../../kube/RealApiServer.ts"
import { keepPods } from "./PodKeeper.ts"

export type Side = "ours" | "real"
export const SIDES: ReadonlyArray<Side> = ["ours", "real"]

export interface Programs {
  readonly etcd: string
  readonly "kube-apiserver": string
  readonly "kube-controller-manager": string
  readonly kubectl: string
}

/** What a command line said. */
export interface Said {
  readonly code: number
  readonly out: string
}

export interface Running {
  /** Ends it and tells what it said. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<Said>
  /** What it has said so far. */
  readonly said: () => string
  readonly ended: Promise<Said>
  readonly pid: number | undefined
}

export interface Cluster {
  readonly side: Side
  readonly url: string
  readonly call: RealApiServer["call"]
  /** Starts kubectl; its standard output and its errors are one text, errors last. */
  readonly kubectl: (args: ReadonlyArray<string>, input?: string, env?: NodeJS.ProcessEnv) => Running
  readonly folder: string
}

export interface Rig {
  readonly ours: Cluster
  readonly real: Cluster
  readonly stop: () => Promise<void>
}

const root = new URL("../../..", import.meta.url).pathname
const TOKEN = "of-a-test"
/** Users of the tour beside its administrator. */
const TOKENS = `${TOKEN},admin,admin,"system:masters"\n`

/** A kubeconfig of the administrator of a server on this machine. */
export const kubeconfig = (server: string): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "tour",
    clusters: [{ name: "tour", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "admin", user: { token: TOKEN } }],
    contexts: [{ name: "tour", context: { cluster: "tour", user: "admin" } }]
  })

const started = new Set<ChildProcess>()
process.once("exit", () => {
  for (const child of started) child.kill("SIGKILL")
})

/** Starts a program; what it says is kept whole. */
export const run = (
  program: string,
  args: ReadonlyArray<string>,
  options: { readonly input?: string | undefined; readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {}
): Running => {
  const child = spawn(program, args, { env: { ...process.env, ...options.env }, cwd: options.cwd, stdio: "pipe" })
  started.add(child)
  const [out, errors]: [Array<Buffer>, Array<Buffer>] = [[], []]
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk))
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk))
  child.stdin.on("error", () => undefined)
  child.stdin.end(options.input ?? "")
  const said = (): string => Buffer.concat([...out, ...errors]).toString("utf8")
  const ended = new Promise<Said>((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (code) => {
      started.delete(child)
      resolve({ code: code ?? -1, out: said() })
    })
  })
  const stop: Running["stop"] = (signal = "SIGTERM") => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    return ended
  }
  return { stop, said, ended, pid: child.pid }
}

/** Waits for a condition, a minute at most. */
export const until = async (what: string, done: () => boolean | Promise<boolean>): Promise<void> => {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (await done()) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`${what} did not happen within 60 s`)
}

/** Our API server as its command line starts it, in a process of its own. */
export const startOurs = async (
  folder: string,
  flags: ReadonlyArray<string> = []
): Promise<{ readonly url: string; readonly call: RealApiServer["call"]; readonly stop: () => Promise<Said> }> => {
  const tokens = join(folder, "tokens.csv")
  writeFileSync(tokens, TOKENS)
  const args = ["serve", "apiserver", "--listen", "127.0.0.1:0", "--token-auth-file", tokens]
  const server = run(
    process.execPath,
    [join(root, "wharf.ts"), ...args, "--kubeconfig", join(folder, "admin.conf"), ...flags],
    { cwd: root }
  )
  await until("our API server's start", () => /serving https:\S+/.test(server.said()))
  const [, url = ""] = /serving (https:\S+)/.exec(server.said()) ?? []
  // SAFETY of refusing no certificate: the server made its own a moment ago, and nothing secret is sent.
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false, maxSockets: 8 })
  const stop = (): Promise<Said> => {
    agent.destroy()
    return server.stop()
  }
  return { url, call: caller(Number(new URL(url).port), agent), stop }
}

/** Controllers that need more than an API server, or whose time would be the tour's. */
const CONTROLLERS = [
  "*",
  "-node-lifecycle-controller",
  "-node-ipam-controller",
  "-taint-eviction-controller",
  "-certificatesigningrequest-signing-controller",
  "-serviceaccount-token-controller"
]

/** Starts the real controllers against a server. */
export const startControllers = (program: string, config: string): Running =>
  run(program, [
    `--kubeconfig=${config}`,
    "--kube-api-content-type=application/json",
    "--leader-elect=false",
    "--secure-port=0",
    `--controllers=${CONTROLLERS.join(",")}`
  ])

/** A side of a comparison: kubectl in a folder of its own, with a kubeconfig of its own. */
export const clusterOf = (
  side: Side,
  folder: string,
  kubectl: string,
  server: Pick<RealApiServer, "url" | "call">,
  access = kubeconfig(server.url)
): Cluster => {
  const config = join(folder, "tour.conf")
  writeFileSync(config, access)
  const usual = { HOME: folder, KUBECONFIG: config, NO_COLOR: "1" }
  return {
    side,
    url: server.url,
    call: server.call,
    folder,
    kubectl: (args, input, env = {}) => run(kubectl, args, { input, env: { ...usual, ...env }, cwd: folder })
  }
}

/** Starts both clusters; ready when both have their default service account and two nodes. */
export const startRig = async (programs: Programs): Promise<Rig> => {
  const folder = mkdtempSync(join(tmpdir(), "kubectl-tour-"))
  const folders = { ours: join(folder, "ours"), real: join(folder, "real") }
  for (const side of SIDES) mkdirSync(folders[side])
  const [ours, real] = await Promise.all([
    startOurs(folders.ours),
    startApiServer(programs, ["--allow-privileged", "--enable-bootstrap-token-auth"], true)
  ])
  const clusters = {
    ours: clusterOf("ours", folders.ours, programs.kubectl, ours),
    real: clusterOf("real", folders.real, programs.kubectl, real)
  }
  const controllers = SIDES.map((side) =>
    startControllers(programs["kube-controller-manager"], join(folders[side], "tour.conf"))
  )
  const keepers = await Promise.all(SIDES.map((side) => keepPods(clusters[side].call)))
  const stop = async (): Promise<void> => {
    for (const keeper of keepers) keeper.stop()
    await Promise.all([...controllers.map((one) => one.stop()), ours.stop(), real.stop()])
    if (process.env["TOUR_KEEP"] === undefined) rmSync(folder, { recursive: true, force: true })
  }
  try {
    for (const side of SIDES) {
      await until(`the default service account of ${side}`, async () => {
        const { code } = await clusters[side].call("GET", "/api/v1/namespaces/default/serviceaccounts/default")
        return code === 200
      })
    }
  } catch (failure) {
    for (const one of controllers) process.stderr.write(one.said().slice(-2000))
    await stop()
    throw failure
  }
  return { ...clusters, stop }
}

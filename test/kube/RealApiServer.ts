// A real kube-apiserver on a real etcd, on free ports of this machine, for the generator of tables and for tests that compare.
// Owns the two processes and their folder; refuses to judge what they answer.
import { type ChildProcess, spawn } from "node:child_process"
import { generateKeyPairSync } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { Agent, request } from "node:https"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort } from "../FreePort.ts"

export interface Answer {
  readonly code: number
  readonly headers: NodeJS.Dict<string | ReadonlyArray<string>>
  readonly body: string
}

export interface RealApiServer {
  readonly url: string
  /** Of a member of system:masters. */
  readonly token: string
  readonly call: (
    method: string,
    path: string,
    options?: { readonly body?: string; readonly headers?: Readonly<Record<string, string>> }
  ) => Promise<Answer>
  /** Sends a signal to the API server's process: to stop it for a while, and to let it go on. */
  readonly signal: (signal: NodeJS.Signals) => void
  /** Ends both processes and removes their folder. */
  readonly stop: () => Promise<void>
}

const running = new Set<ChildProcess>()
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

/** Starts a program that says nothing and ends with this process at the latest. */
export const start = (program: string, args: ReadonlyArray<ReadonlyArray<string>>): ChildProcess => {
  const child = spawn(program, args.flat(), { stdio: "ignore" })
  running.add(child)
  child.once("exit", () => running.delete(child))
  return child
}

/** Kills it and waits until it is gone. */
export const end = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once("exit", () => resolve())
    child.kill("SIGKILL")
  })

const token = "of-a-test"

const writeCredentials = (folder: string): void => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  writeFileSync(join(folder, "sa.key"), privateKey.export({ type: "pkcs1", format: "pem" }))
  writeFileSync(join(folder, "tokens.csv"), `${token},admin,admin,"system:masters"\n`)
}

/** Calls an API server on this machine as a member of system:masters. */
export const caller =
  (port: number, agent: Agent): RealApiServer["call"] =>
  (method, path, options = {}) =>
    new Promise((resolve, reject) => {
      // Without its length a DELETE's body would be read as the next request.
      const length = options.body === undefined ? {} : { "content-length": Buffer.byteLength(options.body) }
      const headers = { authorization: `Bearer ${token}`, ...length, ...options.headers }
      const sent = request({ agent, host: "127.0.0.1", port, method, path, headers }, (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("error", reject)
        response.on("end", () =>
          resolve({
            code: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString("utf8")
          })
        )
      })
      sent.on("error", reject)
      sent.end(options.body)
    })

const ready = async (call: RealApiServer["call"]): Promise<void> => {
  for (let attempt = 0; attempt < 300; attempt++) {
    const answer = await call("GET", "/readyz").catch(() => undefined)
    if (answer?.code === 200) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error("kube-apiserver was not ready within 60 s")
}

/** Starts both and waits until the API server is ready; the folder and the processes are gone after `stop`. */
export const startApiServer = async (
  programs: { readonly etcd: string; readonly "kube-apiserver": string },
  flags: ReadonlyArray<string> = [],
  /** Pods need service accounts: for those who also run the controller that makes them. */
  serviceAccounts = false
): Promise<RealApiServer> => {
  const folder = mkdtempSync(join(tmpdir(), "apiserver-"))
  writeCredentials(folder)
  const [client, peer, secure] = [await freePort(), await freePort(), await freePort()]
  const store = `http://127.0.0.1:${client}`
  const peers = `http://127.0.0.1:${peer}`
  const etcd = start(programs.etcd, [
    [`--data-dir=${join(folder, "etcd")}`, `--listen-client-urls=${store}`, `--advertise-client-urls=${store}`],
    [`--listen-peer-urls=${peers}`, `--initial-advertise-peer-urls=${peers}`, `--initial-cluster=default=${peers}`],
    ["--unsafe-no-fsync"]
  ])
  const server = start(programs["kube-apiserver"], [
    [`--etcd-servers=${store}`, `--secure-port=${secure}`, "--bind-address=127.0.0.1"],
    [`--cert-dir=${join(folder, "certs")}`, "--service-account-issuer=https://kubernetes.default.svc"],
    [`--service-account-key-file=${join(folder, "sa.key")}`],
    [`--service-account-signing-key-file=${join(folder, "sa.key")}`],
    [`--token-auth-file=${join(folder, "tokens.csv")}`, "--authorization-mode=RBAC"],
    ["--service-cluster-ip-range=10.0.0.0/16", "--endpoint-reconciler-type=none"],
    [...(serviceAccounts ? [] : ["--disable-admission-plugins=ServiceAccount"]), ...flags]
  ])
  // SAFETY of refusing no certificate: the server made its own a moment ago, and nothing secret is sent.
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false, maxSockets: 8 })
  const call = caller(secure, agent)
  const stop = async (): Promise<void> => {
    agent.destroy()
    await Promise.all([end(server), end(etcd)])
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await ready(call)
  } catch (failure) {
    await stop()
    throw failure
  }
  return { url: `https://127.0.0.1:${secure}`, token, call, signal: (signal) => void server.kill(signal), stop }
}

// A real kube-apiserver on a real etcd, with certificates of a throw-away authority: what clients are judged by.
// Owns both processes and their folder, gone at the end.
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { request } from "node:https"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { makeAuthority } from "../net/Certificates.ts"

const READY_WITHIN_MS = 60_000

export interface RealApiServer {
  readonly url: string
  readonly caFile: string
  /** A kubeconfig of an administrator by client certificate ("cert") and by token ("token"). */
  readonly kubeconfig: string
  readonly stop: () => Promise<void>
}

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const kubeconfigOf = (url: string, caFile: string, cert: { certFile: string; keyFile: string }): string => `
apiVersion: v1
kind: Config
current-context: cert
clusters: [{ name: real, cluster: { server: "${url}", certificate-authority: ${caFile} } }]
contexts:
- { name: cert, context: { cluster: real, user: cert, namespace: default } }
- { name: token, context: { cluster: real, user: token } }
users:
- name: cert
  user:
    client-certificate-data: ${readFileSync(cert.certFile).toString("base64")}
    client-key-data: ${readFileSync(cert.keyFile).toString("base64")}
- { name: token, user: { token: a-token-of-tests } }
`

const isReady = (url: string, caFile: string): Promise<boolean> =>
  new Promise((resolve) => {
    const asked = request(
      `${url}/readyz`,
      { ca: readFileSync(caFile), headers: { authorization: "Bearer a-token-of-tests" } },
      (answer) => {
        answer.resume()
        resolve(answer.statusCode === 200)
      }
    )
    asked.on("error", () => resolve(false))
    asked.end()
  })

/** Starts both and waits until the API server is ready. */
export const startRealApiServer = async (
  programs: { readonly etcd: string; readonly "kube-apiserver": string },
  flags: ReadonlyArray<string> = []
): Promise<RealApiServer> => {
  const folder = mkdtempSync(join(tmpdir(), "wharf-apiserver-"))
  const authority = makeAuthority()
  const serving = authority.sign("serving", "kube-apiserver")
  const admin = authority.sign("admin", "admin/O=system:masters")
  const children: Array<ChildProcess> = []
  const start = (program: string, name: string, args: ReadonlyArray<string>): void => {
    const log = openSync(join(folder, `${name}.log`), "w")
    children.push(spawn(program, args, { stdio: ["ignore", log, log] }))
  }
  const stop = async (): Promise<void> => {
    for (const child of children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const gone = new Promise((resolve) => child.once("exit", resolve))
      child.kill("SIGKILL")
      await gone
    }
    for (const path of [folder, authority.folder]) rmSync(path, { recursive: true, force: true })
  }
  const [client, peer, secure] = [await freePort(), await freePort(), await freePort()]
  const store = `http://127.0.0.1:${client}`
  const url = `https://127.0.0.1:${secure}`
  const tokens = join(folder, "tokens.csv")
  writeFileSync(tokens, 'a-token-of-tests,tester,1,"system:masters"\n')
  start(programs.etcd, "etcd", [
    `--data-dir=${join(folder, "etcd")}`,
    `--listen-client-urls=${store}`,
    `--advertise-client-urls=${store}`,
    `--listen-peer-urls=http://127.0.0.1:${peer}`,
    "--unsafe-no-fsync"
  ])
  start(programs["kube-apiserver"], "kube-apiserver", [
    `--etcd-servers=${store}`,
    `--secure-port=${secure}`,
    "--bind-address=127.0.0.1",
    `--cert-dir=${folder}`,
    `--tls-cert-file=${serving.certFile}`,
    `--tls-private-key-file=${serving.keyFile}`,
    `--client-ca-file=${authority.caFile}`,
    `--token-auth-file=${tokens}`,
    "--authorization-mode=RBAC",
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${serving.certFile}`,
    `--service-account-signing-key-file=${serving.keyFile}`,
    "--service-cluster-ip-range=10.0.0.0/24",
    "--disable-admission-plugins=ServiceAccount",
    ...flags
  ])
  const kubeconfig = join(folder, "kubeconfig")
  writeFileSync(kubeconfig, kubeconfigOf(url, authority.caFile, admin))
  for (const end = Date.now() + READY_WITHIN_MS; !(await isReady(url, authority.caFile)); await sleep(100)) {
    if (Date.now() < end && children.every(({ exitCode }) => exitCode === null)) continue
    const said = readFileSync(join(folder, "kube-apiserver.log"), "utf8").slice(-2000)
    await stop()
    throw new Error(`kube-apiserver is not ready: ${said}`)
  }
  return { url, caFile: authority.caFile, kubeconfig, stop }
}

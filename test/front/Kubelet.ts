// What stands behind the nodes of a rig: kwok's server answers exec, attach, logs and port-forward as a kubelet does, running commands on
// this machine and reading files of the rig.
// Owns that process and the web server to which ports are forwarded; refuses to run pods, which PodKeeper.ts does.
import { createServer } from "node:http"
import { mkdirSync, writeFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { run, until } from "../apiserver/kubectl/Rig.ts"
import type { KubeletAddress } from "../apiserver/kubectl/PodKeeper.ts"
import { asking } from "./Access.ts"
import { freePort } from "../FreePort.ts"

export interface Kubelet {
  readonly address: KubeletAddress
  /** Where commands run. */
  readonly workFolder: string
  readonly logFile: string
  readonly stop: () => Promise<void>
}

const resource = (kind: string, spec: object): string =>
  JSON.stringify({ apiVersion: "kwok.x-k8s.io/v1alpha1", kind, metadata: { name: "all" }, spec })

const STAGES = new URL("../apiserver/kubectl/churn/stages.yaml", import.meta.url).pathname

/** What a container has logged when anybody asks, in the form that container runtimes write. */
const LOGGED = ["first", "second", "third"]
  .map((what, at) => `2026-11-28T00:00:0${at}.000000000Z stdout F ${what} line\n`)
  .join("")

const startPage = async (): Promise<{ readonly port: number; readonly stop: () => void }> => {
  const server = createServer((request, response) => {
    response.setHeader("content-type", "text/plain")
    response.end(`${request.method} ${request.url} answered by the pod\n`)
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the pod's page has no port")
  return { port: address.port, stop: () => server.close() }
}

/** Starts it in a folder, with a serving certificate and a kubeconfig to a cluster that it only reads. */
export const startKubelet = async (
  program: string,
  options: {
    readonly folder: string
    readonly kubeconfig: string
    readonly caFile: string
    readonly certFile: string
    readonly keyFile: string
  }
): Promise<Kubelet> => {
  const { caFile, certFile, folder, keyFile, kubeconfig } = options
  const workFolder = join(folder, "container")
  mkdirSync(workFolder, { recursive: true })
  const logFile = join(folder, "container.log")
  writeFileSync(logFile, LOGGED)
  const page = await startPage()
  const config = join(folder, "kwok.yaml")
  writeFileSync(
    config,
    [
      resource("ClusterExec", { execs: [{ local: { workDir: workFolder, envs: [{ name: "IN", value: "a pod" }] } }] }),
      resource("ClusterAttach", { attaches: [{ logsFile: logFile }] }),
      resource("ClusterLogs", { logs: [{ logsFile: logFile, follow: true }] }),
      resource("ClusterPortForward", { forwards: [{ target: { port: page.port, address: "127.0.0.1" } }] })
    ].join("\n---\n")
  )
  // kwok never tells a command that its input has ended; read block by block, tar knows it from the archive.
  const shims = join(folder, "bin")
  mkdirSync(shims)
  writeFileSync(join(shims, "tar"), '#!/bin/sh\nexec /usr/bin/env PATH="${PATH#*:}" tar -b 1 "$@"\n', { mode: 0o755 })
  const port = await freePort()
  const server = run(
    program,
    [
      `--kubeconfig=${kubeconfig}`,
      // Without stages it does not start; those of nobody's node are never played.
      `--config=${STAGES}`,
      `--config=${config}`,
      // It answers for nodes, and manages none.
      "--manage-single-node=nobody",
      `--server-address=127.0.0.1:${port}`,
      `--tls-cert-file=${certFile}`,
      `--tls-private-key-file=${keyFile}`
    ],
    { env: { HOME: folder, PATH: `${shims}${delimiter}${process.env["PATH"]}` } }
  )
  let ended = false
  void server.ended.then(() => (ended = true))
  const { ask, close } = asking({ url: `https://127.0.0.1:${port}`, caFile })
  await until("kwok's server", async () => {
    if (ended) throw new Error(`kwok ended: ${server.said().slice(-2000)}`)
    return (await ask("/healthz").catch(() => undefined))?.code === 200
  })
  close()
  const stop = async (): Promise<void> => {
    page.stop()
    await server.stop()
  }
  return { address: { host: "127.0.0.1", port }, workFolder, logFile, stop }
}

// How fast a served cluster is: `node test/sim/cluster/RealTimeBench.ts [NODES] [PODS]` starts `wharf serve cluster`, asks for a Deployment
// over HTTP and waits until all its pods run. It prints wall and processor time of the server and asserts nothing: timings are read.
// Needs no kubectl; the processor time is what says something on a machine that others use as well.
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { NodeServices } from "@effect/platform-node"
import { Effect, Exit, Scope } from "effect"
import { ApiFailure, type Client, gvr, httpClient, type KubeObject, loadAccess, machineClockwork } from "#kube"

const [nodes = 1000, pods = 3000] = process.argv.slice(2).map(Number)
const wharf = fileURLToPath(new URL("../../../bin/wharf", import.meta.url))
const deployments = gvr("apps", "v1", "deployments")
const labels = { app: "web" }
const TICKS_PER_SECOND = 100

/** Seconds of processor time that a process has used, its own and the system's for it. */
const processorSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ")
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

const residentMiB = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024

const startCluster = (config: string): Promise<ChildProcess> =>
  new Promise((ready, failed) => {
    const flags = ["--nodes", `${nodes}`, "--listen", "127.0.0.1:0", "--kubeconfig", config]
    const server = spawn(wharf, ["serve", "cluster", ...flags], { stdio: ["ignore", "pipe", "inherit"] })
    let said = ""
    server.stdout.on("data", (text: Buffer) => {
      said += String(text)
      if (said.includes(" nodes ready ")) ready(server)
    })
    server.once("exit", (code) => failed(new Error(`the cluster ended with ${code}`)))
  })

const deployment: KubeObject = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "default" },
  spec: {
    replicas: pods,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: "web", image: "web" }] } }
  }
}

/** Creates the Deployment and waits until all its pods are available. */
const deploy = (client: Client): Promise<void> =>
  new Promise((done, failed) => {
    const collection = { resource: deployments, namespace: "default" }
    client.create(collection, deployment, {}, (answer) => {
      if (answer instanceof ApiFailure) failed(answer)
    })
    const stop = client.watch(
      collection,
      {},
      {
        event: ({ object }) => {
          if ((object.status as { readonly availableReplicas?: number } | undefined)?.availableReplicas !== pods) return
          stop()
          done()
        },
        ended: (failure) => failed(failure ?? new Error("the watch ended"))
      }
    )
  })

const directory = mkdtempSync(join(tmpdir(), "real-time-"))
const config = join(directory, "kubeconfig")
const begun = performance.now()
const server = await startCluster(config)
const pid = server.pid ?? 0
const [readyMs, readyCpu] = [performance.now() - begun, processorSeconds(pid)]
const scope = Effect.runSync(Scope.make())
const client = await loadAccess({ kubeconfig: config }).pipe(
  Effect.flatMap((access) => httpClient({ access, clockwork: machineClockwork })),
  Effect.provideService(Scope.Scope, scope),
  Effect.provide(NodeServices.layer),
  Effect.runPromise
)
const asked = performance.now()
await deploy(client)
const [runningMs, runningCpu] = [performance.now() - asked, processorSeconds(pid) - readyCpu]
console.log(
  JSON.stringify({
    nodes,
    pods,
    readySeconds: Number((readyMs / 1000).toFixed(2)),
    readyProcessorSeconds: readyCpu,
    runningSeconds: Number((runningMs / 1000).toFixed(2)),
    runningProcessorSeconds: Number(runningCpu.toFixed(2)),
    residentMiB: Math.round(residentMiB(pid))
  })
)
await Effect.runPromise(Scope.close(scope, Exit.void))
server.removeAllListeners("exit").kill("SIGTERM")
rmSync(directory, { recursive: true })

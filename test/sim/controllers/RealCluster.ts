// A real API server with hollow nodes for a test of controllers, the real manager or ours beside it, and kubectl.
// Owns processes, files and waiting; refuses to know the script that is played.
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { Effect, Exit, Scope } from "effect"
import { type Client, httpClient, type KubeObject, loadAccess } from "#kube"
import { type RealApiServer, startApiServer } from "../../kube/RealApiServer.ts"
import { makeNodes, startKubelet } from "./HollowKubelet.ts"

const run = promisify(execFile)

/** Resources in which workload controllers leave their work, by path. */
const resources = [
  "/apis/apps/v1/namespaces/NS/deployments",
  "/apis/apps/v1/namespaces/NS/replicasets",
  "/apis/apps/v1/namespaces/NS/statefulsets",
  "/apis/apps/v1/namespaces/NS/daemonsets",
  "/apis/apps/v1/namespaces/NS/controllerrevisions",
  "/api/v1/namespaces/NS/replicationcontrollers",
  "/api/v1/namespaces/NS/persistentvolumeclaims",
  "/api/v1/namespaces/NS/pods"
]

const workloads = new Set(["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController"])

export interface RealCluster {
  readonly client: Client
  readonly kubeconfig: string
  readonly kubectl: (...args: ReadonlyArray<string>) => Promise<string>
  readonly call: RealApiServer["call"]
  readonly list: (namespace: string) => Promise<ReadonlyArray<KubeObject>>
  readonly events: (namespace: string) => Promise<ReadonlyArray<KubeObject>>
  /** Waits until nothing has changed for a while and every status tells of the newest spec. */
  readonly settle: (
    namespace: string,
    until?: (objects: ReadonlyArray<KubeObject>) => boolean
  ) => Promise<ReadonlyArray<KubeObject>>
  /** Starts a manager; the answer ends it. */
  readonly manage: (program: string, args: ReadonlyArray<string>) => () => Promise<void>
  readonly stop: () => Promise<void>
}

const end = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once("exit", () => resolve())
    child.kill("SIGTERM")
  })

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const POLL_MS = 100
const QUIET_MS = 600
const PATIENCE_MS = 40_000

const isSeen = ({ kind, metadata, status }: KubeObject): boolean => {
  if (!workloads.has(kind)) return true
  const { observedGeneration = 0 } = (status ?? {}) as { readonly observedGeneration?: number }
  return observedGeneration >= (metadata.generation ?? 0)
}

const listIn = async (call: RealApiServer["call"], path: string): Promise<ReadonlyArray<KubeObject>> => {
  const answer = await call("GET", path)
  if (answer.code !== 200) throw new Error(`${path}: ${answer.body}`)
  const { items, kind } = JSON.parse(answer.body) as {
    readonly kind: string
    readonly items: ReadonlyArray<KubeObject>
  }
  return items.map((item) => ({ ...item, kind: kind.replace(/List$/, "") }))
}

export const startCluster = async (programs: {
  readonly etcd: string
  readonly "kube-apiserver": string
  readonly kubectl: string
}): Promise<RealCluster> => {
  const folder = mkdtempSync(join(tmpdir(), "controllers-"))
  const server = await startApiServer(programs)
  const kubeconfig = join(folder, "kubeconfig")
  writeFileSync(
    kubeconfig,
    `
apiVersion: v1
kind: Config
current-context: it
clusters: [{ name: it, cluster: { server: "${server.url}", insecure-skip-tls-verify: true } }]
contexts: [{ name: it, context: { cluster: it, user: it } }]
users: [{ name: it, user: { token: ${server.token} } }]
`
  )
  const scope = Scope.makeUnsafe()
  const client = await Effect.runPromise(
    loadAccess({ kubeconfig }).pipe(
      Effect.flatMap((access) => httpClient({ access })),
      Effect.provideService(Scope.Scope, scope)
    )
  )
  const names = ["n0", "n1", "n2"]
  await makeNodes(
    client,
    names.map((name, at) => ({ name, labels: { disk: at === 0 ? "slow" : "fast" } }))
  )
  const stopKubelet = startKubelet(client, names)
  const running = new Set<ChildProcess>()
  const list = async (namespace: string): Promise<ReadonlyArray<KubeObject>> =>
    (await Promise.all(resources.map((path) => listIn(server.call, path.replace("NS", namespace))))).flat()
  const settle: RealCluster["settle"] = async (namespace, until = () => true) => {
    const started = Date.now()
    let before = ""
    let since = Date.now()
    for (;;) {
      const objects = await list(namespace)
      const now = objects.map(({ metadata }) => `${metadata.uid}@${metadata.resourceVersion}`).join()
      if (now !== before || !objects.every(isSeen) || !until(objects)) since = Date.now()
      before = now
      if (Date.now() - since >= QUIET_MS) return objects
      if (Date.now() - started > PATIENCE_MS)
        throw new Error(
          `${namespace} does not settle: ${JSON.stringify(objects.map(({ kind, metadata, status }) => [kind, metadata.name, status]))}`
        )
      await pause(POLL_MS)
    }
  }
  return {
    client,
    kubeconfig,
    call: server.call,
    list,
    settle,
    events: (namespace) => listIn(server.call, `/api/v1/namespaces/${namespace}/events`),
    kubectl: async (...args) => (await run(programs.kubectl, ["--kubeconfig", kubeconfig, ...args])).stdout,
    manage: (program, args) => {
      const child = spawn(program, args, {
        stdio: ["ignore", "ignore", process.env["CONTROLLERS_LOUD"] === undefined ? "ignore" : "inherit"]
      })
      running.add(child)
      return () => end(child)
    },
    stop: async () => {
      stopKubelet()
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await Promise.all(Array.from(running, end))
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

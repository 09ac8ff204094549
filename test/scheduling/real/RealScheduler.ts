// A real kube-scheduler on a real kube-apiserver, without controllers and kubelets, and the calls that a comparison makes.
// Owns the processes, their files, and what a scheduler waits for that nobody else does here (volumes are bound, pods begin).
// Refuses to know what is compared.
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Json, KubeObject } from "#kube"
import { type RealApiServer, startApiServer } from "../../kube/RealApiServer.ts"

const paths: Readonly<Record<string, string>> = {
  Pod: "/api/v1/namespaces/NS/pods",
  Node: "/api/v1/nodes",
  Namespace: "/api/v1/namespaces",
  Service: "/api/v1/namespaces/NS/services",
  PersistentVolume: "/api/v1/persistentvolumes",
  PersistentVolumeClaim: "/api/v1/namespaces/NS/persistentvolumeclaims",
  StorageClass: "/apis/storage.k8s.io/v1/storageclasses",
  CSINode: "/apis/storage.k8s.io/v1/csinodes",
  PriorityClass: "/apis/scheduling.k8s.io/v1/priorityclasses",
  RuntimeClass: "/apis/node.k8s.io/v1/runtimeclasses",
  PodDisruptionBudget: "/apis/policy/v1/namespaces/NS/poddisruptionbudgets"
}

/** Namespaces of every script. */
export const namespaceNames = ["default", "other"]

/** The API server refused an object: what it said. */
export class Refused extends Error {}

export interface RealScheduler {
  readonly create: (object: KubeObject) => Promise<KubeObject>
  readonly merge: (object: KubeObject, body: Json, subresource?: string) => Promise<KubeObject>
  readonly get: (object: KubeObject) => Promise<KubeObject>
  /** Objects of a kind in all namespaces. */
  readonly list: (kind: string) => Promise<ReadonlyArray<KubeObject>>
  /** At once, without grace. */
  readonly remove: (object: KubeObject) => Promise<void>
  /** Every object of a kind, at once. */
  readonly clear: (kind: string) => Promise<void>
  readonly stop: () => Promise<void>
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const pathOf = ({ kind, metadata: { name = "", namespace = "default" } }: KubeObject, named: boolean): string =>
  `${paths[kind].replace("NS", namespace)}${named ? `/${name}` : ""}`

const decoded = ({ body, code }: { readonly body: string; readonly code: number }, asked: string): KubeObject => {
  if (code >= 300) throw new Refused(`${asked}: ${code} ${body}`)
  // SAFETY: the API server answers JSON objects.
  return JSON.parse(body) as KubeObject
}

const calls = (call: RealApiServer["call"]): Omit<RealScheduler, "stop"> => {
  const send = async (method: string, path: string, content?: object, type = "application/json") =>
    decoded(
      await call(method, path, {
        ...(content === undefined ? {} : { body: JSON.stringify(content) }),
        headers: { "content-type": type }
      }),
      `${method} ${path}`
    )
  const atOnce = { apiVersion: "v1", kind: "DeleteOptions", gracePeriodSeconds: 0 }
  return {
    create: (object) => send("POST", pathOf(object, false), object),
    merge: (object, body, subresource) =>
      send(
        "PATCH",
        `${pathOf(object, true)}${subresource === undefined ? "" : `/${subresource}`}`,
        body as object,
        "application/merge-patch+json"
      ),
    get: (object) => send("GET", pathOf(object, true)),
    list: async (kind) => {
      const list = await send("GET", paths[kind].replace("/namespaces/NS", ""))
      // SAFETY: the answer to a list holds items.
      const { items } = list as unknown as { readonly items: ReadonlyArray<KubeObject> }
      return items.map((item) => ({ ...item, kind }))
    },
    remove: async (object) => {
      await send("DELETE", pathOf(object, true), atOnce)
    },
    clear: async (kind) => {
      const namespaces = paths[kind].includes("/NS/") ? namespaceNames : [""]
      for (const one of namespaces) await send("DELETE", paths[kind].replace("NS", one), atOnce)
    }
  }
}

const kubeconfigOf = ({ token, url }: RealApiServer): string => `
apiVersion: v1
kind: Config
current-context: it
clusters: [{ name: it, cluster: { server: "${url}", insecure-skip-tls-verify: true } }]
contexts: [{ name: it, context: { cluster: it, user: it } }]
users: [{ name: it, user: { token: ${token} } }]
`

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once("exit", () => resolve())
    child.kill("SIGKILL")
  })

/** Those that stand in nobody's way here: they ask for controllers which do not run. */
const unwanted = "TaintNodesByCondition,StorageObjectInUseProtection"

/** Starts the three; kube-scheduler has its default configuration. */
export const startScheduler = async (programs: {
  readonly etcd: string
  readonly "kube-apiserver": string
  readonly "kube-scheduler": string
}): Promise<RealScheduler> => {
  const folder = mkdtempSync(join(tmpdir(), "scheduler-"))
  const server = await startApiServer(programs, [`--disable-admission-plugins=${unwanted}`])
  const kubeconfig = join(folder, "kubeconfig")
  writeFileSync(kubeconfig, kubeconfigOf(server))
  const loud = process.env["REAL_LOUD"] !== undefined
  const child = spawn(
    programs["kube-scheduler"],
    [
      [`--kubeconfig=${kubeconfig}`, `--authentication-kubeconfig=${kubeconfig}`],
      [`--authorization-kubeconfig=${kubeconfig}`, "--leader-elect=false", "--secure-port=0"],
      ["--kube-api-qps=1000", "--kube-api-burst=1000", ...(loud ? ["-v=10"] : [])]
    ].flat(),
    { stdio: ["ignore", "ignore", loud ? "inherit" : "ignore"] }
  )
  const kill = (): void => void child.kill("SIGKILL")
  process.once("exit", kill)
  return {
    ...calls(server.call),
    stop: async () => {
      process.off("exit", kill)
      await ended(child)
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

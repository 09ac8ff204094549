// Three who watch ConfigMaps through a front: a bare watch that resumes at the last version it saw, an informer of
// @kubernetes/client-node and the client-go program in informer/.
// Owns their connections and what they saw; refuses to judge it (Ledger.ts).
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { type Agent, request } from "node:https"
import { readFileSync } from "node:fs"
import { KubeConfig, CoreV1Api, makeInformer, type V1ConfigMap } from "@kubernetes/client-node"
import { type Access, kubeconfigOf } from "./Access.ts"
import type { Deed, Seen } from "./Ledger.ts"

export interface Observer {
  readonly seen: ReadonlyArray<Seen>
  /** Objects in its store with their versions; without it, it has none. */
  readonly holds?: () => Promise<ReadonlyMap<string, string>>
  /** Times it connected anew. */
  readonly again: () => number
  readonly stop: () => Promise<void>
}

interface Event {
  readonly type: string
  readonly object: {
    readonly code?: number
    readonly metadata: { readonly name: string; readonly resourceVersion: string }
  }
}

const deedOf: Readonly<Record<string, Deed | undefined>> = { ADDED: "add", MODIFIED: "update", DELETED: "delete" }

/** How long a watch waits before it connects again. */
const AGAIN_MS = 100

/** Watches from a version on; what the server says of one that is too old ends it for good. */
export const bareWatch = (access: Access, namespace: string, from: string, agent?: Agent): Observer => {
  const seen: Array<Seen> = []
  let [version, again] = [from, -1]
  const state = { stopped: false }
  const { hostname, port } = new URL(access.url)
  const tls = {
    ca: readFileSync(access.caFile),
    cert: access.certFile === undefined ? undefined : readFileSync(access.certFile),
    key: access.keyFile === undefined ? undefined : readFileSync(access.keyFile),
    servername: access.serverName ?? "localhost"
  }
  let current: ReturnType<typeof request> | undefined
  const take = (line: string): void => {
    let event: Event
    try {
      event = JSON.parse(line) as Event
    } catch {
      // Half an event, before the connection broke; it comes whole after the last version.
      return
    }
    const { object, type } = event
    if (type === "ERROR") {
      // Anything but an end of this watch would be a lost event, which the comparison shows.
      if (object.code === 410) state.stopped = true
      return
    }
    version = object.metadata.resourceVersion
    const deed = deedOf[type]
    if (deed !== undefined) seen.push({ deed, name: object.metadata.name, version })
  }
  const open = (): Promise<void> =>
    new Promise((resolve) => {
      again++
      const path = `/api/v1/namespaces/${namespace}/configmaps?watch=1&allowWatchBookmarks=true&labelSelector=seen%3Dyes&resourceVersion=${version}`
      const headers = {
        ...(access.token === undefined ? {} : { authorization: `Bearer ${access.token}` }),
        ...(access.serverName === undefined ? {} : { host: access.serverName })
      }
      current = request({ ...tls, host: hostname, port, path, headers, ...(agent && { agent }) }, (response) => {
        if (response.statusCode !== 200) {
          response.resume()
          return void response.once("close", () => resolve())
        }
        const lines = createInterface(response)
        lines.on("line", take)
        response.on("error", () => undefined)
        lines.on("error", () => undefined)
        // A line can be whole only when its end has come: what is left at the close is half an event.
        lines.once("close", () => resolve())
        response.once("close", () => lines.close())
      })
      current.once("error", () => resolve())
      current.end()
    })
  const running = (async () => {
    while (!state.stopped) {
      await open()
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
    }
  })()
  return {
    seen,
    again: () => again,
    stop: async () => {
      state.stopped = true
      current?.destroy()
      await running
    }
  }
}

/** An informer of client-node, started again after an error as its documentation says. */
export const nodeInformer = async (access: Access, namespace: string): Promise<Observer> => {
  const config = new KubeConfig()
  config.loadFromString(kubeconfigOf(access))
  const api = config.makeApiClient(CoreV1Api)
  const labelSelector = "seen=yes"
  const informer = makeInformer<V1ConfigMap>(
    config,
    `/api/v1/namespaces/${namespace}/configmaps`,
    () => api.listNamespacedConfigMap({ namespace, labelSelector }),
    labelSelector
  )
  const seen: Array<Seen> = []
  let [stopped, again] = [false, -1]
  const note = (deed: Deed) => (object: V1ConfigMap) =>
    void seen.push({ deed, name: object.metadata?.name ?? "", version: object.metadata?.resourceVersion ?? "" })
  informer.on("add", note("add"))
  informer.on("update", note("update"))
  informer.on("delete", note("delete"))
  informer.on("connect", () => void again++)
  const restart = (): void => {
    // Its own start may fail the same way; it then reports the error again.
    if (!stopped) setTimeout(() => void informer.start().catch(restart), AGAIN_MS)
  }
  informer.on("error", restart)
  await informer.start()
  const holds = async (): Promise<ReadonlyMap<string, string>> =>
    new Map(informer.list(namespace).map(({ metadata }) => [metadata?.name ?? "", metadata?.resourceVersion ?? ""]))
  const stop = async (): Promise<void> => {
    stopped = true
    await informer.stop()
  }
  return { seen, again: () => again, holds, stop }
}

interface Line {
  readonly what: Deed | "synced" | "held" | "all held"
  readonly name: string
  readonly version: string
}

/** The client-go program, built from informer/; ready when its informer has synced. */
export const goInformer = async (program: string, kubeconfig: string, namespace: string): Promise<Observer> => {
  const child = spawn(program, [kubeconfig, namespace], { stdio: ["pipe", "pipe", "ignore"] })
  const seen: Array<Seen> = []
  let synced: () => void = () => undefined
  let answered: (held: ReadonlyMap<string, string>) => void = () => undefined
  let held = new Map<string, string>()
  const ready = new Promise<void>((resolve, reject) => {
    synced = resolve
    child.once("exit", (code) => reject(new Error(`the client-go program ended with ${code}`)))
  })
  createInterface(child.stdout).on("line", (text) => {
    const { name, version, what } = JSON.parse(text) as Line
    if (what === "synced") synced()
    else if (what === "held") held.set(name, version)
    else if (what === "all held") {
      answered(held)
      held = new Map()
    } else if (name !== "kube-root-ca.crt") seen.push({ deed: what, name, version })
  })
  await ready
  const holds = (): Promise<ReadonlyMap<string, string>> =>
    new Promise((resolve) => {
      answered = (all) => resolve(new Map([...all].filter(([name]) => name !== "kube-root-ca.crt")))
      child.stdin.write("?\n")
    })
  const stop = async (): Promise<void> => {
    const gone = new Promise((resolve) => child.once("exit", resolve))
    child.kill("SIGTERM")
    await gone
  }
  return { seen, again: () => 0, holds, stop }
}

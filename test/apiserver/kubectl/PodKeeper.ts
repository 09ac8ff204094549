// Stands in for scheduler and kubelets on both clusters alike: binds pods to the first node that takes them, lets them run or
// succeed at once, and lets go of those that are being deleted.
// Owns two hollow nodes and the pods on them; refuses to be clever, so that both clusters show the same.
import type { RealApiServer } from "../../kube/RealApiServer.ts"

type Call = RealApiServer["call"]

interface Container {
  readonly name: string
  readonly image: string
}

interface Pod {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly deletionTimestamp?: string
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly spec: { readonly nodeName?: string; readonly containers: ReadonlyArray<Container> }
  readonly status: { readonly phase?: string; readonly podIP?: string }
}

interface Node {
  readonly metadata: { readonly name: string }
  readonly spec: { readonly unschedulable?: boolean; readonly taints?: ReadonlyArray<{ readonly effect: string }> }
}

/** Milliseconds between two looks at all pods. */
const LOOK_MS = 150
const JSON_BODY = { "content-type": "application/json" }
const NODES = ["node-1", "node-2"]

/** Where a kubelet answers for both nodes. */
export interface KubeletAddress {
  readonly host: string
  readonly port: number
}

const nodeOf = (name: string, kubelet: KubeletAddress | undefined): object => {
  const amounts = { cpu: "8", memory: "32Gi", pods: "110" }
  const at = "2026-01-01T00:00:00Z"
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" } },
    status: {
      capacity: amounts,
      allocatable: amounts,
      addresses: [{ type: "InternalIP", address: kubelet?.host ?? "192.0.2.1" }],
      ...(kubelet === undefined ? {} : { daemonEndpoints: { kubeletEndpoint: { Port: kubelet.port } } }),
      conditions: [
        {
          type: "Ready",
          status: "True",
          reason: "KubeletReady",
          message: "kubelet is posting ready status",
          lastHeartbeatTime: at,
          lastTransitionTime: at
        }
      ],
      nodeInfo: {
        architecture: "amd64",
        bootID: "",
        containerRuntimeVersion: "hollow://1.0",
        kernelVersion: "6.1",
        kubeProxyVersion: "",
        kubeletVersion: "v1.37.2",
        machineID: "",
        operatingSystem: "linux",
        osImage: "hollow",
        systemUUID: ""
      }
    }
  }
}

const statusOf = ({ metadata, spec }: Pod): object => {
  const at = new Date().toISOString().replace(/\.\d+Z$/, "Z")
  const done = metadata.labels?.["job-name"] !== undefined
  const broken = spec.containers.some(({ image }) => image.includes("broken"))
  const ready = !done && !broken
  const state = done
    ? { terminated: { exitCode: 0, reason: "Completed", startedAt: at, finishedAt: at } }
    : broken
      ? { waiting: { reason: "ImagePullBackOff" } }
      : { running: { startedAt: at } }
  const condition = (type: string, status: boolean): object => ({
    type,
    status: status ? "True" : "False",
    lastTransitionTime: at
  })
  return {
    phase: done ? "Succeeded" : broken ? "Pending" : "Running",
    startTime: at,
    hostIP: "192.0.2.1",
    podIP: "10.1.0.1",
    podIPs: [{ ip: "10.1.0.1" }],
    conditions: [condition("Initialized", true), condition("Ready", ready), condition("ContainersReady", ready)],
    containerStatuses: spec.containers.map(({ image, name }) => ({
      name,
      image,
      imageID: "",
      ready,
      started: ready,
      restartCount: 0,
      state
    }))
  }
}

const isOpen = ({ spec }: Node): boolean =>
  spec.unschedulable !== true && !(spec.taints ?? []).some(({ effect }) => effect !== "PreferNoSchedule")

const keepOne = async (call: Call, pod: Pod, open: string | undefined): Promise<void> => {
  const { name, namespace } = pod.metadata
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`
  if (pod.metadata.deletionTimestamp !== undefined) {
    await call("DELETE", path, { body: JSON.stringify({ gracePeriodSeconds: 0 }), headers: JSON_BODY })
  } else if (pod.spec.nodeName === undefined) {
    if (open === undefined || pod.metadata.labels?.["unscheduled"] !== undefined) return
    const target = { apiVersion: "v1", kind: "Node", name: open }
    const body = JSON.stringify({ apiVersion: "v1", kind: "Binding", metadata: { name }, target })
    await call("POST", `${path}/binding`, { body, headers: JSON_BODY })
  } else if (pod.status.podIP === undefined) {
    const headers = { "content-type": "application/merge-patch+json" }
    await call("PATCH", `${path}/status`, { body: JSON.stringify({ status: statusOf(pod) }), headers })
  }
}

const itemsAt = async <Item>(call: Call, path: string): Promise<ReadonlyArray<Item>> => {
  const { body, code } = await call("GET", path)
  return code === 200 ? (JSON.parse(body) as { readonly items: ReadonlyArray<Item> }).items : []
}

/** Makes the nodes and keeps pods until it is stopped. */
export const keepPods = async (call: Call, kubelet?: KubeletAddress): Promise<{ readonly stop: () => void }> => {
  for (const name of NODES) {
    const { body, code } = await call("POST", "/api/v1/nodes", {
      body: JSON.stringify(nodeOf(name, kubelet)),
      headers: JSON_BODY
    })
    if (code !== 201) throw new Error(`node ${name}: ${body}`)
    const headers = { "content-type": "application/json-patch+json" }
    const untaint = JSON.stringify([{ op: "remove", path: "/spec/taints" }])
    await call("PATCH", `/api/v1/nodes/${name}`, { body: untaint, headers })
  }
  let stopped = false
  const look = async (): Promise<void> => {
    const nodes = await itemsAt<Node>(call, "/api/v1/nodes")
    const open = nodes.filter(isOpen).map(({ metadata }) => metadata.name)[0]
    const pods = await itemsAt<Pod>(call, "/api/v1/pods")
    for (const pod of pods) await keepOne(call, pod, open)
  }
  const again = (): void => {
    if (stopped) return
    look()
      // A server that is going away answers nobody; what matters is seen by those who compare.
      .catch(() => undefined)
      .finally(() => setTimeout(again, LOOK_MS))
  }
  again()
  return {
    stop: () => {
      stopped = true
    }
  }
}

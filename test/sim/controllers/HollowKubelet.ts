// Nodes and kubelets for a real API server without any: pods are bound, run and end at once, in the order in which they come.
// Owns no more than controllers can see of it. An image named "bad" never becomes ready.
import {
  ApiFailure,
  type Client,
  gvr,
  isJsonObject,
  type KubeObject,
  machineClockwork,
  Reflector,
  rfc3339
} from "#kube"

const pods = gvr("", "v1", "pods")
const nodes = gvr("", "v1", "nodes")

export interface HollowNode {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

const ask = <A>(call: (done: (answer: A | ApiFailure) => void) => void): Promise<A> =>
  new Promise((resolve, reject) => call((answer) => (answer instanceof ApiFailure ? reject(answer) : resolve(answer))))

/** Makes the nodes, ready and without taints. */
export const makeNodes = async (client: Client, wanted: ReadonlyArray<HollowNode>): Promise<void> => {
  for (const { labels, name } of wanted) {
    const node = { apiVersion: "v1", kind: "Node", metadata: { name, labels } }
    const made = await ask<KubeObject>((done) => client.create({ resource: nodes, namespace: "" }, node, {}, done))
    const status = {
      conditions: [{ type: "Ready", status: "True", reason: "KubeletReady", lastTransitionTime: rfc3339(Date.now()) }],
      capacity: { cpu: "32", memory: "64Gi", pods: "110" },
      allocatable: { cpu: "32", memory: "64Gi", pods: "110" }
    }
    const target = { resource: nodes, namespace: "", name, subresource: "status" }
    await ask((done) => client.update(target, { ...made, status }, {}, done))
    // A new node is tainted until something finds it ready.
    const body = { spec: { taints: null } }
    await ask((done) => client.patch({ resource: nodes, namespace: "", name }, { type: "merge", body }, {}, done))
  }
}

interface PodSpec {
  readonly nodeName?: string
  readonly containers: ReadonlyArray<{ readonly name: string; readonly image: string }>
  readonly affinity?: {
    readonly nodeAffinity?: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: {
        readonly nodeSelectorTerms: ReadonlyArray<{
          readonly matchFields?: ReadonlyArray<{ readonly values: ReadonlyArray<string> }>
        }>
      }
    }
  }
}

const specOf = ({ spec }: KubeObject): PodSpec => spec as unknown as PodSpec

const nodeFor = (pod: KubeObject, names: ReadonlyArray<string>): string => {
  const required = specOf(pod).affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const asked = required?.nodeSelectorTerms[0]?.matchFields?.[0]?.values[0]
  return asked ?? names[(pod.metadata.name ?? "").length % names.length] ?? ""
}

const runningStatus = (pod: KubeObject): object => {
  const now = rfc3339(Date.now())
  const isBad = specOf(pod).containers.some(({ image }) => image === "bad")
  const ready = isBad ? "False" : "True"
  return {
    phase: "Running",
    startTime: now,
    conditions: ["PodScheduled", "Ready", "ContainersReady"].map((type) => ({
      type,
      status: type === "PodScheduled" ? "True" : ready,
      lastTransitionTime: now
    })),
    containerStatuses: specOf(pod).containers.map(({ image, name }) => ({
      name,
      image,
      imageID: image,
      ready: !isBad,
      restartCount: 0,
      state: { running: { startedAt: now } }
    }))
  }
}

/** Plays scheduler and kubelet for all pods until it is stopped. Failures are left to the next event of the pod. */
export const startKubelet = (client: Client, names: ReadonlyArray<string>): (() => void) => {
  const ignore = (): void => undefined
  const seen = (pod: KubeObject): void => {
    const { deletionTimestamp, name = "", namespace = "", uid = "" } = pod.metadata
    const target = { resource: pods, namespace, name }
    const phase = isJsonObject(pod.status) ? pod.status["phase"] : undefined
    if (deletionTimestamp !== undefined)
      return client.delete(target, { gracePeriodSeconds: 0, preconditions: { uid } }, ignore)
    if ((specOf(pod).nodeName ?? "") === "") {
      const binding = {
        apiVersion: "v1",
        kind: "Binding",
        metadata: { name, namespace, uid },
        target: { apiVersion: "v1", kind: "Node", name: nodeFor(pod, names) }
      }
      return client.create({ ...target, subresource: "binding" }, binding, {}, ignore)
    }
    if (phase !== "Pending") return
    client.update({ ...target, subresource: "status" }, { ...pod, status: runningStatus(pod) as never }, {}, ignore)
  }
  const reflector = new Reflector(
    { client, clockwork: machineClockwork, collection: { resource: pods, namespace: "" } },
    {
      replace: (all) => all.forEach(seen),
      event: ({ object, type }) => {
        if (type === "ADDED" || type === "MODIFIED") seen(object)
      }
    }
  )
  reflector.start()
  return () => reflector.stop()
}

// What the in-process path costs: run with `node --expose-gc test/apiserver/InProcessBench.ts [--memory]`, on a machine with nothing
// else to do. Prints microseconds a call, all of it counted: the verb, the store on its memory engine, the cache, the watch.
// It asserts nothing: timings are read, not tested.
import { performance } from "node:perf_hooks"
import { ApiFailure, type Client, type KubeObject } from "#kube"
import { inNamespace, named, World } from "./World.ts"

const NODES = 10_000

/** Runs `count` calls in batches, each of which commits together, and prints the cost of one. */
const measure = (world: World, title: string, count: number, batch: number, call: (at: number) => void): void => {
  const started = performance.now()
  for (let at = 0; at < count; ) {
    for (const end = Math.min(at + batch, count); at < end; at++) call(at)
    world.clockwork.settle()
  }
  const micros = ((performance.now() - started) * 1000) / count
  process.stdout.write(`${title.padEnd(44)} ${micros.toFixed(2).padStart(8)} µs  ${Math.round(1e6 / micros)}/s\n`)
}

const ok = (answer: unknown): void => {
  if (answer instanceof ApiFailure) throw answer
}

const nodeName = (at: number): string => `node-${String(at).padStart(5, "0")}`

const leaseTarget = Array.from({ length: NODES }, (_, at) =>
  named(inNamespace("leases", "kube-node-lease", "coordination.k8s.io"), nodeName(at))
)

const lease = (at: number): KubeObject => ({
  kind: "Lease",
  apiVersion: "coordination.k8s.io/v1",
  metadata: {
    name: nodeName(at),
    namespace: "kube-node-lease",
    ownerReferences: [{ apiVersion: "v1", kind: "Node", name: nodeName(at), uid: "e7d5a1ff-0000-4000-8000-000000000000" }]
  },
  spec: { holderIdentity: nodeName(at), leaseDurationSeconds: 40, renewTime: "2026-11-24T04:00:00.000000Z" }
})

const leases = (world: World): void => {
  const { client } = world
  const held: Array<KubeObject> = []
  measure(world, "create lease", NODES, 100, (at) =>
    client.create(leaseTarget[at]!, lease(at), {}, (answer) => {
      ok(answer)
      held[at] = answer as KubeObject
    })
  )
  const renew = (at: number): void => {
    const old = held[at % NODES]!
    const renewTime = `2026-11-24T04:${String(Math.floor(at / NODES) % 60).padStart(2, "0")}:00.000000Z`
    const spec = { ...(old.spec as object), renewTime }
    client.update(leaseTarget[at % NODES]!, { ...old, spec } as KubeObject, {}, (answer) => {
      ok(answer)
      held[at % NODES] = answer as KubeObject
    })
  }
  let round = 1
  for (const batch of [1, 100, 1000, 100]) {
    measure(world, `update lease, ${batch} a turn`, 100_000, batch, (at) => renew(at + 100_000 * round))
    round++
    compact(world)
  }
}

const compact = (world: World): void => {
  const rows = world.compactor.stats.rowsRemoved
  const started = performance.now()
  world.compactor.compact(world.store.revision, false, () => undefined)
  world.clockwork.pass(1)
  const removed = world.compactor.stats.rowsRemoved - rows
  const micros = ((performance.now() - started) * 1000) / Math.max(removed, 1)
  process.stdout.write(`${"  compaction, a revision".padEnd(44)} ${micros.toFixed(2).padStart(8)} µs\n`)
}

const container = {
  name: "web",
  image: "registry.example.com/web:v1",
  ports: [{ containerPort: 8080, protocol: "TCP" }],
  env: [{ name: "POD", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } } }],
  resources: { limits: { cpu: "100m", memory: "128Mi" }, requests: { cpu: "100m", memory: "128Mi" } },
  terminationMessagePath: "/dev/termination-log",
  terminationMessagePolicy: "File",
  imagePullPolicy: "IfNotPresent"
}

/** A pod as a ReplicaSet of a hundred templates makes it, parsed anew as it comes from a wire. */
const podText = (at: number): string =>
  JSON.stringify({
    kind: "Pod",
    apiVersion: "v1",
    metadata: {
      generateName: `web-${at % 100}-`,
      namespace: `space-${at % 50}`,
      labels: { app: `web-${at % 100}`, "pod-template-hash": `hash${at % 100}` },
      ownerReferences: [
        {
          apiVersion: "apps/v1",
          kind: "ReplicaSet",
          name: `web-${at % 100}`,
          uid: `00000000-0000-4000-8000-${String(at % 100).padStart(12, "0")}`,
          controller: true,
          blockOwnerDeletion: true
        }
      ]
    },
    spec: {
      containers: [{ ...container, volumeMounts: [{ name: `token-${at}`, mountPath: "/var/run/secrets", readOnly: true }] }],
      volumes: [{ name: `token-${at}`, projected: { defaultMode: 420, sources: [{ serviceAccountToken: { path: "token" } }] } }],
      nodeName: nodeName(at % NODES),
      restartPolicy: "Always",
      terminationGracePeriodSeconds: 30,
      dnsPolicy: "ClusterFirst",
      serviceAccountName: "default",
      securityContext: {},
      schedulerName: "default-scheduler",
      tolerations: [
        { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
        { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 }
      ],
      priority: 0,
      enableServiceLinks: true,
      preemptionPolicy: "PreemptLowerPriority"
    }
  })

const running = (at: number) => ({
  phase: "Running",
  conditions: ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map((type) => ({
    type,
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: "2026-11-24T04:00:00Z"
  })),
  hostIP: `10.1.${(at >> 8) & 255}.${at & 255}`,
  podIP: `10.${(at >> 16) & 255}.${(at >> 8) & 255}.${at & 255}`,
  startTime: "2026-11-24T04:00:00Z",
  containerStatuses: [
    {
      name: "web",
      state: { running: { startedAt: "2026-11-24T04:00:00Z" } },
      lastState: {},
      ready: true,
      restartCount: 0,
      image: container.image,
      imageID: "sha256:0000000000000000",
      containerID: `containerd://${at}`
    }
  ]
})

const createPods = (world: World, count: number): Array<KubeObject> => {
  const made: Array<KubeObject> = []
  const { client } = world
  measure(world, `create pod (and parse it), ${count}`, count, 100, (at) => {
    const pod = JSON.parse(podText(at)) as KubeObject
    client.create(inNamespace("pods", pod.metadata.namespace ?? ""), pod, {}, (answer) => {
      ok(answer)
      made[at] = answer as KubeObject
    })
  })
  return made
}

const statuses = (world: World, client: Client, made: ReadonlyArray<KubeObject>): void =>
  measure(world, `update pod status, ${made.length}`, made.length, 100, (at) => {
    const pod = made[at]!
    const target = named(inNamespace("pods", pod.metadata.namespace ?? ""), pod.metadata.name ?? "", "status")
    const status = JSON.parse(JSON.stringify(running(at))) as NonNullable<KubeObject["status"]>
    client.update(target, { ...pod, status } as KubeObject, {}, ok)
  })

const fanOut = (world: World, made: ReadonlyArray<KubeObject>): void => {
  let heard = 0
  const listener = { event: () => void heard++, ended: () => undefined }
  const all = inNamespace("pods", "")
  const from = { resourceVersion: String(world.store.revision) }
  for (let at = 0; at < NODES; at++) {
    world.client.watch(all, { ...from, fieldSelector: `spec.nodeName=${nodeName(at)}` }, listener)
  }
  world.clockwork.settle()
  const touch = (title: string, count: number): void =>
    measure(world, title, count, 100, (at) => {
      const { name = "", namespace = "" } = made[at]!.metadata
      const body = { metadata: { annotations: { touched: `${title} ${at}` } } }
      world.client.patch(named(inNamespace("pods", namespace), name), { type: "merge", body }, {}, ok)
    })
  touch("patch pod, 10,000 watchers by node", 10_000)
  const before = heard
  for (let at = 0; at < 100; at++) world.client.watch(all, from, listener)
  world.clockwork.settle()
  touch("patch pod, and 100 watchers of everything", 2000)
  process.stdout.write(`  events heard: ${before} and ${heard - before}\n`)
}

const listing = (world: World): void => {
  const resource = inNamespace("pods", "").resource
  measure(world, "list 10,000 pods, as objects", 20, 1, () => world.client.list(inNamespace("pods", ""), {}, ok))
  measure(world, "list 10,000 pods, encoded", 20, 1, () => {
    const answer = world.execute({ verb: "list", resource })
    if (answer instanceof ApiFailure || answer.kind !== "list") throw new Error("no list")
    let bytes = 0
    for (const held of answer.items) bytes += held.encoded().length
    if (bytes === 0) throw new Error("no bytes")
  })
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`

const memory = (world: World): void => {
  const collect = (globalThis as { gc?: () => void }).gc
  leases(world)
  for (let done = 0; done < 300_000; done += 50_000) {
    statuses(world, world.client, createPods(world, 50_000))
    compact(world)
  }
  collect?.()
  const { arrayBuffers, heapUsed, rss } = process.memoryUsage()
  process.stdout.write(`300,000 pods: heap ${megabytes(heapUsed)}, buffers ${megabytes(arrayBuffers)}, all ${megabytes(rss)}\n`)
}

if (process.argv.includes("--memory")) memory(new World())
else {
  const world = new World()
  leases(world)
  const made = createPods(world, 10_000)
  statuses(world, world.client, made)
  listing(world)
  fanOut(world, made)
}

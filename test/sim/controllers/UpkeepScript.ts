// What users do to a cluster in two rounds so that everything that keeps it has something to do, and what is left then.
// Owns the objects and the list of what is compared; refuses to know which manager works.
import { ApiFailure, type Client, gvr, type GroupVersionResource, type KubeObject, rfc3339, rfc3339Micro } from "#kube"

const { configmaps, claims, endpoints, namespaces, nodes, pods, quotas, services, slices, volumes, classes, leases } = {
  configmaps: gvr("", "v1", "configmaps"),
  claims: gvr("", "v1", "persistentvolumeclaims"),
  endpoints: gvr("", "v1", "endpoints"),
  namespaces: gvr("", "v1", "namespaces"),
  nodes: gvr("", "v1", "nodes"),
  pods: gvr("", "v1", "pods"),
  quotas: gvr("", "v1", "resourcequotas"),
  services: gvr("", "v1", "services"),
  slices: gvr("discovery.k8s.io", "v1", "endpointslices"),
  volumes: gvr("", "v1", "persistentvolumes"),
  classes: gvr("storage.k8s.io", "v1", "storageclasses"),
  leases: gvr("coordination.k8s.io", "v1", "leases")
}
const toys = gvr("upkeep.example.com", "v1", "toys")
export const toyDefinition: KubeObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "toys.upkeep.example.com" },
  spec: {
    group: "upkeep.example.com",
    scope: "Namespaced",
    names: { plural: "toys", singular: "toy", kind: "Toy", listKind: "ToyList" },
    versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }]
  }
}

type Fields = Record<string, unknown>

/** A user of one namespace and of whatever else has its name. */
export class Player {
  readonly ns: string
  private readonly client: Client
  readonly made = new Map<string, KubeObject>()

  constructor(client: Client, ns: string) {
    this.client = client
    this.ns = ns
  }

  private ask<A>(call: (done: (answer: A | ApiFailure) => void) => void): Promise<A> {
    return new Promise((resolve, reject) =>
      call((answer) => (answer instanceof ApiFailure ? reject(answer) : resolve(answer)))
    )
  }

  async create(
    resource: GroupVersionResource,
    kind: string,
    name: string,
    more: Fields,
    global = false
  ): Promise<KubeObject> {
    const { metadata, ...rest } = more
    const namespace = global ? "" : this.ns
    const full = global ? `${this.ns}-${name}` : name
    const object = {
      apiVersion: resource.group === "" ? resource.version : `${resource.group}/${resource.version}`,
      kind,
      ...rest,
      metadata: { ...(metadata as object), name: full, ...(global ? {} : { namespace }) }
    } as KubeObject
    const made = await this.ask<KubeObject>((done) => this.client.create({ resource, namespace }, object, {}, done))
    this.made.set(name, made)
    return made
  }

  async change(
    resource: GroupVersionResource,
    name: string,
    body: Fields,
    subresource?: string,
    global = false
  ): Promise<void> {
    const target = {
      resource,
      namespace: global ? "" : this.ns,
      name: global ? `${this.ns}-${name}` : name,
      ...(subresource === undefined ? {} : { subresource })
    }
    await this.ask((done) => this.client.patch(target, { type: "merge", body: body as never }, {}, done))
  }

  async delete(resource: GroupVersionResource, name: string, options: object = {}, global = false): Promise<void> {
    const target = { resource, namespace: global ? "" : this.ns, name: global ? `${this.ns}-${name}` : name }
    await this.ask((done) => this.client.delete(target, options, done))
  }

  /** Waits until an object of the namespace is so. */
  async until(resource: GroupVersionResource, name: string, is: (object: KubeObject) => boolean): Promise<void> {
    const target = { resource, namespace: this.ns, name }
    for (let tries = 0; tries < 300; tries++) {
      if (is(await this.ask<KubeObject>((done) => this.client.get(target, {}, done)))) return
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    throw new Error(`${resource.resource} ${name} did not become so`)
  }

  owner(name: string, blockOwnerDeletion = false): Fields {
    const made = this.made.get(name)
    if (made === undefined) throw new Error(`${name} was not made`)
    const { apiVersion, kind, metadata } = made
    return { apiVersion, kind, name: metadata.name, uid: metadata.uid, blockOwnerDeletion }
  }
}

const owned = (...ownerReferences: ReadonlyArray<Fields>): Fields => ({ metadata: { ownerReferences } })

const pod = (labels: Fields, more: Fields = {}): Fields => ({
  metadata: { labels },
  spec: {
    containers: [
      { name: "c", image: "i", ports: [{ name: "web", containerPort: 8080 }], resources: { requests: { cpu: "100m" } } }
    ],
    ...more
  }
})

const running = (ip: string, ready: boolean): Fields => ({
  status: {
    phase: "Running",
    podIP: ip,
    podIPs: [{ ip }],
    conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: "2026-01-01T00:00:00Z" }]
  }
})

const nodeStatus = (status: "True" | "False", at: number): Fields => ({
  status: {
    conditions: [
      { type: "Ready", status, reason: "Kubelet", lastHeartbeatTime: rfc3339(at), lastTransitionTime: rfc3339(at) },
      { type: "MemoryPressure", status: "True", reason: "Little", lastTransitionTime: rfc3339(at) }
    ]
  }
})

/** A node that is heard of every half second until the answer is called. */
export const keepAlive = async (player: Player, client: Client): Promise<() => void> => {
  const name = `${player.ns}-well`
  await player.create(nodes, "Node", "well", { metadata: { labels: { "topology.kubernetes.io/zone": "z1" } } }, true)
  const beat = (): void => {
    const target = { resource: nodes, namespace: "", name, subresource: "status" }
    const now = Date.now()
    client.patch(target, { type: "merge", body: nodeStatus("True", now) as never }, {}, () => undefined)
    const lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name, namespace: "kube-node-lease" },
      spec: { holderIdentity: name, renewTime: rfc3339Micro(now) }
    }
    const place = { resource: leases, namespace: "kube-node-lease" }
    client.create(place, lease, {}, (answer) => {
      if (answer instanceof ApiFailure)
        client.patch({ ...place, name }, { type: "merge", body: { spec: lease.spec } }, {}, () => undefined)
    })
  }
  beat()
  const timer = setInterval(beat, 500)
  return () => clearInterval(timer)
}

const garbage = async (player: Player): Promise<void> => {
  const map = (name: string, more: Fields = {}) => player.create(configmaps, "ConfigMap", name, more)
  for (const name of ["bg", "fg", "keep", "other"]) await map(name)
  await map("bg-child", owned(player.owner("bg")))
  await map("bg-grandchild", owned(player.owner("bg-child")))
  await map("shared", owned(player.owner("bg"), player.owner("other")))
  await map("fg-blocking", owned(player.owner("fg", true)))
  await map("fg-deep", owned(player.owner("fg-blocking", true)))
  await map("fg-free", owned(player.owner("fg")))
  await map("orphan-to-be", owned(player.owner("keep", true)))
  await map("absent", owned({ ...player.owner("bg"), name: "ghost", uid: "00000000-0000-4000-8000-000000000000" }))
  await player.create(toys, "Toy", "toy", {})
  await player.create(toys, "Toy", "toy-child", owned(player.owner("toy", true)))
  await map("toy-map", owned(player.owner("toy")))
}

const network = async (player: Player): Promise<void> => {
  const ports = [{ name: "web", port: 80, targetPort: "web" }]
  await player.create(services, "Service", "plain", { spec: { selector: { app: "a" }, ports } })
  const headless = { selector: { app: "a" }, ports, clusterIP: "None", publishNotReadyAddresses: true }
  await player.create(services, "Service", "headless", { metadata: { labels: { x: "y" } }, spec: headless })
  await player.create(services, "Service", "close", {
    spec: { selector: { app: "b" }, ports, trafficDistribution: "PreferSameZone" }
  })
  await player.create(services, "Service", "empty", { spec: { selector: { app: "nobody" }, ports } })
  await player.create(services, "Service", "far", { spec: { ports: [{ port: 80 }] } })
  await player.create(endpoints, "Endpoints", "far", {
    metadata: { annotations: { note: "n" } },
    subsets: [{ addresses: [{ ip: "192.0.2.1" }, { ip: "2001:db8::1" }], ports: [{ port: 80 }] }]
  })
  const nodeName = `${player.ns}-well`
  for (const [at, [app, ready]] of (
    [
      ["a", true],
      ["a", false],
      ["b", true],
      ["b", true]
    ] as const
  ).entries()) {
    await player.create(pods, "Pod", `${app}${at}`, pod({ app }, { nodeName }))
    await player.change(pods, `${app}${at}`, running(`10.1.0.${at + 1}`, ready), "status")
  }
}

const storage = async (player: Player): Promise<void> => {
  const spec = (size: string, storageClassName: string, more: Fields = {}): Fields => ({
    spec: {
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: size } },
      storageClassName: storageClassName === "" ? "" : `${player.ns}-${storageClassName}`,
      ...more
    }
  })
  for (const [name, size, policy] of [
    ["small", "1Gi", "Retain"],
    ["middle", "3Gi", "Retain"],
    ["large", "9Gi", "Delete"]
  ] as const)
    await player.create(
      volumes,
      "PersistentVolume",
      name,
      {
        spec: {
          capacity: { storage: size },
          accessModes: ["ReadWriteOnce"],
          storageClassName: `${player.ns}-static`,
          persistentVolumeReclaimPolicy: policy,
          hostPath: { path: `/nowhere/${name}` }
        }
      },
      true
    )
  const provisioner = "disk.example.com"
  await player.create(classes, "StorageClass", "dynamic", { provisioner, volumeBindingMode: "Immediate" }, true)
  await player.create(classes, "StorageClass", "late", { provisioner, volumeBindingMode: "WaitForFirstConsumer" }, true)
  await player.create(claims, "PersistentVolumeClaim", "two", spec("2Gi", "static"))
  await new Promise((resolve) => setTimeout(resolve, 1500))
  await player.create(claims, "PersistentVolumeClaim", "eight", spec("8Gi", "static"))
  await player.create(
    claims,
    "PersistentVolumeClaim",
    "named",
    spec("5Gi", "static", { volumeName: `${player.ns}-small` })
  )
  await player.create(claims, "PersistentVolumeClaim", "dynamic", spec("1Gi", "dynamic"))
  await player.create(claims, "PersistentVolumeClaim", "late", spec("1Gi", "late"))
  await player.create(claims, "PersistentVolumeClaim", "unknown", spec("1Gi", "missing"))
  await player.create(claims, "PersistentVolumeClaim", "none", spec("99Gi", ""))
}

const silentNodes = async (player: Player): Promise<void> => {
  // Alone in its zone: where most nodes of a small zone fail, nobody is evicted.
  for (const [name, zone] of [
    ["silent", "z2"],
    ["never", "z1"],
    ["unready", "z1"]
  ] as const) {
    const labels = { "topology.kubernetes.io/zone": zone, "kubernetes.io/os": "linux" }
    await player.create(nodes, "Node", name, { metadata: { labels } }, true)
  }
  await player.change(nodes, "silent", nodeStatus("True", Date.now()), "status", true)
  await player.change(nodes, "unready", nodeStatus("False", Date.now()), "status", true)
  const nodeName = `${player.ns}-silent`
  const toleration = { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute" }
  await player.create(pods, "Pod", "stays", pod({ app: "c" }, { nodeName, tolerations: [toleration] }))
  const tolerations = [{ ...toleration, tolerationSeconds: 1 }]
  await player.create(pods, "Pod", "evicted", pod({ app: "c" }, { nodeName, tolerations }))
  for (const name of ["stays", "evicted"]) await player.change(pods, name, running("10.1.0.9", true), "status")
}

/** The first round: things are made. */
export const begin = async (player: Player): Promise<void> => {
  const hard = {
    pods: "20",
    "requests.cpu": "4",
    configmaps: "50",
    services: "10",
    "count/toys.upkeep.example.com": "9"
  }
  await player.create(quotas, "ResourceQuota", "quota", { spec: { hard } })
  // A first count that comes after the first things races their charge at admission, and its error stays for minutes.
  await player.until(quotas, "quota", ({ status }) => (status as Fields | undefined)?.["used"] !== undefined)
  await Promise.all([garbage(player), network(player), storage(player), silentNodes(player)])
}

/** The second round: things are changed and deleted. */
export const goOn = async (player: Player): Promise<void> => {
  await player.delete(configmaps, "bg", { propagationPolicy: "Background" })
  await player.delete(configmaps, "fg", { propagationPolicy: "Foreground" })
  await player.delete(configmaps, "keep", { propagationPolicy: "Orphan" })
  await player.delete(toys, "toy", { propagationPolicy: "Foreground" })
  await player.change(services, "plain", { metadata: { labels: { tier: "front" } } })
  await player.change(pods, "a1", running("10.1.0.2", true), "status")
  await player.change(pods, "b2", { metadata: { labels: { app: "a" } } })
  await player.delete(pods, "b3", { gracePeriodSeconds: 0 })
  await player.delete(services, "far")
  await player.delete(claims, "two")
  await player.delete(claims, "eight")
}

/** A namespace that is deleted while something in it is held back. */
export const beginDeleted = async (player: Player): Promise<void> => {
  await player.create(configmaps, "ConfigMap", "stuck", { metadata: { finalizers: ["example.com/hold"] } })
  await player.create(configmaps, "ConfigMap", "free", {})
  await player.create(toys, "Toy", "toy", {})
}

/** What is compared: resources, and whether they are in the namespace. */
export const compared: ReadonlyArray<readonly [GroupVersionResource, boolean]> = [
  [configmaps, true],
  [gvr("", "v1", "serviceaccounts"), true],
  [quotas, true],
  [services, true],
  [endpoints, true],
  [slices, true],
  [pods, true],
  [claims, true],
  [toys, true],
  [volumes, false],
  [nodes, false],
  [namespaces, false]
]

// What users do to workloads, step by step: makes, edits, scales, pauses, undoes, breaks and deletes. Played once with each manager.
// Owns the steps and when each is over; refuses to judge what they lead to.
import type { KubeObject } from "#kube"
import type { RealCluster } from "./RealCluster.ts"

export interface Step {
  readonly name: string
  readonly run: (cluster: RealCluster, namespace: string) => Promise<unknown>
  /** Whether the step has come to its end; it must stay so for a while. */
  readonly until?: (objects: ReadonlyArray<KubeObject>) => boolean
}

type Patch = Record<string, unknown>

const template = (app: string, image: string): Patch => ({
  metadata: { labels: { app }, annotations: { note: app } },
  spec: { terminationGracePeriodSeconds: 1, containers: [{ name: "main", image }] }
})

const of = (kind: string, apiVersion: string, name: string, spec: Patch): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, annotations: { "kubernetes.io/change-cause": "made" } },
  spec: {
    selector: apiVersion === "v1" ? { app: name } : { matchLabels: { app: name } },
    template: template(name, "one"),
    ...spec
  } as never
})

const claim = {
  metadata: { name: "data" },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } }
}
const apps = "apps/v1"

const paths: Readonly<Record<string, string>> = {
  Deployment: "/apis/apps/v1/namespaces/NS/deployments",
  ReplicaSet: "/apis/apps/v1/namespaces/NS/replicasets",
  StatefulSet: "/apis/apps/v1/namespaces/NS/statefulsets",
  DaemonSet: "/apis/apps/v1/namespaces/NS/daemonsets",
  ReplicationController: "/api/v1/namespaces/NS/replicationcontrollers",
  Pod: "/api/v1/namespaces/NS/pods"
}

type Calls = Pick<RealCluster, "call">

const send = async ({ call }: Calls, method: string, path: string, body: unknown): Promise<void> => {
  const type = method === "PATCH" ? "application/merge-patch+json" : "application/json"
  const answer = await call(method, path, { body: JSON.stringify(body), headers: { "content-type": type } })
  if (answer.code >= 300) throw new Error(`${method} ${path}: ${answer.body}`)
}

const make = (cluster: Calls, namespace: string, object: KubeObject): Promise<void> =>
  send(cluster, "POST", (paths[object.kind] ?? "").replace("NS", namespace), object)

const patch = (cluster: Calls, namespace: string, kind: string, name: string, body: Patch): Promise<void> =>
  send(cluster, "PATCH", `${(paths[kind] ?? "").replace("NS", namespace)}/${name}`, body)

const setImage = (cluster: Calls, namespace: string, kind: string, name: string, image: string): Promise<void> =>
  patch(cluster, namespace, kind, name, { spec: { template: { spec: { containers: [{ name: "main", image }] } } } })

const scale = (cluster: Calls, namespace: string, kind: string, name: string, replicas: number): Promise<void> =>
  patch(cluster, namespace, kind, name, { spec: { replicas } })

type Counts = Readonly<Record<string, number | undefined>>

const statusOf = ({ status }: KubeObject): Counts => (status ?? {}) as Counts

/** Whether every workload of its kind has all its pods new and available. */
const isWhole = (object: KubeObject): boolean => {
  const {
    availableReplicas = 0,
    desiredNumberScheduled = 0,
    numberAvailable = 0,
    updatedReplicas = 0
  } = statusOf(object)
  const { replicas, updateStrategy } = (object.spec ?? {}) as {
    replicas?: number
    updateStrategy?: { rollingUpdate?: { partition?: number } }
  }
  const { replicas: standing = 0, updatedNumberScheduled = 0 } = statusOf(object)
  switch (object.kind) {
    case "Deployment":
      return updatedReplicas === replicas && availableReplicas === replicas && standing === replicas
    case "StatefulSet": {
      const isKept = object.metadata.name === "kept"
      const old = isKept ? Infinity : (updateStrategy?.rollingUpdate?.partition ?? 0)
      return availableReplicas === replicas && standing === replicas && updatedReplicas >= (replicas ?? 0) - old
    }
    case "ReplicaSet":
    case "ReplicationController":
      return availableReplicas === replicas && standing === replicas
    case "DaemonSet":
      return (
        numberAvailable > 0 &&
        numberAvailable === desiredNumberScheduled &&
        (object.metadata.name === "ondelete" || updatedNumberScheduled === desiredNumberScheduled)
      )
    default:
      return object.metadata.deletionTimestamp === undefined
  }
}

const whole = (objects: ReadonlyArray<KubeObject>): boolean => objects.every(isWhole)

const condition =
  (name: string, type: string, reason: string) =>
  (objects: ReadonlyArray<KubeObject>): boolean =>
    objects.some(({ kind, metadata, status }) => {
      const { conditions = [] } = (status ?? {}) as {
        readonly conditions?: ReadonlyArray<{ type: string; reason: string }>
      }
      return (
        kind === "Deployment" &&
        metadata.name === name &&
        conditions.some((one) => one.type === type && one.reason === reason)
      )
    })

/** The name of a pod of an app; on a node, where that matters. */
const first = (objects: ReadonlyArray<KubeObject>, app: string, node?: string): string => {
  const pod = objects.find(
    ({ kind, metadata, spec }) =>
      kind === "Pod" &&
      metadata.labels?.["app"] === app &&
      (node === undefined || (spec as { readonly nodeName?: string }).nodeName === node)
  )
  if (pod === undefined) throw new Error(`no pod of ${app}`)
  return pod.metadata.name ?? ""
}

const patchNode = (cluster: Calls, name: string, body: Patch): Promise<void> =>
  send(cluster, "PATCH", `/api/v1/nodes/${name}`, body)

/** The real manager counts misplaced pods only when it looks for another reason, ours at once: so both are made to look. */
const touchDaemons = async (cluster: Calls, namespace: string, why: string): Promise<void> => {
  for (const name of ["rolling", "surging", "ondelete"])
    await patch(cluster, namespace, "DaemonSet", name, { metadata: { annotations: { why } } })
}

const all: ReadonlyArray<readonly [kind: string, name: string]> = [
  ["Deployment", "web"],
  ["Deployment", "recreate"],
  ["StatefulSet", "ordered"],
  ["StatefulSet", "parallel"],
  ["DaemonSet", "rolling"],
  ["DaemonSet", "surging"],
  ["DaemonSet", "ondelete"],
  ["StatefulSet", "kept"]
]

export const workloadScript: ReadonlyArray<Step> = [
  {
    name: "makes one of each",
    run: async (cluster, namespace) => {
      const objects = [
        of("Deployment", apps, "web", { replicas: 3, progressDeadlineSeconds: 2, revisionHistoryLimit: 2 }),
        of("Deployment", apps, "recreate", { replicas: 2, strategy: { type: "Recreate" }, minReadySeconds: 1 }),
        of("StatefulSet", apps, "ordered", {
          replicas: 3,
          serviceName: "ordered",
          ordinals: { start: 2 },
          volumeClaimTemplates: [claim],
          persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Delete" }
        }),
        of("StatefulSet", apps, "parallel", {
          replicas: 4,
          serviceName: "parallel",
          podManagementPolicy: "Parallel",
          revisionHistoryLimit: 1,
          updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 1, maxUnavailable: 2 } }
        }),
        of("StatefulSet", apps, "kept", {
          replicas: 2,
          serviceName: "kept",
          minReadySeconds: 1,
          updateStrategy: { type: "OnDelete" }
        }),
        of("DaemonSet", apps, "rolling", {}),
        of("DaemonSet", apps, "surging", {
          revisionHistoryLimit: 1,
          updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }
        }),
        of("DaemonSet", apps, "ondelete", {
          updateStrategy: { type: "OnDelete" },
          template: {
            metadata: { labels: { app: "ondelete" } },
            spec: {
              nodeSelector: { disk: "fast" },
              hostNetwork: true,
              affinity: { podAntiAffinity: {} },
              terminationGracePeriodSeconds: 1,
              containers: [{ name: "main", image: "one" }]
            }
          }
        }),
        of("ReplicaSet", apps, "bare", { replicas: 2 }),
        of("ReplicationController", "v1", "old", { replicas: 2 })
      ]
      for (const object of objects) await make(cluster, namespace, object)
    },
    until: (objects) => objects.length > 20 && whole(objects)
  },
  {
    name: "updates the image of all, and scales those that are not rolled out",
    run: async (cluster, namespace) => {
      for (const [kind, name] of all) await setImage(cluster, namespace, kind, name, "two")
      await cluster.kubectl(
        "-n",
        namespace,
        "annotate",
        "deployment/web",
        "kubernetes.io/change-cause=two",
        "--overwrite"
      )
      await scale(cluster, namespace, "ReplicaSet", "bare", 4)
      await scale(cluster, namespace, "ReplicationController", "old", 1)
    },
    until: whole
  },
  {
    name: "scales up, down and to nothing",
    run: async (cluster, namespace) => {
      await scale(cluster, namespace, "Deployment", "web", 6)
      await scale(cluster, namespace, "Deployment", "recreate", 0)
      await scale(cluster, namespace, "StatefulSet", "ordered", 5)
      await scale(cluster, namespace, "StatefulSet", "parallel", 2)
    },
    until: whole
  },
  {
    name: "pauses, and edits and scales meanwhile",
    run: async (cluster, namespace) => {
      await cluster.kubectl("-n", namespace, "rollout", "pause", "deployment/web")
      await cluster.settle(namespace)
      await setImage(cluster, namespace, "Deployment", "web", "three")
      await scale(cluster, namespace, "Deployment", "web", 4)
      await scale(cluster, namespace, "StatefulSet", "ordered", 2)
    },
    until: (objects) =>
      condition("web", "Progressing", "DeploymentPaused")(objects) &&
      objects.every((one) => one.metadata.name === "web" || isWhole(one))
  },
  {
    name: "resumes",
    run: (cluster, namespace) => cluster.kubectl("-n", namespace, "rollout", "resume", "deployment/web"),
    until: whole
  },
  {
    name: "undoes",
    run: async (cluster, namespace) => {
      for (const target of ["deployment/web", "daemonset/rolling", "statefulset/ordered"])
        await cluster.kubectl("-n", namespace, "rollout", "undo", target)
    },
    until: whole
  },
  {
    name: "rolls out what never gets ready, until the deadline is over",
    run: (cluster, namespace) => setImage(cluster, namespace, "Deployment", "web", "bad"),
    until: condition("web", "Progressing", "ProgressDeadlineExceeded")
  },
  {
    name: "scales the stuck rollout",
    run: (cluster, namespace) => scale(cluster, namespace, "Deployment", "web", 10)
  },
  {
    name: "goes back to what worked",
    run: (cluster, namespace) => cluster.kubectl("-n", namespace, "rollout", "undo", "deployment/web"),
    until: whole
  },
  {
    name: "asks for pods that are not admitted",
    run: (cluster, namespace) =>
      patch(cluster, namespace, "Deployment", "web", {
        spec: { template: { spec: { priorityClassName: "none-such" } } }
      }),
    until: condition("web", "ReplicaFailure", "FailedCreate")
  },
  {
    name: "takes that back",
    run: (cluster, namespace) => cluster.kubectl("-n", namespace, "rollout", "undo", "deployment/web"),
    until: whole
  },
  {
    name: "adopts and releases pods",
    run: async (cluster, namespace) => {
      const objects = await cluster.list(namespace)
      await patch(cluster, namespace, "Pod", first(objects, "bare"), { metadata: { labels: { app: "free" } } })
      await cluster.settle(namespace)
      const stray = {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "stray-aaaaa", labels: { app: "old" } },
        spec: template("old", "one")["spec"]
      }
      await make(cluster, namespace, stray as KubeObject)
    },
    until: (objects) =>
      whole(objects) &&
      objects.filter(({ kind, metadata }) => kind === "Pod" && metadata.labels?.["app"] === "old").length === 1
  },
  {
    name: "loses pods, and has failed ones",
    run: async (cluster, namespace) => {
      const objects = await cluster.list(namespace)
      await cluster.call("DELETE", `/api/v1/namespaces/${namespace}/pods/parallel-1`)
      await cluster.call("DELETE", `/api/v1/namespaces/${namespace}/pods/kept-1`)
      await cluster.call("DELETE", `/api/v1/namespaces/${namespace}/pods/${first(objects, "web")}`)
      await cluster.call("DELETE", `/api/v1/namespaces/${namespace}/pods/${first(objects, "ondelete", "n1")}`)
      for (const name of ["ordered-2", first(objects, "rolling"), first(objects, "bare")])
        await send(cluster, "PATCH", `/api/v1/namespaces/${namespace}/pods/${name}/status`, {
          status: { phase: "Failed" }
        })
    },
    until: (objects) =>
      whole(objects) &&
      objects.every(
        (one) =>
          one.kind !== "Pod" ||
          one.metadata.labels?.["app"] === "bare" ||
          (one.status as Counts)["phase"] !== ("Failed" as never)
      )
  },
  {
    name: "has a node taken from daemons, and another given",
    run: async (cluster, namespace) => {
      await patchNode(cluster, "n1", {
        metadata: { labels: { disk: "slow" } },
        spec: { taints: [{ key: "mine", effect: "NoSchedule" }] }
      })
      await patchNode(cluster, "n0", { metadata: { labels: { disk: "fast" } } })
      await cluster.settle(namespace)
      await touchDaemons(cluster, namespace, "taken")
    },
    until: whole
  },
  {
    name: "has the nodes back as they were",
    run: async (cluster, namespace) => {
      await patchNode(cluster, "n1", { metadata: { labels: { disk: "fast" } }, spec: { taints: null } })
      await patchNode(cluster, "n0", { metadata: { labels: { disk: "slow" } } })
      await cluster.settle(namespace)
      await touchDaemons(cluster, namespace, "given")
    },
    until: whole
  }
]

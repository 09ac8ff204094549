// A small simulated cluster with workload controllers, and the questions that tests of them ask.
// Owns the world and its watching: after every revision of the store an invariant is asked. Refuses to know which.
import type { KubeObject } from "#kube"
import { allControllers, type ChurnStep, controllerManager, World, type WorldOptions } from "#sim"
import { clusterDefinitions } from "../Definitions.ts"

export interface ControlledWorld {
  readonly world: World
  readonly list: (group: string, resource: string) => ReadonlyArray<KubeObject>
  readonly pods: (app: string) => ReadonlyArray<KubeObject>
  /** Runs for a time; the watcher is called after each change of the store. */
  readonly run: (forMs: number, watcher?: () => void) => void
  readonly play: (...steps: ReadonlyArray<ChurnStep>) => void
}

const workloads = new Set(
  ["deployment", "replicaset", "statefulset", "daemonset", "replicationcontroller"].map((name) => `${name}-controller`)
)

export const controlledWorld = (options: Partial<WorldOptions> & { readonly nodes?: number }): ControlledWorld => {
  const { nodes = 6, ...others } = options
  const world = new World({
    seed: 1,
    definitions: clusterDefinitions,
    nodeGroups: [{ name: "node", count: nodes, zones: ["a", "b", "c"] }],
    controllers: [controllerManager({ controllers: allControllers.filter(({ name }) => workloads.has(name)) })],
    ...others
  })
  world.start()
  const list = (group: string, resource: string): ReadonlyArray<KubeObject> =>
    world.api.server?.view(group, resource).list("") ?? []
  return {
    world,
    list,
    pods: (app) => list("", "pods").filter(({ metadata }) => metadata.labels?.["app"] === app),
    play: (...steps) => world.play(steps.map((step) => ({ ...step, atMs: world.kernel.nowMs + step.atMs }))),
    run: (forMs, watcher) => {
      let seen = -1
      world.kernel.run({
        untilMs: world.kernel.nowMs + forMs,
        ...(watcher && {
          until: () => {
            const revision = world.api.node.storage?.store.revision ?? -1
            if (revision !== seen) watcher()
            seen = revision
            return false
          }
        })
      })
    }
  }
}

type Fields = Readonly<Record<string, unknown>>

const plurals: Readonly<Record<string, string>> = {
  Deployment: "deployments",
  StatefulSet: "statefulsets",
  DaemonSet: "daemonsets",
  ReplicaSet: "replicasets"
}

export const targetOf = (kind: string, name: string) => ({
  apiVersion: "apps/v1",
  resource: plurals[kind] ?? "",
  namespace: "default",
  name
})

/** A workload whose pods have its name as `app`. */
export const workload = (kind: string, name: string, spec: Fields, pod: Fields = {}): ChurnStep => ({
  atMs: 0,
  verb: "create",
  of: targetOf(kind, name),
  object: {
    apiVersion: "apps/v1",
    kind,
    metadata: { name, namespace: "default" },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { terminationGracePeriodSeconds: 2, containers: [{ name: "main", image: "v0" }], ...pod }
      },
      ...spec
    }
  }
})

export const patchOf = (kind: string, name: string, spec: Fields, atMs = 0): ChurnStep => ({
  atMs,
  verb: "patch",
  of: targetOf(kind, name),
  patch: { spec }
})

export const imageOf = (kind: string, name: string, image: string, atMs = 0): ChurnStep =>
  patchOf(kind, name, { template: { spec: { containers: [{ name: "main", image }] } } }, atMs)

/** The image of a pod's container. */
export const podImage = ({ spec }: KubeObject): string =>
  (spec as unknown as { readonly containers: ReadonlyArray<{ readonly image: string }> }).containers[0]?.image ?? ""

/** The image that a workload asks for. */
export const templateImage = ({ spec }: KubeObject): string =>
  podImage((spec as unknown as { readonly template: KubeObject }).template)

export const isLeaving = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp !== undefined

/** Ready and not on its way out. */
export const serves = (pod: KubeObject): boolean => {
  const { conditions = [] } = (pod.status ?? {}) as {
    readonly conditions?: ReadonlyArray<{ type: string; status: string }>
  }
  return !isLeaving(pod) && conditions.some(({ status, type }) => type === "Ready" && status === "True")
}

/** A number of a status. */
export const statusNumber = ({ status }: KubeObject, field: string): number =>
  Number((status as Fields | undefined)?.[field] ?? 0)

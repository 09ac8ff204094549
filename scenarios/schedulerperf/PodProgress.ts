// What becomes of a workload's pods, seen through one informer: how many are made, tried and placed in each namespace.
// Owns the counts and who waits for them; refuses to list pods again, so that waiting costs nothing while pods are placed.
import { Effect } from "effect"
import { gvr, type Informer, type InformerFactory, isJsonObject, type KubeObject } from "#kube"

const specOf = ({ spec }: KubeObject): Readonly<Record<string, unknown>> => (isJsonObject(spec) ? spec : {})

/** Whether a pod has a node. */
export const isScheduled = (pod: KubeObject): boolean => {
  const node = specOf(pod)["nodeName"]
  return typeof node === "string" && node !== ""
}

/** Whether the scheduler has looked at a pod, with whatever end. */
export const isAttempted = ({ status }: KubeObject): boolean => {
  const conditions = isJsonObject(status) ? status["conditions"] : undefined
  return Array.isArray(conditions) && conditions.some((one) => isJsonObject(one) && one["type"] === "PodScheduled")
}

/** Whether a pod carries all these labels. */
export const hasLabels = (pod: KubeObject, labels: Readonly<Record<string, string>>): boolean =>
  Object.entries(labels).every(([name, value]) => pod.metadata.labels?.[name] === value)

/** How often a waiter looks, in milliseconds. */
const LOOK_EVERY_MS = 10

export class PodProgress {
  readonly informer: Informer
  /** Called at the moment when a pod is seen to have been placed. */
  readonly onScheduled = new Set<(pod: KubeObject) => void>()
  private readonly byNamespace = new Map<string, Map<string, KubeObject>>()
  private readonly scheduledIn = new Map<string, number>()

  constructor(informers: InformerFactory) {
    this.informer = informers.informer(gvr("", "v1", "pods"))
    this.informer.addHandler({
      added: (pod) => this.seen(undefined, pod),
      updated: (before, pod) => this.seen(before, pod),
      deleted: (pod) => {
        const { namespace = "", uid = "" } = pod.metadata
        this.byNamespace.get(namespace)?.delete(uid)
        if (isScheduled(pod)) this.add(namespace, -1)
      }
    })
  }

  private seen(before: KubeObject | undefined, pod: KubeObject): void {
    const { namespace = "", uid = "" } = pod.metadata
    let pods = this.byNamespace.get(namespace)
    if (pods === undefined) this.byNamespace.set(namespace, (pods = new Map()))
    pods.set(uid, pod)
    if (!isScheduled(pod) || (before !== undefined && isScheduled(before))) return
    this.add(namespace, 1)
    for (const tell of this.onScheduled) tell(pod)
  }

  private add(namespace: string, change: number): void {
    this.scheduledIn.set(namespace, this.scheduled(namespace) + change)
  }

  /** Pods of a namespace. */
  pods(namespace: string): Iterable<KubeObject> {
    return this.byNamespace.get(namespace)?.values() ?? []
  }

  /** How many pods of a namespace have a node. */
  scheduled(namespace: string): number {
    return this.scheduledIn.get(namespace) ?? 0
  }

  /** How many pods of a namespace are so. */
  count(namespace: string, is: (pod: KubeObject) => boolean): number {
    let count = 0
    for (const pod of this.pods(namespace)) if (is(pod)) count++
    return count
  }
}

/** Waits until a condition holds. */
export const waitUntil = Effect.fnUntraced(function* (isDone: () => boolean) {
  while (!isDone()) yield* Effect.sleep(LOOK_EVERY_MS)
})

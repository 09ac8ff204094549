// Whether a cluster's sums are right: no namespace above its quota, at any time; as many replicas counted as there are, in the end.
// Owns these sums, kept up to date from the server's own view of each change; refuses to count anything through a client.
import type { ResourceView } from "#apiserver"
import { controllerOf, isJsonObject, type Json, type JsonObject, type KubeObject } from "#kube"
import { amountOf, demandOf } from "../binder/PodDemand.ts"
import { podStatus } from "../nodes/PodStatus.ts"
import type { Violations } from "./Violations.ts"

const fieldsOf = (value: unknown): JsonObject => (isJsonObject(value as Json) ? (value as JsonObject) : {})

const isActive = (pod: KubeObject): boolean => {
  const { phase } = podStatus(pod)
  return phase !== "Succeeded" && phase !== "Failed"
}

type Usage = Map<string, number>

/** Where objects and their changes are seen: the server's own view, or a watcher's. */
export interface CheckedViews {
  readonly view: (group: string, resource: string) => Pick<ResourceView, "list" | "onChange">
}

export class ClusterChecker {
  private readonly violations: Violations
  private usage = new Map<string, Usage>()
  private server: CheckedViews | undefined

  constructor(violations: Violations) {
    this.violations = violations
  }

  /** Follows a server that has just started. */
  follow(server: CheckedViews): void {
    this.server = server
    this.usage = new Map()
    const pods = server.view("", "pods")
    pods.onChange((before, after) => {
      if (before !== undefined && isActive(before)) this.charge(before, -1)
      if (after === undefined || !isActive(after)) return
      this.charge(after, 1)
      if (before === undefined) this.checkQuota(after.metadata.namespace ?? "")
    })
    // A view that was filled at once has told nobody of what a server finds when it comes back.
    for (const pod of pods.list("")) if (isActive(pod)) this.charge(pod, 1)
    server.view("", "resourcequotas").list("")
  }

  /** Called when all is quiet: what workloads say of their replicas must be so. */
  finished(): void {
    if (this.server === undefined) return
    const owned = new Map<string, number>()
    for (const pod of this.server.view("", "pods").list("")) {
      const owner = controllerOf(pod)?.uid
      if (owner !== undefined && isActive(pod) && pod.metadata.deletionTimestamp === undefined)
        owned.set(owner, (owned.get(owner) ?? 0) + 1)
    }
    const said = new Map<string, number>()
    for (const set of this.server.view("apps", "replicasets").list("")) {
      const replicas = Number(fieldsOf(set.status)["replicas"] ?? 0)
      const really = owned.get(set.metadata.uid ?? "") ?? 0
      if (replicas !== really) this.report(set, replicas, really)
      const owner = controllerOf(set)?.uid
      if (owner !== undefined) said.set(owner, (said.get(owner) ?? 0) + replicas)
    }
    for (const deployment of this.server.view("apps", "deployments").list("")) {
      const replicas = Number(fieldsOf(deployment.status)["replicas"] ?? 0)
      const really = said.get(deployment.metadata.uid ?? "") ?? 0
      if (replicas !== really) this.report(deployment, replicas, really)
    }
  }

  private report({ kind, metadata }: KubeObject, said: number, really: number): void {
    const name = `${kind} ${metadata.namespace ?? ""}/${metadata.name ?? ""}`
    this.violations.report("replicas sum", `${name} says that it has ${said} replicas, and has ${really}`)
  }

  private charge(pod: KubeObject, sign: 1 | -1): void {
    const namespace = pod.metadata.namespace ?? ""
    let usage = this.usage.get(namespace)
    if (usage === undefined) this.usage.set(namespace, (usage = new Map()))
    const { cpuMilli, memory } = demandOf(pod)
    const amounts = {
      pods: 1,
      "count/pods": 1,
      cpu: cpuMilli,
      "requests.cpu": cpuMilli,
      memory,
      "requests.memory": memory
    }
    for (const [name, amount] of Object.entries(amounts)) usage.set(name, (usage.get(name) ?? 0) + sign * amount)
  }

  private checkQuota(namespace: string): void {
    for (const quota of this.server?.view("", "resourcequotas").list(namespace) ?? []) {
      const hard = fieldsOf(fieldsOf(quota.spec)["hard"])
      for (const [name, value] of Object.entries(hard)) {
        const used = this.usage.get(namespace)?.get(name)
        const most = amountOf(name.replace("requests.", ""), value)
        if (used !== undefined && used > most)
          this.violations.report(
            "quota is never exceeded",
            `namespace ${namespace} uses ${used} of ${name}; quota ${quota.metadata.name ?? ""} allows ${most}`
          )
      }
    }
  }
}

// Pods and nodes for the scheduler's tests and benchmarks, as short as they can be said.
import type { JsonObject, KubeObject } from "#kube"

export interface NodeOptions {
  readonly labels?: Readonly<Record<string, string>>
  readonly spec?: JsonObject
  readonly allocatable?: Readonly<Record<string, string>>
  readonly status?: JsonObject
}

export const node = (name: string, { allocatable, labels, spec, status }: NodeOptions = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, uid: `node-${name}`, labels: { "kubernetes.io/hostname": name, ...labels } },
  spec: spec ?? {},
  status: { allocatable: { cpu: "4", memory: "32Gi", pods: "110", ...allocatable }, ...status }
})

export interface PodOptions {
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly requests?: Readonly<Record<string, string>>
  readonly spec?: JsonObject
  readonly status?: JsonObject
  readonly metadata?: object
}

export const pod = (name: string, options: PodOptions = {}): KubeObject => {
  const { labels, metadata, namespace = "default", requests = {}, spec, status } = options
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, uid: `pod-${namespace}-${name}`, ...(labels && { labels }), ...metadata },
    spec: { containers: [{ name: "c", image: "pause", resources: { requests } }], ...spec },
    status: status ?? {}
  }
}

// Objects that the tests of the federation send.
import { FEDERATION_API_VERSION, federationLabels } from "#federation"
import type { KubeObject } from "#kube"

export const deployment = (name: string, replicas: number, more: Partial<KubeObject["metadata"]> = {}): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "default", labels: { [federationLabels.propagationPolicy]: "spread" }, ...more },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "web", image: "nginx:1" }] } }
  }
})

export const policy = (name: string, spec: object): KubeObject => ({
  apiVersion: FEDERATION_API_VERSION,
  kind: "PropagationPolicy",
  metadata: { name, namespace: "default" },
  spec: spec as never
})

// The API of the gateway as CustomResourceDefinitions: group proxy.kubegateway.io/v1alpha1 with KubeGateway's field names, and ours.
// Owns names, columns and which kinds are stored; what is asked and answered on the wire (RateLimitAcquire, RateLimitServerInfo) is not.
import { SchemaParts } from "#apiserver"
import { gvr, type JsonObject, type KubeObject } from "#kube"
import { accessFields } from "./AccessSchema.ts"
import { dispatchFields } from "./DispatchSchema.ts"
import { clusterStatus, trafficFields } from "./TrafficSchema.ts"

const { ageColumn, column, conditionPath, customResourceDefinition, integer, listOf, struct, text } = SchemaParts

/** The API group of everything here. */
export const GATEWAY_GROUP = "proxy.kubegateway.io"
export const GATEWAY_VERSION = "v1alpha1"
export const upstreamClusters = gvr(GATEWAY_GROUP, GATEWAY_VERSION, "upstreamclusters")
export const rateLimitConditions = gvr(GATEWAY_GROUP, GATEWAY_VERSION, "ratelimitconditions")

const crd = (kind: Omit<SchemaParts.CustomKind, "group" | "version" | "categories" | "scope">): KubeObject =>
  customResourceDefinition({
    group: GATEWAY_GROUP,
    version: GATEWAY_VERSION,
    categories: ["kubegateway"],
    scope: "Cluster",
    ...kind
  })

const upstreamCluster = crd({
  kind: "UpstreamCluster",
  plural: "upstreamclusters",
  shortNames: ["uc"],
  description: "A cluster behind the gateway, reached under its name as the host.",
  properties: {
    spec: struct("What is wanted.", { ...accessFields, ...trafficFields, ...dispatchFields }),
    status: clusterStatus
  },
  columns: [
    column("Accepted", conditionPath("Accepted")),
    column("Ready", conditionPath("Ready")),
    column("Endpoints", ".status.healthyEndpoints"),
    column("Reason", '.status.conditions[?(@.type=="Accepted")].reason', "string", 1),
    column("Hosts", ".status.hosts", "string", 1),
    ageColumn
  ],
  subresources: { status: {} }
})

const detail: JsonObject = {
  maxRequestsInflight: struct("So many at the same time.", { max: integer("Requests at the same time.") }),
  tokenBucket: struct("So many in a second.", {
    qps: integer("Requests in a second."),
    burst: integer("Requests at once.")
  })
}

const rateLimitCondition = crd({
  kind: "RateLimitCondition",
  plural: "ratelimitconditions",
  shortNames: ["rlc"],
  description: "What one gateway may let pass, and what it does let pass; or, named .state, the sum over all of them.",
  properties: {
    spec: struct("What is granted.", {
      upstreamCluster: text("The cluster whose flow controls these are."),
      instance: text("The gateway; empty for the sum."),
      limitItemConfigurations: listOf(
        "One for each flow control.",
        struct("", {
          name: text("The flow control."),
          ...detail,
          strategy: text("As in the flow control.")
        })
      )
    }),
    status: struct("What is used.", {
      limitItemStatuses: listOf(
        "One for each flow control.",
        struct("", {
          name: text("The flow control."),
          ...detail,
          requestLevel: integer("Requests as a part of the limit, in percent.")
        })
      )
    })
  },
  columns: [column("Cluster", ".spec.upstreamCluster"), column("Instance", ".spec.instance"), ageColumn]
})

/** The definitions, as `wharf gateway crds` prints them. */
export const gatewayCrds: ReadonlyArray<KubeObject> = [upstreamCluster, rateLimitCondition]

// The API of the gateway as CustomResourceDefinitions: group proxy.kubegateway.io/v1alpha1 with KubeGateway's field names, and ours.
// Owns names, columns and which kinds are stored; what is asked and answered on the wire (RateLimitAcquire, RateLimitServerInfo) is not.
import { gvr, type JsonObject, type KubeObject } from "#kube"
import { accessFields } from "./AccessSchema.ts"
import { dispatchFields } from "./DispatchSchema.ts"
import { integer, listOf, struct, text } from "./SchemaParts.ts"
import { clusterStatus, trafficFields } from "./TrafficSchema.ts"

/** The API group of everything here. */
export const GATEWAY_GROUP = "proxy.kubegateway.io"
export const GATEWAY_VERSION = "v1alpha1"
export const upstreamClusters = gvr(GATEWAY_GROUP, GATEWAY_VERSION, "upstreamclusters")
export const rateLimitConditions = gvr(GATEWAY_GROUP, GATEWAY_VERSION, "ratelimitconditions")

interface CrdParts {
  readonly kind: string
  readonly plural: string
  readonly shortNames: ReadonlyArray<string>
  readonly description: string
  readonly properties: JsonObject
  readonly columns: ReadonlyArray<JsonObject>
  readonly subresources?: JsonObject
}

const crd = ({ columns, description, kind, plural, properties, shortNames, subresources }: CrdParts): KubeObject => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${plural}.${GATEWAY_GROUP}` },
  spec: {
    group: GATEWAY_GROUP,
    scope: "Cluster",
    names: {
      kind,
      listKind: `${kind}List`,
      plural,
      singular: kind.toLowerCase(),
      shortNames,
      categories: ["kubegateway"]
    },
    versions: [
      {
        name: GATEWAY_VERSION,
        served: true,
        storage: true,
        ...(subresources === undefined ? {} : { subresources }),
        additionalPrinterColumns: columns,
        schema: {
          openAPIV3Schema: {
            type: "object",
            description,
            properties: {
              apiVersion: { type: "string" },
              kind: { type: "string" },
              metadata: { type: "object" },
              ...properties
            }
          }
        }
      }
    ]
  }
})

const column = (name: string, jsonPath: string, type = "string", priority = 0): JsonObject => ({
  name,
  type,
  jsonPath,
  ...(priority === 0 ? {} : { priority })
})

const age = column("Age", ".metadata.creationTimestamp", "date")
const conditionOf = (type: string): string => `.status.conditions[?(@.type=="${type}")].status`

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
    column("Accepted", conditionOf("Accepted")),
    column("Ready", conditionOf("Ready")),
    column("Endpoints", ".status.healthyEndpoints"),
    column("Reason", '.status.conditions[?(@.type=="Accepted")].reason', "string", 1),
    column("Hosts", ".status.hosts", "string", 1),
    age
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
  columns: [column("Cluster", ".spec.upstreamCluster"), column("Instance", ".spec.instance"), age]
})

/** The definitions, as `wharf gateway crds` prints them. */
export const gatewayCrds: ReadonlyArray<KubeObject> = [upstreamCluster, rateLimitCondition]

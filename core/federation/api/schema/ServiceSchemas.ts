// The schemas of services across clusters: ServiceExport and ServiceImport of sig-multicluster's API.
// Owns names, types and bounds, which are that API's; refuses to know how traffic gets there.
import { SchemaParts } from "#apiserver"
import type { JsonObject, KubeObject } from "#kube"
import { FEDERATION_VERSION, SERVICES_GROUP } from "../FederationNames.ts"
import { conditions } from "./KindParts.ts"

const { ageColumn, choice, column, customResourceDefinition, integer, listOf, struct, text, texts } = SchemaParts

const shared = { group: SERVICES_GROUP, version: FEDERATION_VERSION, categories: ["kubeadmiral"] } as const

const ports: JsonObject = listOf(
  "The ports.",
  struct(
    "",
    {
      name: text("The name, like that of the Service's port."),
      protocol: text("TCP by default, UDP or SCTP."),
      appProtocol: text("What is spoken."),
      port: integer("The port.", { min: 1, max: 65_535 })
    },
    ["port"]
  ),
  { "x-kubernetes-list-type": "atomic" }
)

const serviceExport = customResourceDefinition({
  ...shared,
  kind: "ServiceExport",
  plural: "serviceexports",
  shortNames: ["svcex"],
  scope: "Namespaced",
  description: "The Service of the same name is there for other clusters.",
  properties: { status: struct("Whether it is.", { conditions: conditions("Valid and Conflict.") }) },
  columns: [ageColumn],
  subresources: { status: {} }
})

const serviceImport = customResourceDefinition({
  ...shared,
  kind: "ServiceImport",
  plural: "serviceimports",
  shortNames: ["svcim"],
  scope: "Namespaced",
  description: "A Service of other clusters.",
  properties: {
    spec: struct(
      "What is imported.",
      {
        ports,
        ips: texts("Addresses in this cluster."),
        type: choice("With an address of its own or without.", ["ClusterSetIP", "Headless"]),
        sessionAffinity: text("None by default, or ClientIP."),
        sessionAffinityConfig: struct("Of ClientIP.", {
          clientIP: struct("", { timeoutSeconds: integer("How long.", { min: 1, max: 86_400 }) })
        })
      },
      ["ports", "type"]
    ),
    status: struct("Where it comes from.", {
      clusters: listOf("The exporting clusters.", struct("", { cluster: text("The FederatedCluster.") }, ["cluster"]), {
        "x-kubernetes-list-map-keys": ["cluster"],
        "x-kubernetes-list-type": "map"
      })
    })
  },
  columns: [column("Type", ".spec.type"), column("IP", ".spec.ips"), ageColumn],
  subresources: { status: {} }
})

/** The two kinds. */
export const serviceKinds: ReadonlyArray<KubeObject> = [serviceExport, serviceImport]

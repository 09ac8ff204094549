// The schemas of members and of the types that go to them: FederatedCluster and FederatedTypeConfig.
// Owns names, types and bounds; refuses defaults, which those who read the objects apply.
import { SchemaParts } from "#apiserver"
import { apiResource, conditions, federationKind, quantities, taint } from "./KindParts.ts"

const { ageColumn, choice, column, conditionPath, flag, integer, listOf, struct, text, texts } = SchemaParts

const clusterSpec = struct(
  "How the member is reached.",
  {
    apiEndpoint: text("The address of its API server."),
    insecure: flag("Does not verify its certificate."),
    useServiceAccount: flag("Uses a service account of its own, made when it joins, instead of the Secret's user."),
    secretRef: struct(
      "The Secret of the system namespace with its credentials.",
      { name: text("The name of the Secret.") },
      ["name"]
    ),
    taints: listOf("Keep workloads away that do not tolerate them.", taint)
  },
  ["apiEndpoint", "secretRef"]
)

const clusterStatus = struct("What is known of the member.", {
  conditions: conditions("Joined, Ready and Offline."),
  resources: struct("What its nodes have.", {
    schedulableNodes: integer("Nodes that take pods.", { min: 0 }),
    allocatable: quantities("All that these nodes have."),
    available: quantities("What of it is not requested.")
  }),
  apiResourceTypes: listOf("The types that it serves.", apiResource),
  joinPerformed: flag("Something was made in the member, which a leave removes.")
})

/** A member cluster. */
export const federatedCluster = federationKind({
  kind: "FederatedCluster",
  plural: "federatedclusters",
  shortNames: ["fcluster"],
  scope: "Cluster",
  description: "A member of the federation.",
  properties: { spec: clusterSpec, status: clusterStatus },
  required: ["spec"],
  columns: [column("Ready", conditionPath("Ready")), column("Joined", conditionPath("Joined")), ageColumn],
  subresources: { status: {} }
})

const typeConfigSpec = struct(
  "How objects of one type are federated.",
  {
    sourceType: struct(
      "The type.",
      {
        group: text("Empty for the core group."),
        version: text("Like v1."),
        kind: text("Like Deployment."),
        pluralName: text("Like deployments."),
        scope: choice("Whether its objects are in namespaces.", ["Namespaced", "Cluster"])
      },
      ["version", "kind", "pluralName", "scope"]
    ),
    statusCollection: struct("What is read of members' objects; absent: nothing.", {
      enabled: flag("Whether it is."),
      fields: texts("Paths with dots.")
    }),
    statusAggregation: struct("Whether the status of the source is made of members'; it is by default.", {
      enabled: flag("Whether it is.")
    }),
    autoMigration: struct("Whether replicas move that stay unschedulable; absent: not.", {
      enabled: flag("Whether they do.")
    }),
    controllers: listOf("Who handles an object before it is synced, group after group.", texts("One group.")),
    pathDefinition: struct("Where the type keeps what is common to workloads; paths with dots.", {
      labelSelector: text("The selector of its pods."),
      replicasSpec: text("Replicas wanted."),
      replicasStatus: text("Replicas there are."),
      availableReplicasStatus: text("Replicas that are available."),
      readyReplicasStatus: text("Replicas that are ready.")
    })
  },
  ["sourceType"]
)

/** A type that is federated. */
export const federatedTypeConfig = federationKind({
  kind: "FederatedTypeConfig",
  plural: "federatedtypeconfigs",
  shortNames: ["ftc"],
  scope: "Cluster",
  description: "A type whose objects are federated.",
  properties: { spec: typeConfigSpec, status: struct("Nothing yet.", {}) },
  required: ["spec"],
  columns: [
    column("Kind", ".spec.sourceType.kind"),
    column("Group", ".spec.sourceType.group"),
    column("Scope", ".spec.sourceType.scope"),
    ageColumn
  ],
  subresources: { status: {} }
})

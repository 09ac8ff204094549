// The schemas of what the federation keeps of each object: FederatedObject and CollectedStatus, in both scopes.
// Owns names, types and bounds. PropagatedVersion is not kept: versions stand in the federated object's status, cluster by cluster.
import { SchemaParts } from "#apiserver"
import type { JsonObject, KubeObject } from "#kube"
import { conditions, federationKind } from "./KindParts.ts"

const { ageColumn, anything, column, conditionPath, listOf, long, moment, struct, text } = SchemaParts

const placed = listOf("Clusters.", struct("", { cluster: text("The FederatedCluster.") }, ["cluster"]))

const patch = struct(
  "",
  {
    op: text("replace by default."),
    path: text("A JSON pointer."),
    from: text("A JSON pointer, for move and copy."),
    value: { description: "Any value.", "x-kubernetes-preserve-unknown-fields": true }
  },
  ["path"]
)

const objectSpec = struct(
  "What is wanted on members.",
  {
    template: anything("The object."),
    overrides: listOf(
      "Changes of it, by who asks for them.",
      struct(
        "",
        {
          controller: text("Who."),
          clusters: listOf(
            "By cluster.",
            struct("", { cluster: text("The FederatedCluster."), patches: listOf("A JSON patch.", patch) }, ["cluster"])
          )
        },
        ["controller", "clusters"]
      )
    ),
    placements: listOf(
      "Where it goes, by who asks for it: to all of these clusters.",
      struct("", { controller: text("Who."), placement: placed }, ["controller", "placement"])
    ),
    follows: listOf(
      "Objects that it goes with.",
      struct(
        "",
        {
          group: text("Empty for the core group."),
          kind: text("Like Deployment."),
          namespace: text("The namespace."),
          name: text("The name.")
        },
        ["kind", "name"]
      )
    )
  },
  ["template"]
)

const objectStatus = struct("What is there.", {
  syncedGeneration: long("The generation that members were last brought to.", { min: 0 }),
  conditions: conditions("Propagated, and ours: Scheduled."),
  clusters: listOf(
    "By cluster.",
    struct(
      "",
      {
        cluster: text("The FederatedCluster."),
        status: text("OK, or what stands in the way."),
        message: text("The same for people."),
        lastObservedGeneration: long("Of the member's object.", { min: 0 }),
        version: text("What was last written there: gen:N or rv:N."),
        hash: text("Of what was wanted there then.")
      },
      ["cluster"]
    ),
    { "x-kubernetes-list-map-keys": ["cluster"], "x-kubernetes-list-type": "map" }
  )
})

const collected: JsonObject = {
  clusters: listOf(
    "By cluster.",
    struct(
      "",
      {
        cluster: text("The FederatedCluster."),
        collectedFields: anything("The fields that the type's configuration names."),
        error: text("What could not be read."),
        stale: { type: "boolean", description: "The cluster is not heard of: this is what was last seen." }
      },
      ["cluster"]
    )
  ),
  lastUpdateTime: moment("When it was last written.")
}

const objectOf = (kind: string, plural: string, shortName: string, scope: "Cluster" | "Namespaced"): KubeObject =>
  federationKind({
    kind,
    plural,
    shortNames: [shortName],
    scope,
    description: "An object, where it goes and what differs there.",
    properties: { spec: objectSpec, status: objectStatus },
    required: ["spec"],
    columns: [
      column("Scheduled", conditionPath("Scheduled")),
      column("Propagated", conditionPath("Propagated")),
      ageColumn
    ],
    subresources: { status: {} }
  })

const collectedOf = (kind: string, plural: string, shortName: string, scope: "Cluster" | "Namespaced"): KubeObject =>
  federationKind({
    kind,
    plural,
    shortNames: [shortName],
    scope,
    description: "What was read of an object's copies.",
    properties: collected,
    columns: [column("Updated", ".lastUpdateTime", "date"), ageColumn]
  })

/** The four kinds. */
export const objectKinds: ReadonlyArray<KubeObject> = [
  objectOf("FederatedObject", "federatedobjects", "fo", "Namespaced"),
  objectOf("ClusterFederatedObject", "clusterfederatedobjects", "cfo", "Cluster"),
  // The original's "cs" is that of core/v1 componentstatuses, which kubectl takes first.
  collectedOf("CollectedStatus", "collectedstatuses", "cst", "Namespaced"),
  collectedOf("ClusterCollectedStatus", "clustercollectedstatuses", "ccs", "Cluster")
]

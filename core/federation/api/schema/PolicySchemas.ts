// The schemas of policies: where objects go (PropagationPolicy) and how they differ there (OverridePolicy), in both scopes.
// Owns names, types and bounds: KubeAdmiral's fields, and beside them resourceSelectors, priority, failoverGroups, spreadConstraints,
// failover, rollout and objectOverrides, which are ours; refuses defaults, which those who read the objects apply.
import { SchemaParts } from "#apiserver"
import type { JsonObject, KubeObject } from "#kube"
import {
  clusterAffinity,
  clusterSelector,
  federationKind,
  policyStatus,
  resourceSelectors,
  shortName,
  toleration
} from "./KindParts.ts"

const { ageColumn, choice, column, flag, integer, listOf, long, mapTo, struct, text, texts } = SchemaParts

const preferences = struct("Of replicas that are divided.", {
  minReplicas: long("At least so many, where there is room; 0 by default.", { min: 0 }),
  maxReplicas: long("At most so many; no limit by default.", { min: 0 }),
  weight: long("The share; all clusters by what they have when no weight is given, else 0.", { min: 0 }),
  priority: long("Which clusters are filled first.", { min: 0 })
})

const autoMigration = struct("Moves replicas that find no room; absent: they stay.", {
  when: struct("After what.", { podUnschedulableFor: text("For how long a pod found none; 1m by default.") }),
  keepUnschedulableReplicas: flag("Leaves them waiting where they are, beside those that replace them.")
})

const reschedulePolicy = struct("When a placement is thought over.", {
  disableRescheduling: flag("Never: the clusters stay as first chosen."),
  rescheduleWhen: struct("Beside changes of the object itself and of taints.", {
    policyContentChanged: flag("When the policy changes; true by default."),
    clusterJoined: flag("When a cluster joins."),
    clusterLabelsChanged: flag("When labels of clusters change."),
    clusterAPIResourcesChanged: flag("When clusters serve other types.")
  }),
  replicaRescheduling: struct("How replicas move.", {
    avoidDisruption: flag("Only as many as must; true by default.")
  })
})

const failover = struct("What happens when a cluster is lost.", {
  tolerationSeconds: long("How long a cluster may be lost before replicas move; 300 by default.", { min: 0 }),
  gracePeriodSeconds: long("How long a cluster is kept at most while what replaces it is not ready; 600 by default.", {
    min: 0
  }),
  disabled: flag("Nothing moves when a cluster is lost.")
})

const amount = (what: string): JsonObject => ({ description: what, "x-kubernetes-int-or-string": true })

const rollout = struct(
  "How a new pod template goes over the clusters, one step after the other; absent: everywhere at once.",
  {
    maxClusters: amount("Clusters that are on their way at a time, or a percentage of them; no limit by default."),
    maxUnavailable: amount(
      "Replicas that are unavailable at a time over all clusters, or a percentage of them; no limit by default."
    ),
    paused: flag("No further cluster gets it.")
  }
)

const propagation: JsonObject = struct(
  "Where objects go.",
  {
    schedulingMode: choice("Whether each cluster gets all replicas or a part.", ["Duplicate", "Divide"]),
    schedulingProfile: text("The SchedulingProfile; the usual plugins by default."),
    replicasStrategy: choice(
      "How replicas are divided: by weights, one cluster after the other, or by the room that there is; Spread by default.",
      ["Spread", "Binpack", "Capacity"]
    ),
    clusterSelector,
    clusterAffinity,
    tolerations: listOf("Taints that do no harm.", toleration),
    maxClusters: long("So many clusters at most; no limit by default.", { min: 0 }),
    placement: listOf(
      "Only these clusters, with preferences; none: all.",
      struct("", { cluster: text("The FederatedCluster."), preferences }, ["cluster"])
    ),
    disableFollowerScheduling: flag("What the objects need does not go where they go."),
    autoMigration,
    reschedulePolicy,
    resourceSelectors,
    priority: integer("Which policy of several that select an object: the highest; 0 by default."),
    failoverGroups: listOf(
      "Groups of clusters, the first of which is used as long as it has enough clusters.",
      struct(
        "",
        {
          name: text("The group."),
          clusterSelector,
          clusterAffinity,
          minClusters: integer("So few clusters are not enough; 1 by default.", { min: 1 })
        },
        ["name"]
      ),
      { "x-kubernetes-list-map-keys": ["name"], "x-kubernetes-list-type": "map" }
    ),
    spreadConstraints: listOf(
      "How clusters are spread over groups of them.",
      struct(
        "",
        {
          topologyKey: text("A label of clusters, or one of cluster, zone, region, provider."),
          minGroups: integer("At least so many groups; 1 by default.", { min: 1 }),
          maxGroups: integer("At most so many; no limit by default.", { min: 1 }),
          whenUnsatisfiable: choice("Whether fewer groups than minGroups will do; DoNotSchedule by default.", [
            "DoNotSchedule",
            "ScheduleAnyway"
          ])
        },
        ["topologyKey"]
      ),
      { "x-kubernetes-list-map-keys": ["topologyKey"], "x-kubernetes-list-type": "map" }
    ),
    failover,
    rollout,
    objectOverrides: choice(
      "What annotations of objects may do to this policy: narrow its choice (the default), replace it as in KubeAdmiral, or nothing.",
      ["Narrow", "Replace", "Ignore"]
    )
  },
  ["schedulingMode"]
)

const propagationPolicy = (kind: string, shortNames: ReadonlyArray<string>, scope: "Cluster" | "Namespaced") =>
  federationKind({
    kind,
    plural: kind === "PropagationPolicy" ? "propagationpolicies" : "clusterpropagationpolicies",
    shortNames,
    scope,
    description: "Where the objects go that name it, or that it selects.",
    metadata: shortName,
    properties: { spec: propagation, status: policyStatus },
    required: ["spec"],
    columns: [
      column("Mode", ".spec.schedulingMode"),
      column("Priority", ".spec.priority", "integer", 1),
      column("Refs", ".status.refCount", "integer"),
      ageColumn
    ],
    subresources: { status: {} }
  })

/** "overwrite", "addIfAbsent" and "delete", the first by default. */
const operator = (values: ReadonlyArray<string>): JsonObject =>
  choice("What is done; overwrite by default.", ["", ...values])

const containerArguments = (what: string): JsonObject =>
  listOf(
    `Changes of ${what}.`,
    struct(
      "",
      {
        containerName: text("The container or init container."),
        operator: operator(["append", "overwrite", "delete"]),
        value: texts("The words.")
      },
      ["containerName"]
    )
  )

const stringMap = (what: string): JsonObject =>
  listOf(
    `Changes of ${what}.`,
    struct("", {
      operator: operator(["addIfAbsent", "overwrite", "delete"]),
      value: mapTo("Names and values; to delete, values do not matter.", { type: "string" })
    })
  )

const overriders = struct("What is changed, in this order.", {
  image: listOf(
    "Changes of images.",
    struct(
      "",
      {
        imagePath: text("A JSON pointer to one image; then containerNames must be absent."),
        containerNames: texts("Containers and init containers; none: all."),
        operations: listOf(
          "In this order.",
          struct(
            "",
            {
              imageComponent: choice("Which part.", ["Registry", "Repository", "Tag", "Digest"]),
              operator: operator(["addIfAbsent", "overwrite", "delete"]),
              value: text("The part's new value.")
            },
            ["imageComponent"]
          )
        )
      },
      ["operations"]
    )
  ),
  command: containerArguments("commands"),
  args: containerArguments("arguments"),
  envs: listOf(
    "Changes of environment variables.",
    struct(
      "",
      {
        containerName: text("The container or init container."),
        operator: operator(["addIfAbsent", "overwrite", "delete"]),
        value: listOf("Variables; to delete, only names matter.", {
          type: "object",
          "x-kubernetes-preserve-unknown-fields": true,
          required: ["name"],
          properties: { name: { type: "string" } }
        })
      },
      ["containerName"]
    )
  ),
  annotations: stringMap("annotations"),
  labels: stringMap("labels"),
  jsonpatch: listOf(
    "Any other change (RFC 6902).",
    struct(
      "",
      {
        operator: choice("replace by default.", ["", "add", "remove", "replace", "test", "move", "copy"]),
        path: text("A JSON pointer.", { minLength: 1 }),
        from: text("A JSON pointer, for move and copy."),
        value: { description: "Any value.", "x-kubernetes-preserve-unknown-fields": true }
      },
      ["path"]
    )
  )
})

const overridePolicy = (kind: string, shortNames: ReadonlyArray<string>, scope: "Cluster" | "Namespaced"): KubeObject =>
  federationKind({
    kind,
    plural: kind === "OverridePolicy" ? "overridepolicies" : "clusteroverridepolicies",
    shortNames,
    scope,
    description: "How objects that name it differ from cluster to cluster.",
    metadata: shortName,
    properties: {
      spec: struct("The rules.", {
        overrideRules: listOf(
          "Each upon what the ones before left.",
          struct(
            "",
            {
              targetClusters: struct("Clusters that all three hold for; absent: all.", {
                clusters: texts("Names; none: all."),
                clusterSelector,
                clusterAffinity
              }),
              overriders
            },
            ["overriders"]
          )
        )
      }),
      status: policyStatus
    },
    required: ["spec"],
    columns: [column("Refs", ".status.refCount", "integer"), ageColumn],
    subresources: { status: {} }
  })

/** The four kinds of policies. */
export const policyKinds: ReadonlyArray<KubeObject> = [
  propagationPolicy("PropagationPolicy", ["pp"], "Namespaced"),
  propagationPolicy("ClusterPropagationPolicy", ["cpp"], "Cluster"),
  overridePolicy("OverridePolicy", ["op"], "Namespaced"),
  overridePolicy("ClusterOverridePolicy", ["cop"], "Cluster")
]

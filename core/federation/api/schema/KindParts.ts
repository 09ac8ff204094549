// What the federation's schemas have in common: selectors, affinity, taints, conditions, references.
// Owns these shapes and the words that all kinds share; refuses to know any kind.
import { SchemaParts } from "#apiserver"
import type { JsonObject, KubeObject } from "#kube"
import { FEDERATION_GROUP, FEDERATION_VERSION } from "../FederationNames.ts"

const { choice, customResourceDefinition, integer, listOf, long, mapTo, moment, struct, text, texts } = SchemaParts

/** The definition of a kind of the federation's group. */
export const federationKind = (kind: Omit<SchemaParts.CustomKind, "group" | "version" | "categories">): KubeObject =>
  customResourceDefinition({
    group: FEDERATION_GROUP,
    version: FEDERATION_VERSION,
    categories: ["kubeadmiral"],
    ...kind
  })

/** Amounts by resource. */
export const quantities = (description: string): JsonObject =>
  mapTo(description, {
    anyOf: [{ type: "integer" }, { type: "string" }],
    "x-kubernetes-int-or-string": true,
    pattern:
      "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$"
  })

/** Conditions, one of each type. */
export const conditions = (description: string): JsonObject =>
  listOf(
    description,
    struct(
      "",
      {
        type: text("What is said."),
        status: choice("Whether it holds.", ["True", "False", "Unknown"]),
        observedGeneration: long("Of which generation.", { min: 0 }),
        lastProbeTime: moment("When it was last looked at."),
        lastUpdateTime: moment("When it was last written."),
        lastTransitionTime: moment("Since when it is so."),
        reason: text("Why, in one word."),
        message: text("Why, for people.")
      },
      ["type", "status"]
    ),
    { "x-kubernetes-list-map-keys": ["type"], "x-kubernetes-list-type": "map" }
  )

/** What keeps workloads away. */
export const taint = struct(
  "",
  {
    key: text("The taint's key."),
    value: text("The taint's value."),
    effect: text("NoSchedule, PreferNoSchedule or NoExecute."),
    timeAdded: moment("Since when.")
  },
  ["key", "effect"]
)

/** What a workload puts up with. */
export const toleration = struct("", {
  key: text("The taint's key; empty with Exists: all."),
  operator: text("Equal by default, or Exists."),
  value: text("The taint's value."),
  effect: text("The taint's effect; empty: all."),
  tolerationSeconds: long("How long a NoExecute taint is put up with; absent: for ever.")
})

/** Labels that a cluster must have. */
export const clusterSelector = mapTo("Labels that a cluster has; none: all clusters.", { type: "string" })

const requirement = struct(
  "",
  {
    key: text("A label, or for fields metadata.name."),
    operator: choice("How it compares.", ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]),
    values: texts("With what.")
  },
  ["key", "operator"]
)

/** Terms of which a cluster matches one. */
export const clusterAffinity = listOf(
  "Terms of which one holds; none: all clusters.",
  struct("", {
    matchExpressions: listOf("Requirements on labels, of which all hold.", requirement),
    matchFields: listOf("Requirements on metadata.name, of which all hold.", requirement)
  })
)

/** A type that a cluster serves. */
export const apiResource = struct(
  "",
  {
    group: text("Empty for the core group."),
    version: text("Like v1."),
    kind: text("Like Deployment."),
    pluralName: text("Like deployments."),
    scope: choice("Whether its objects are in namespaces.", ["Namespaced", "Cluster"])
  },
  ["version", "kind", "pluralName", "scope"]
)

/** How many objects use a policy. */
export const policyStatus = struct("Who uses the policy.", {
  refCount: long("Objects that do.", { min: 0 }),
  typedRefCount: listOf(
    "The same by type.",
    struct("", { group: text("The group."), resource: text("The resource."), count: integer("Objects.", { min: 0 }) }, [
      "resource",
      "count"
    ])
  )
})

/** Metadata of an object whose name is used as a label's value. */
export const shortName: JsonObject = {
  type: "object",
  properties: { name: { type: "string", maxLength: 63 } }
}

/** Which objects a policy is for that no label names. */
export const resourceSelectors = listOf(
  "Objects that the policy is for where no label names one; an item's empty fields match all.",
  struct("", {
    apiVersion: text("Like apps/v1."),
    kind: text("Like Deployment."),
    namespace: text("The namespace, for a policy of the whole federation."),
    name: text("The name."),
    labelSelector: struct("Labels.", {
      matchLabels: mapTo("Labels that are there.", { type: "string" }),
      matchExpressions: listOf(
        "Requirements of which all hold.",
        struct("", { key: text("A label."), operator: text("How it compares."), values: texts("With what.") }, [
          "key",
          "operator"
        ])
      )
    })
  })
)

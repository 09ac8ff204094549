// The machines of a scenario's cluster: zones, machine types, groups of nodes and what taints them, as a schema.
// Owns names, units and bounds of these fields; rules across them are ClusterRules.ts's, the arithmetic of room Capacity.ts's.
import { parseQuantity, Quantity as KubeQuantity } from "#kube"
import { Effect, Schema } from "effect"
import { Count, Name } from "../Quantity.ts"

const isQuantity = (text: string): boolean => parseQuantity(text) instanceof KubeQuantity

/** A Kubernetes quantity: a whole number, or text such as "500m" or "32Gi"; decodes to text. */
export const Quantity = Schema.Union([
  Schema.Int.check(Schema.isGreaterThanOrEqualTo(0, { expected: "a quantity of at least 0" })),
  Schema.String.check(Schema.makeFilter(isQuantity, { expected: 'a quantity such as 4, "500m" or "32Gi"' }))
]).annotate({ description: 'A Kubernetes quantity: a whole number, or text such as "500m" or "32Gi"' })

/** Quantities by resource name, like cpu or memory. */
export const Resources = Schema.Record(
  Schema.String.check(
    Schema.isPattern(/^[a-z0-9]([-a-z0-9./]{0,120}[a-z0-9])?$/, { expected: "a resource name such as cpu or memory" })
  ),
  Quantity
)
export type Resources = typeof Resources.Type

/** Labels and the like: text by name. */
export const Texts = Schema.Record(Schema.String, Schema.String)

/** A taint of every node of a group. */
export const Taint = Schema.Struct({
  key: Schema.NonEmptyString,
  value: Schema.optionalKey(Schema.String),
  effect: Schema.Literals(["NoSchedule", "PreferNoSchedule", "NoExecute"])
})
export type Taint = typeof Taint.Type

const GroupName = Schema.String.check(
  Schema.isPattern(/^[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?$/, {
    expected: "a name of at most 42 lower-case letters, digits and dashes, beginning and ending with a letter or digit"
  })
)

/** A group of equal machines, spread evenly over its zones. */
export const NodeGroup = Schema.Struct({
  name: GroupName,
  count: Count(100_000).annotate({ description: "Machines of the group, spread evenly over its zones" }),
  zones: Schema.optionalKey(Schema.Array(Name).check(Schema.isMinLength(1), Schema.isMaxLength(64))).annotate({
    description: "Zones of the group; without it all of the cluster's"
  }),
  machineType: Schema.optionalKey(Name).annotate({
    description: "One of the cluster's machineTypes; without it 8 CPUs, 32 GiB and 110 pods"
  }),
  labels: Schema.optionalKey(Texts),
  taints: Schema.optionalKey(Schema.Array(Taint).check(Schema.isMaxLength(16))),
  reserved: Schema.optionalKey(Resources).annotate({
    description: "What the system keeps of each machine; by default 100m of CPU and 512Mi of memory"
  })
})
export type NodeGroup = typeof NodeGroup.Type

/** The fields of a cluster that are about machines. */
export const machineFields = {
  zones: Schema.Array(Name)
    .check(Schema.isMinLength(1), Schema.isMaxLength(64))
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed(["zone-a"])))
    .annotate({ description: "The zones there are; each needs at least one node" }),
  machineTypes: Schema.Record(Name, Resources)
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed({})))
    .annotate({ description: "Capacity by machine type, for example large: { cpu: 32, memory: 128Gi, pods: 110 }" }),
  nodeGroups: Schema.Array(NodeGroup).check(Schema.isMinLength(1), Schema.isMaxLength(64))
} as const

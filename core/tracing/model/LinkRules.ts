// How one object's content names others: the rules as data, which configuration may add to or replace, and the rules that stand.
// Owns the rules and their language; refuses to apply them, which Links.ts does.
import { Schema } from "effect"

const Path = Schema.String.check(
  Schema.isPattern(/^[A-Za-z_][\w-]*(\[\*\]|\["[^"\]]+"\]|\.[A-Za-z_][\w-]*)*$/, {
    message: 'must be fields like spec.volumes[*].persistentVolumeClaim.claimName or metadata.labels["app"]'
  })
)

const Target = Schema.Struct({ group: Schema.String, resource: Schema.NonEmptyString })

const Role = Schema.Literals(["parent", "child"])

/** One rule. `role` is what the named object is to the one that names it. */
export const LinkRule = Schema.Union([
  /** Owner references, all of them: the controlling one under `class`, others under `otherClass`. */
  Schema.Struct({
    class: Schema.String,
    otherClass: Schema.String,
    owners: Schema.Literal(true)
  }),
  /** A field that is a name of an object of one resource. */
  Schema.Struct({
    class: Schema.NonEmptyString,
    role: Role,
    from: Target,
    name: Path,
    target: Target,
    /** Where the named object is: beside the one that names it, or in no namespace. */
    namespace: Schema.Literals(["same", "none"])
  }),
  /** A field that is a reference with kind and name, and apiVersion and namespace where they are given. */
  Schema.Struct({
    class: Schema.NonEmptyString,
    role: Role,
    from: Target,
    reference: Path
  })
])
export type LinkRule = typeof LinkRule.Type

const core = (resource: string) => ({ group: "", resource })

/** What stands without configuration. */
export const defaultLinkRules: ReadonlyArray<LinkRule> = [
  { class: "children", otherClass: "owned", owners: true },
  {
    class: "node",
    role: "parent",
    from: core("pods"),
    name: "spec.nodeName",
    target: core("nodes"),
    namespace: "none"
  },
  {
    class: "claim",
    role: "child",
    from: core("pods"),
    name: "spec.volumes[*].persistentVolumeClaim.claimName",
    target: core("persistentvolumeclaims"),
    namespace: "same"
  },
  {
    class: "volume",
    role: "child",
    from: core("persistentvolumeclaims"),
    name: "spec.volumeName",
    target: core("persistentvolumes"),
    namespace: "none"
  },
  { class: "volume", role: "parent", from: core("persistentvolumes"), reference: "spec.claimRef" },
  {
    class: "attachment",
    role: "parent",
    from: { group: "storage.k8s.io", resource: "volumeattachments" },
    name: "spec.source.persistentVolumeName",
    target: core("persistentvolumes"),
    namespace: "none"
  },
  {
    class: "endpoints",
    role: "parent",
    from: { group: "discovery.k8s.io", resource: "endpointslices" },
    name: 'metadata.labels["kubernetes.io/service-name"]',
    target: core("services"),
    namespace: "same"
  },
  {
    class: "endpoints",
    role: "child",
    from: { group: "discovery.k8s.io", resource: "endpointslices" },
    reference: "endpoints[*].targetRef"
  },
  {
    class: "scales",
    role: "child",
    from: { group: "autoscaling", resource: "horizontalpodautoscalers" },
    reference: "spec.scaleTargetRef"
  }
]

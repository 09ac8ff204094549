// The rules of `metadata`, which all objects have: of the object itself, whose name and namespace decide whose it is, and of templates.
// Owns names, labels, annotations, owners and managed fields; refuses spec and status, which the rule table has.
import { clusterNaming } from "../names/ClusterNames.ts"
import { type KeyRule, RuleNode } from "../rewrite/RuleNode.ts"
import { markedLabelsNode } from "./Confinement.ts"
import { Labels } from "./Labels.ts"
import { ownerNode } from "./References.ts"
import { generatedNode, sortNode, TENANT_LABEL } from "./Sorts.ts"

/** The annotation in which kubectl keeps what it last applied. */
export const LAST_APPLIED_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"

/** The namespace that an object itself stands in. */
export const ownNamespaceNode: RuleNode = sortNode("namespace", "root")

const owners = new RuleNode()
owners.items = ownerNode

const hiddenNode = new RuleNode()
hiddenNode.hidden = true

/** Managed fields: the version of each entry, and of marked objects the mark, which no manager seems to own. */
const managers = (marked: boolean, keys: KeyRule, annotationKeys: KeyRule = Labels.platformKeys): RuleNode => {
  const entry = new RuleNode().field("apiVersion", sortNode("apiVersion", "object"))
  if (marked) {
    const labels = new RuleNode().field(`f:${TENANT_LABEL}`, hiddenNode)
    labels.keys = keys
    const annotations = new RuleNode()
    annotations.keys = annotationKeys
    const metadata = new RuleNode().field("f:labels", labels).field("f:annotations", annotations)
    entry.field("fieldsV1", new RuleNode().field("f:metadata", metadata))
  }
  const list = new RuleNode()
  list.items = entry
  return list
}

const platformAnnotations: KeyRule = Labels.platformKeys

/** Annotations with names in them. `applied` are the rules of an object by its own apiVersion and kind. */
const annotations = (applied: RuleNode, keys?: KeyRule): RuleNode => {
  const lastApplied = new RuleNode()
  lastApplied.embedded = applied
  const node = new RuleNode()
    .field(LAST_APPLIED_ANNOTATION, lastApplied)
    .field("kubernetes.io/ingress.class", sortNode("name:ingressclasses.networking.k8s.io"))
    .field("volume.beta.kubernetes.io/storage-class", sortNode("name:storageclasses.storage.k8s.io"))
    .field("volume.kubernetes.io/provisioner-deletion-secret-namespace", sortNode("namespace"))
  if (keys !== undefined) node.keys = keys
  return node
}

/** Metadata inside an object, as templates have it. */
export const nestedMetadata = (applied: RuleNode): RuleNode =>
  new RuleNode()
    .field("namespace", sortNode("namespace"))
    .field("ownerReferences", owners)
    .field("annotations", annotations(applied))
    .field("managedFields", managers(false, platformAnnotations))

/** An object's own metadata. What says that the object is not the tenant's hides all of it. */
export const rootMetadata = (resource: string, namespaced: boolean, applied: RuleNode): RuleNode => {
  const naming = clusterNaming(resource)
  const node = new RuleNode()
  if (namespaced) {
    return node
      .field("namespace", ownNamespaceNode)
      .field("ownerReferences", owners)
      .field("annotations", annotations(applied))
      .field("managedFields", managers(false, platformAnnotations))
  }
  const of =
    naming === "namespace" ? "namespace" : resource.startsWith("clusterroles.rbac") ? "role" : ("other" as const)
  const keys = of === "role" ? Labels.roleKeys : Labels.platformKeys
  const annotationKeys = resource.startsWith("ingressclasses.") ? Labels.classKeys : platformAnnotations
  node
    .field("name", sortNode(`name:${resource}`, "root"))
    .field("namespace", ownNamespaceNode)
    .field("ownerReferences", owners)
    .field("annotations", annotations(applied, annotationKeys))
    .field("managedFields", managers(naming !== "shared", keys, annotationKeys))
  if (naming === "shared") return node
  const labels = markedLabelsNode(of)
  node.field("generateName", generatedNode).field("labels", labels)
  node.owed = [{ key: "labels", node: labels }]
  return node
}

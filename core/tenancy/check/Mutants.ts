// Planted mistakes: what the invariants are worth is how many of them they find.
// Owns the mistakes, each with the way back; nothing of them stands in the translation itself, whose rules are taken out or changed
// from outside while a mutant lives, so that no switch is left in what serves tenants.
import { builtInResources, kindOfDefinition, type Schema, schemaNamed, schemaOfKind } from "#kube"
import type { Rewriter } from "../rewrite/Rewriter.ts"
import type { RuleNode } from "../rewrite/RuleNode.ts"
import { builtInShape, kindRules, rulesOfDefinition, tableName } from "../rules/CompiledRules.ts"
import { confinedNode, matchConditionsNode, namespaceSelectorNode } from "../rules/Confinement.ts"
import { ownerNode, subjectNode } from "../rules/References.ts"
import { definitionRules, fieldRules, opaqueDefinitions } from "../rules/RuleTable.ts"
import { generatedNode, markNode } from "../rules/Sorts.ts"
import { algebraMutants } from "./AlgebraMutants.ts"
import { grounds } from "./Objects.ts"

/** A mistake. */
export interface Mutant {
  readonly name: string
  /** Plants it, and answers how to take it out. */
  readonly plant: (rewriter: Rewriter) => () => void
}

type Parts =
  | "choice"
  | "fields"
  | "items"
  | "sort"
  | "owed"
  | "absent"
  | "addition"
  | "keys"
  | "embedded"
  | "values"
  | "list"

/** Blanks parts of a node. */
const blank = (node: RuleNode, ...parts: ReadonlyArray<Parts>): (() => void) => {
  const before = parts.map((part) => [part, node[part]] as const)
  for (const part of parts) Object.assign(node, { [part]: undefined })
  return () => Object.assign(node, Object.fromEntries(before))
}

/** Sets parts of a node. */
const changed = (node: RuleNode, change: Partial<RuleNode>): (() => void) => {
  const before = Object.fromEntries(Object.keys(change).map((key) => [key, node[key as keyof RuleNode]]))
  Object.assign(node, change)
  return () => Object.assign(node, before)
}

const droppedField = (node: RuleNode | undefined, field: string): (() => void) => {
  const rule = node?.fields?.get(field)
  if (node === undefined || rule === undefined) throw new Error(`there is no rule for ${field}`)
  node.fields?.delete(field)
  return () => node.field(field, rule)
}

/** The definitions that are in kinds which tenants are served. */
const reached = (): ReadonlySet<string> => {
  const seen = new Set<string>()
  const visit = (schema: Schema): void => {
    const name = tableName(schema.name ?? "")
    if (schema.fields !== undefined) {
      if (seen.has(name) || opaqueDefinitions.has(name)) return
      seen.add(name)
    }
    for (const inner of [schema.items, schema.values, ...(schema.fields?.values() ?? [])])
      if (inner !== undefined) visit(inner)
  }
  for (const { shape } of grounds()) {
    const schema = schemaOfKind(shape.group, shape.version, shape.kind)
    if (schema !== undefined) visit(schema)
  }
  return seen
}

/** The rules of a definition as they are walked: of a whole kind its root's, which has the definition's fields as its own. */
const rulesIn = (name: string): RuleNode | undefined => {
  const gvk = kindOfDefinition(name)
  const shape = gvk === undefined ? undefined : builtInShape(gvk.group, gvk.version, gvk.kind)
  return shape === undefined ? rulesOfDefinition(name) : kindRules(shape)
}

/** A refusal is not a translation: what it refuses is drawn by no object. */
const droppable = (definition: string, field: string): boolean => {
  const rule = fieldRules[definition]?.[field]
  return rule !== "refused" && rule !== "name:nodes" && rule !== "hidden"
}

/** Every rule of the table that a served kind has, dropped. */
const droppedRules = (): ReadonlyArray<Mutant> => {
  const served = reached()
  const fields = Object.entries(fieldRules).flatMap(([definition, rules]) =>
    served.has(definition)
      ? Object.keys(rules)
          .filter((field) => droppable(definition, field))
          .map((field) => ({
            name: `no-rule:${definition}.${field}`,
            plant: () => droppedField(rulesIn(`io.k8s.${definition}`), field)
          }))
      : []
  )
  const whole = Object.entries(definitionRules).flatMap(([definition, node]) =>
    served.has(definition) && schemaNamed(`io.k8s.${definition}`) !== undefined
      ? [{ name: `no-rule:${definition}`, plant: () => blank(node, "choice", "fields", "items") }]
      : []
  )
  return [...fields, ...whole]
}

const rootOf = (kind: string): RuleNode => {
  const shape = builtInResources().find((one) => one.kind === kind)
  const rules = shape === undefined ? undefined : kindRules(shape)
  if (rules === undefined) throw new Error(`there are no rules for ${kind}`)
  return rules
}

const at = (node: RuleNode, ...path: ReadonlyArray<string>): RuleNode => {
  let found: RuleNode | undefined = node
  for (const step of path) found = step === "*" ? found?.items : found?.fields?.get(step)
  if (found === undefined) throw new Error(`there are no rules at ${path.join(".")}`)
  return found
}

const structural: ReadonlyArray<Mutant> = [
  { name: "owner-unprefixed", plant: () => blank(ownerNode, "choice") },
  { name: "subjects-verbatim", plant: () => blank(subjectNode, "choice") },
  { name: "namespace-unmarked", plant: () => blank(at(rootOf("Namespace"), "metadata", "labels"), "owed") },
  {
    name: "label-owner-free",
    plant: () => changed(markNode, { sort: { ...sortOf(markNode), up: (_, text) => text } })
  },
  { name: "mark-shown", plant: () => changed(markNode, { sort: { ...sortOf(markNode), down: (_, text) => text } }) },
  { name: "selector-unconfined", plant: () => blank(namespaceSelectorNode, "owed") },
  { name: "selector-patched-in-part", plant: () => changed(namespaceSelectorNode, { whole: false, owed: undefined }) },
  { name: "webhook-unconfined", plant: () => changed(confinedNode, { absent: () => "{}" }) },
  { name: "webhook-outside-namespaces", plant: () => blank(matchConditionsNode, "addition", "absent") },
  { name: "generate-name-unprefixed", plant: () => blank(generatedNode, "sort") },
  {
    name: "generate-name-kept-prefixed",
    plant: () => changed(generatedNode, { sort: { ...sortOf(generatedNode), down: (_, text) => text } })
  },
  {
    name: "last-applied-raw",
    plant: () => blank(at(rootOf("ConfigMap"), "metadata", "annotations", LAST_APPLIED), "embedded")
  },
  { name: "managed-fields-raw", plant: () => droppedField(at(rootOf("ConfigMap"), "metadata"), "managedFields") },
  {
    name: "ingress-class-annotation-raw",
    plant: () => droppedField(at(rootOf("Ingress"), "metadata", "annotations"), "kubernetes.io/ingress.class")
  },
  { name: "role-labels-gather", plant: () => blank(at(rootOf("ClusterRole"), "metadata", "labels"), "keys") },
  { name: "names-of-cluster-roles-raw", plant: () => droppedField(at(rootOf("ClusterRole"), "metadata"), "name") },
  {
    name: "names-of-definitions-raw",
    plant: () => droppedField(at(rootOf("CustomResourceDefinition"), "metadata"), "name")
  },
  { name: "namespace-of-pods-raw", plant: () => droppedField(at(rootOf("Pod"), "metadata"), "namespace") },
  { name: "namespace-of-scales-raw", plant: () => droppedField(at(scaleRoot(), "metadata"), "namespace") },
  { name: "images-shown", plant: () => droppedField(at(rootOf("Node"), "status"), "images") },
  { name: "volumes-of-all", plant: () => blank(rootOf("PersistentVolume"), "choice") },
  {
    name: "no-rule:api.core.v1.PodCondition.message",
    plant: () => droppedField(rulesOfDefinition("io.k8s.api.core.v1.PodCondition"), "message")
  }
]

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

const sortOf = (node: RuleNode): NonNullable<RuleNode["sort"]> => {
  if (node.sort === undefined) throw new Error("the node is of no sort")
  return node.sort
}

const scaleRoot = (): RuleNode => {
  const shape = builtInShape("autoscaling", "v1", "Scale")
  const rules = shape === undefined ? undefined : kindRules(shape)
  if (rules === undefined) throw new Error("there are no rules for Scale")
  return rules
}

/** Every planted mistake. */
export const mutants = (): ReadonlyArray<Mutant> => [...structural, ...algebraMutants, ...droppedRules()]

// The rules of whole kinds, compiled from the table along the served schema when a kind is first asked for.
// Owns the way from definitions to places in objects; refuses kinds without a schema unless they are custom resources, whose
// references their CRD declares.
import { builtInResources, parseApiVersion, type Schema, schemaNamed, schemaOfKind } from "#kube"
import { clusterNaming, withheldNamespaced } from "../names/ClusterNames.ts"
import type { CustomReference, KindShape } from "../names/TenantView.ts"
import type { Translation } from "../names/Translation.ts"
import { type Chosen, RuleNode } from "../rewrite/RuleNode.ts"
import { confinedNode, matchConditionsNode, namespaceSelectorNode } from "./Confinement.ts"
import { nestedMetadata, rootMetadata } from "./Metadata.ts"
import { choiceNode, referenceNode } from "./References.ts"
import { definitionRules, fieldRules, type FieldRule, opaqueDefinitions, sentenceFields } from "./RuleTable.ts"
import { type SortName, sortNode } from "./Sorts.ts"

const META = "io.k8s.apimachinery.pkg.apis.meta.v1."

/** A definition's name as the tables spell it. */
export const tableName = (definition: string): string => definition.replace(/^io\.k8s\./, "")

const hiddenNode = new RuleNode()
hiddenNode.hidden = true

const compiled = new Map<string, RuleNode>()

/** An object inside an annotation or a revision, by what it says that it is. Built-in shapes only differ in scope; others are custom. */
const statedKind: RuleNode = choiceNode(
  ["apiVersion", "kind"],
  (names, [apiVersion, kind], direction): Chosen => {
    const { group, version } = parseApiVersion(apiVersion ?? "")
    const own = direction === "up" ? group : names.groupDown(group)
    if (own === undefined) return { hidden: "value" }
    const known = builtInShape(own, version, kind ?? "")
    if (known !== undefined) return kindRules(known)
    const custom = names.view.custom(own, kind ?? "")
    return custom === undefined
      ? customRules(undefined, true)
      : customRules({ ...custom, group: own, version, kind: kind ?? "" }, custom.namespaced)
  },
  []
)

const nested = nestedMetadata(statedKind)

/** The leaf of a rule behind the lists and maps of a field. */
const leaf = (schema: Schema, rule: FieldRule): RuleNode => {
  if (typeof rule !== "string") return rule
  if (rule === "hidden") return hiddenNode
  if (schema.items !== undefined) {
    const node = new RuleNode()
    node.items = leaf(schema.items, rule)
    return node
  }
  if (schema.values !== undefined) {
    const node = new RuleNode()
    node.values = leaf(schema.values, rule)
    return node
  }
  return sortNode(rule)
}

const typeRules = (schema: Schema): RuleNode | undefined => {
  if (schema.name !== undefined && schema.fields !== undefined) return definitionNode(schema)
  const inner = schema.items ?? schema.values
  const below = inner === undefined ? undefined : typeRules(inner)
  if (below === undefined || below.idle) return undefined
  const node = new RuleNode()
  if (schema.items === undefined) node.values = below
  else node.items = below
  return node
}

/** The rule that the tables have for a field of a definition. */
export const ruleOf = (definition: string, field: string, schema: Schema): FieldRule | undefined => {
  const table = fieldRules[tableName(definition)]
  if (table !== undefined && Object.hasOwn(table, field)) return table[field]
  return sentenceFields.has(field) && schema.type === "string" ? "text" : undefined
}

const admission = "api.admissionregistration.v1."
const confined = new Set([`${admission}ValidatingWebhook`, `${admission}MutatingWebhook`])
const conditioned = new Set([
  ...confined,
  `${admission}ValidatingAdmissionPolicySpec`,
  `${admission}MutatingAdmissionPolicySpec`
])

/** Additions that a write owes where the field is absent. */
const owe = (node: RuleNode, name: string): void => {
  if (!conditioned.has(name)) return
  node.owed = [{ key: "matchConditions", node: matchConditionsNode }]
  if (confined.has(name)) node.owed.push({ key: "namespaceSelector", node: confinedNode })
  node.whole = true
}

const definitionNode = (schema: Schema): RuleNode => {
  const name = schema.name ?? ""
  const known = compiled.get(name)
  if (known !== undefined) return known
  const short = tableName(name)
  if (name === `${META}ObjectMeta`) return nested
  const chosen = definitionRules[short]
  if (chosen !== undefined) return chosen
  const node = new RuleNode()
  compiled.set(name, node)
  if (opaqueDefinitions.has(short)) return node
  for (const [field, type] of schema.fields ?? []) {
    const rule = ruleOf(name, field, type)
    const below = rule === undefined ? typeRules(type) : leaf(type, rule)
    if (below !== undefined && !below.idle) node.field(field, below)
  }
  if (short === "api.apps.v1.ControllerRevision") node.field("data", revisionNode())
  owe(node, short)
  return node
}

/** The rules of a definition by its name, like "io.k8s.api.core.v1.PodSpec"; undefined when there is no such definition. */
export const rulesOfDefinition = (name: string): RuleNode | undefined => {
  const schema = schemaNamed(name)
  return schema === undefined ? undefined : definitionNode(schema)
}

/** A revision keeps a part of the object that it is a revision of: its template. */
const revisionNode = (): RuleNode => {
  const template = schemaOfKind("", "v1", "PodTemplate")?.fields?.get("template")
  const spec = new RuleNode()
  if (template !== undefined) spec.field("template", definitionNode(template))
  return new RuleNode().field("spec", spec)
}

let shapes: Map<string, KindShape> | undefined

/** The shape of a built-in kind, also of one that only subresources speak; undefined when there is none. */
export const builtInShape = (group: string, version: string, kind: string): KindShape | undefined => {
  if (shapes === undefined) {
    shapes = new Map()
    for (const { group, kind, namespaced, resource, subresources, version } of builtInResources()) {
      shapes.set(`${group}/${version}/${kind}`, { group, version, kind, resource, namespaced })
      for (const sub of subresources) {
        const key = `${sub.group}/${sub.version}/${sub.kind}`
        if (!shapes.has(key)) shapes.set(key, { ...sub, resource: `${resource}/${sub.name}`, namespaced })
      }
    }
  }
  return shapes.get(`${group}/${version}/${kind}`)
}

/** "roles.rbac.authorization.k8s.io" of a shape. */
export const fullResource = ({ group, resource }: KindShape): string =>
  group === "" ? resource : `${resource}.${group}`

/** Whether tenants are served a kind at all. */
export const isWithheld = (shape: KindShape): boolean => {
  const resource = fullResource(shape)
  return withheldNamespaced.has(resource) || (!shape.namespaced && clusterNaming(resource) === "withheld")
}

const roots = new Map<string, RuleNode>()

/** The rules of a built-in kind's objects. */
export const kindRules = (shape: KindShape): RuleNode | undefined => {
  const key = `${shape.group}/${shape.version}/${shape.kind}/${shape.namespaced}`
  const known = roots.get(key)
  if (known !== undefined) return known
  const schema = schemaOfKind(shape.group, shape.version, shape.kind)
  if (schema === undefined) return undefined
  const below = definitionNode(schema)
  const root = new RuleNode()
  roots.set(key, root)
  for (const [field, node] of below.fields?.entries() ?? []) if (field !== "metadata") root.field(field, node)
  const metadata = rootMetadata(fullResource(shape), shape.namespaced, statedKind)
  root.field("metadata", metadata)
  root.owed = [{ key: "metadata", node: metadata }]
  if (fullResource(shape) !== "persistentvolumes") return root
  const owned = volumeRoot(root)
  roots.set(key, owned)
  return owned
}

/** A volume under its provisioner's name, or a published one, is the tenant's when its claim is; under its own prefix it always is. */
const volumeRoot = (root: RuleNode): RuleNode =>
  choiceNode(
    ["metadata", "spec"],
    (names, [metadata, spec], direction) => {
      if (direction === "up") return root
      const name = textIn(metadata, "name")
      if (name === undefined || names.view.published("persistentvolumes", name)) return root
      if (name.startsWith(names.prefix)) return root
      const claim = textIn(spec, "claimRef", "namespace")
      return claim !== undefined && names.namespaceDown(claim) !== undefined ? root : { hidden: "root" }
    },
    []
  )

const textIn = (json: string | undefined, ...path: ReadonlyArray<string>): string | undefined => {
  let value: unknown
  try {
    value = json === undefined ? undefined : JSON.parse(json)
  } catch {
    return undefined
  }
  for (const field of path) value = (value as Readonly<Record<string, unknown>> | null | undefined)?.[field]
  return typeof value === "string" ? value : undefined
}

const customs = new Map<string, RuleNode>()
const CUSTOM_KINDS_LIMIT = 10_000

/** The rules of a custom resource: its version's group, its metadata, and what its CRD declares. The cache is emptied at its bound. */
const customRules = (shape: KindShape | undefined, namespaced: boolean): RuleNode => {
  const resource = shape === undefined ? "" : fullResource(shape)
  const key = `${resource} ${namespaced} ${JSON.stringify(shape?.references ?? [])}`
  const known = customs.get(key)
  if (known !== undefined) return known
  const metadata = rootMetadata(resource, namespaced, statedKind)
  const root = new RuleNode().field("apiVersion", sortNode("apiVersion", "root")).field("metadata", metadata)
  root.owed = [{ key: "metadata", node: metadata }]
  for (const reference of shape?.references ?? []) declare(root, reference)
  if (customs.size >= CUSTOM_KINDS_LIMIT) customs.clear()
  customs.set(key, root)
  return root
}

const declaredNode = ({ is }: CustomReference): RuleNode => {
  switch (is) {
    case "namespaceSelector":
      return namespaceSelectorNode
    case "objectReference":
      return referenceNode("apiVersion")
    default:
      return sortNode(is satisfies SortName)
  }
}

/** Puts a declared reference at its path; a path that another one already ends at, or that enters metadata, is left alone. */
const declare = (root: RuleNode, reference: CustomReference): void => {
  const steps = reference.path.split(".").flatMap((step) => {
    const bare = step.replace(/(\[\])+$/, "")
    return [bare, ...Array.from<string>({ length: (step.length - bare.length) / 2 }).fill("[]")]
  })
  if (steps[0] === "metadata" || steps[0] === "apiVersion" || steps[0] === "kind") return
  let node = root
  for (const [at, step] of steps.entries()) {
    const last = at === steps.length - 1
    const existing = step === "[]" ? node.items : node.fields?.get(step)
    if (existing !== undefined && (last || existing.sort !== undefined || existing.choice !== undefined)) return
    const next = existing ?? (last ? declaredNode(reference) : new RuleNode())
    if (existing === undefined) {
      if (step === "[]") node.items = next
      else node.field(step, next)
    }
    node = next
  }
}

/** The rules of any kind that a tenant may name; undefined when it has none, and must be refused. */
export const rulesOf = (names: Translation, shape: KindShape): RuleNode | undefined => {
  if (isWithheld(shape)) return undefined
  const known = kindRules(shape)
  if (known !== undefined) return known
  return builtInResources().some(({ group }) => group === shape.group) && shape.group !== "metrics.k8s.io"
    ? undefined
    : customRules(shape, shape.namespaced)
}

// What keeps selectors and webhooks of a tenant inside the tenant: additions on write, taken out again on read.
// Owns the additions; refuses to know the objects they stand in. Without them `namespaceSelector: {}` would mean every tenant.
import type { Translation } from "../names/Translation.ts"
import { RuleNode } from "../rewrite/RuleNode.ts"
import { Labels } from "./Labels.ts"
import { choiceNode } from "./References.ts"
import { markNode, sortNode, TENANT_LABEL } from "./Sorts.ts"

const marked = ({ view }: Translation): string => JSON.stringify({ [TENANT_LABEL]: view.tenant })

const markedLabels = (labels: RuleNode): RuleNode => {
  labels.field(TENANT_LABEL, markNode)
  labels.owed = [{ key: TENANT_LABEL, node: markNode }]
  labels.absent = marked
  labels.vanishes = true
  return labels
}

/** The labels of an object outside namespaces: the mark is owed; of namespaces, the label with their name is translated. */
export const markedLabelsNode = (of: "namespace" | "role" | "other"): RuleNode => {
  const labels = markedLabels(new RuleNode())
  labels.keys = of === "role" ? Labels.roleKeys : Labels.platformKeys
  return of === "namespace" ? labels.field(Labels.METADATA_NAME, sortNode("namespace")) : labels
}

const namespaceValues = new RuleNode()
namespaceValues.items = sortNode("namespace")
const namespaceNames = new RuleNode().field("values", namespaceValues)

/** Requirements on namespaces' labels: those on the name are translated, those on the mark are nobody's to write. */
const namespaceRequirement: RuleNode = choiceNode(
  ["key"],
  (_names, [key], direction) => {
    if (key === Labels.METADATA_NAME) return namespaceNames
    if (key !== TENANT_LABEL) return undefined
    return direction === "up" ? { refused: `the label ${TENANT_LABEL} is the platform's` } : { hidden: "value" }
  },
  []
)

const requirements = new RuleNode()
requirements.items = namespaceRequirement
requirements.vanishes = true

const selector = (): RuleNode => {
  const matchLabels = markedLabels(new RuleNode()).field(Labels.METADATA_NAME, sortNode("namespace"))
  const node = new RuleNode().field("matchLabels", matchLabels).field("matchExpressions", requirements)
  node.owed = [{ key: "matchLabels", node: matchLabels }]
  node.whole = true
  return node
}

/** A selector of namespaces: it selects the tenant's, where it is given at all. */
export const namespaceSelectorNode: RuleNode = selector()

/** A selector that must be there, because without it every namespace would be selected. */
export const confinedNode: RuleNode = selector()
confinedNode.absent = (names) => `{"matchLabels":${marked(names)}}`

/** The name of the condition that confines what stands in no namespace. */
export const CONDITION_NAME = "tenant.kubezoo.io/own"

/** In CEL: in one of the tenant's namespaces; or in none, and under the tenant's name or group. */
const condition = ({ prefix }: Translation): string => {
  const starts = (field: string): string => `${field}.startsWith("${prefix}")`
  const inside = `has(request.namespace) && ${starts("request.namespace")}`
  const definition = `request.resource.resource == "customresourcedefinitions" && request.name.matches("^[^.]*[.]${prefix}")`
  const generated = `request.name == "" && object != null && has(object.metadata.generateName) && ${starts("object.metadata.generateName")}`
  const own = [starts("request.name"), starts("request.resource.group"), definition, generated]
  const outside = `(!has(request.namespace) || request.namespace == "") && (${own.map((one) => `(${one})`).join(" || ")})`
  return JSON.stringify({ name: CONDITION_NAME, expression: `(${inside}) || (${outside})` })
}

const ownCondition = new RuleNode().field("expression", sortNode("expression"))

/** Conditions of webhooks and policies: a selector of namespaces does not hold for what stands in none, a condition does. */
export const matchConditionsNode: RuleNode = new RuleNode()
matchConditionsNode.items = choiceNode(
  ["name"],
  (_names, [name], direction) => {
    if (name !== CONDITION_NAME) return ownCondition
    return direction === "up" ? { refused: `the condition ${CONDITION_NAME} is the platform's` } : { hidden: "value" }
  },
  []
)
matchConditionsNode.addition = { value: condition }
matchConditionsNode.absent = (names) => `[${condition(names)}]`
matchConditionsNode.vanishes = true
matchConditionsNode.whole = true

/** The selectors of an aggregated ClusterRole: they gather the tenant's own roles, by keys that the platform's selectors do not look at. */
export const roleSelectorNode: RuleNode = new RuleNode()
const roleLabels = markedLabels(new RuleNode())
roleLabels.keys = Labels.roleKeys
const roleRequirements = new RuleNode()
roleRequirements.items = choiceNode(
  ["key"],
  (_names, [key], direction) => {
    if (key !== TENANT_LABEL) return Labels.roleRequirement
    return direction === "up" ? { refused: `the label ${TENANT_LABEL} is the platform's` } : { hidden: "value" }
  },
  []
)
roleRequirements.vanishes = true
const oneRoleSelector = new RuleNode().field("matchLabels", roleLabels).field("matchExpressions", roleRequirements)
oneRoleSelector.owed = [{ key: "matchLabels", node: roleLabels }]
oneRoleSelector.whole = true
roleSelectorNode.items = oneRoleSelector

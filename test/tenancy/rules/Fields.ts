// All string fields of what tenants are served, from the schema of a real kube-apiserver, with the rule that each has.
// Owns the walk over the schema; the judgement is the test's.
import { builtInResources, type Schema, schemaOfKind } from "#kube"
import { builtInShape, isWithheld, ruleOf, tableName } from "../../../core/tenancy/rules/CompiledRules.ts"
import { definitionRules, opaqueDefinitions } from "../../../core/tenancy/rules/RuleTable.ts"

/** A field that holds text, or texts, or what may hold anything. */
export interface TextField {
  readonly definition: string
  readonly field: string
  readonly ruled: boolean
}

const isText = (schema: Schema): boolean =>
  schema.type === "string"
    ? schema.format === undefined
    : schema.items !== undefined
      ? isText(schema.items)
      : schema.values !== undefined
        ? isText(schema.values)
        : schema.type === "any" || (schema.type === "object" && schema.fields === undefined)

const inner = (schema: Schema): Schema =>
  (schema.items ?? schema.values) === undefined ? schema : inner(schema.items ?? schema.values ?? schema)

/** The kinds that tenants are served, with those that only subresources speak: "group/version/kind". */
export const servedKinds = (): ReadonlyArray<string> => {
  const kinds = new Set<string>()
  for (const resource of builtInResources()) {
    if (isWithheld(resource)) continue
    kinds.add(`${resource.group}/${resource.version}/${resource.kind}`)
    for (const { group, kind, version } of resource.subresources) kinds.add(`${group}/${version}/${kind}`)
  }
  return [...kinds]
}

/** Every text field below the served kinds, once per definition. */
export const textFields = (): ReadonlyArray<TextField> => {
  const seen = new Set<string>()
  const found: Array<TextField> = []
  const visit = (schema: Schema): void => {
    const name = schema.name ?? ""
    if (seen.has(name)) return
    seen.add(name)
    const definition = tableName(name)
    if (opaqueDefinitions.has(definition)) return
    for (const [field, type] of schema.fields ?? []) {
      const ruled = definition in definitionRules || ruleOf(name, field, type) !== undefined
      if (isText(type)) found.push({ definition, field, ruled })
      const below = inner(type)
      if (below.fields !== undefined && !ruled) visit(below)
    }
  }
  for (const kind of servedKinds()) {
    const [group = "", version = "", name = ""] = kind.split("/")
    const schema = schemaOfKind(group, version, name)
    if (schema !== undefined && builtInShape(group, version, name) !== undefined) visit(schema)
  }
  return found
}

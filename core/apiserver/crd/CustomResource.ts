// One version of a custom resource as a Definition: what a CustomResourceDefinition says, in the server's own terms.
// Owns the translation; refuses to register it, which CustomResources.ts does.
import {
  type FieldProblem,
  isJsonObject,
  type Json,
  type JsonObject,
  type KubeObject,
  type Schema,
  schemaProblems
} from "#kube"
import type { Column, Definition, Draft, Strategy, Subresource } from "../Definition.ts"
import { ageColumn, nameColumn, sinceText } from "../resources/Columns.ts"
import { fieldsIn, fieldsOf, itemsOf, textOf, textsOf } from "../resources/Fields.ts"
import { celRules } from "./CelRules.ts"
import { jsonPath } from "./JsonPath.ts"
import { propsOf, resourceSchema, type SchemaProps } from "./StructuralSchema.ts"
import { valueRules } from "./ValueRules.ts"

// SAFETY: objects are JSON values; KubeObject leaves the types of their other fields open.
const asJson = (object: KubeObject): JsonObject => object as unknown as JsonObject

const shown = (found: Json | undefined, type: string, nowMs: number): ReturnType<Column["value"]> => {
  if (found === undefined || found === null) return undefined
  if (type === "date") return sinceText(found, nowMs)
  return typeof found === "object" ? JSON.stringify(found) : found
}

const columnOf = (printed: JsonObject): Column => {
  const read = jsonPath(textOf(printed["jsonPath"]))
  const type = textOf(printed["type"]) as Column["type"]
  const priority = printed["priority"]
  return {
    name: textOf(printed["name"]),
    type: type === "date" ? "string" : type,
    ...(textOf(printed["format"]) === "" ? {} : { format: textOf(printed["format"]) }),
    priority: typeof priority === "number" ? priority : 0,
    value: (object, nowMs) => shown(read?.(asJson(object))[0], type, nowMs)
  }
}

const columnsOf = (version: JsonObject): ReadonlyArray<Column> => {
  const printed = itemsOf(version["additionalPrinterColumns"])
  return [nameColumn, ...(printed.length === 0 ? [ageColumn] : printed.map(columnOf))]
}

/** A value as field selectors compare it; only scalars can be selected by. */
const selected = (value: Json | undefined): string =>
  value === undefined || value === null || typeof value === "object" ? "" : String(value)

const selectableOf = (version: JsonObject): Definition["selectableFields"] =>
  Object.fromEntries(
    itemsOf(version["selectableFields"]).map((field) => {
      const path = textOf(field["jsonPath"])
      const read = jsonPath(path)
      return [path.replace(/^\./, ""), (object: KubeObject) => selected(read?.(asJson(object))[0])]
    })
  )

const keepStatus = (draft: Draft, old: KubeObject | undefined): void => {
  const status = fieldsIn(old?.status)
  if (status === undefined) delete draft.status
  else draft.status = status
}

/** What is said beside other problems: rules are only asked of what has the right shape. */
const RULES_NOT_ASKED: FieldProblem = {
  type: "FieldValueInvalid",
  field: "<nil>",
  value: null,
  detail:
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"
}

const BLOCKING: ReadonlySet<FieldProblem["type"]> = new Set([
  "FieldValueNotSupported",
  "FieldValueRequired",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueTypeInvalid"
])

/** Whether a value has not even the shape that rules are written for. */
const isBlocking = ({ type }: FieldProblem): boolean => BLOCKING.has(type)

/** The strategy of a custom resource: what may be written where, and the rules of its schema. */
const strategyOf = (props: SchemaProps | undefined, schema: Schema, hasStatus: boolean): Strategy => {
  const values = props && valueRules(props)
  const rules = props && celRules(props)
  const fields = Object.keys(propsOf(props?.["properties"]) ?? { spec: {} })
  const unseen = new Set(["apiVersion", "kind", "metadata", ...(hasStatus ? ["status"] : [])])
  return {
    unconditionalUpdate: false,
    generationFields: fields.filter((name) => !unseen.has(name)),
    ...(hasStatus
      ? {
          prepareForCreate: (draft: Draft) => keepStatus(draft, undefined) as undefined,
          prepareForUpdate: (draft: Draft, old: KubeObject) => keepStatus(draft, old) as undefined
        }
      : {}),
    validate: (object) => {
      const found: Array<FieldProblem> = [...schemaProblems(schema, asJson(object))]
      values?.(asJson(object), "", found)
      // An object that has a version is compared with what it was, by validateUpdate.
      const isNew = object.metadata.resourceVersion === undefined
      if (rules === undefined) return found
      if (found.some(isBlocking)) return [...found, RULES_NOT_ASKED]
      return isNew ? [...found, ...rules(asJson(object), undefined)] : found
    },
    ...(rules === undefined ? {} : { validateUpdate: (object, old) => rules(asJson(object), asJson(old)) })
  }
}

const subresourcesOf = (
  version: JsonObject,
  props: SchemaProps | undefined,
  schema: Schema
): ReadonlyMap<string, Subresource> => {
  const asked = fieldsOf(version["subresources"])
  const found = new Map<string, Subresource>()
  if (asked["status"] !== undefined) {
    const { validate, validateUpdate } = strategyOf(props, schema, false)
    found.set("status", {
      type: "status",
      keepsMetadata: true,
      strategy: {
        generationFields: [],
        ...(validate === undefined ? {} : { validate }),
        ...(validateUpdate === undefined ? {} : { validateUpdate })
      }
    })
  }
  const scale = fieldsIn(asked["scale"])
  if (scale !== undefined) {
    const labelSelectorPath = textOf(scale["labelSelectorPath"])
    found.set("scale", {
      type: "scale",
      specReplicasPath: textOf(scale["specReplicasPath"]),
      statusReplicasPath: textOf(scale["statusReplicasPath"]),
      ...(labelSelectorPath === "" ? {} : { labelSelectorPath })
    })
  }
  return found
}

const VERBS = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"] as const

/** The definitions of a CustomResourceDefinition's served versions. */
export const definitionsOf = (crd: KubeObject): ReadonlyArray<Definition> => {
  const spec = fieldsOf(crd.spec)
  const names = fieldsOf(spec["names"])
  const group = textOf(spec["group"])
  const versions = itemsOf(spec["versions"])
  const stored = textOf(versions.find((version) => version["storage"] === true)?.["name"])
  const resource = textOf(names["plural"])
  return versions
    .filter((version) => version["served"] === true)
    .map((version): Definition => {
      const props = propsOf(fieldsOf(version["schema"])["openAPIV3Schema"])
      const schema = resourceSchema(props, spec["preserveUnknownFields"] === true || !isJsonObject(props))
      const subresources = subresourcesOf(version, props, schema)
      return {
        group,
        version: textOf(version["name"]),
        kind: textOf(names["kind"]),
        listKind: textOf(names["listKind"]),
        resource,
        singular: textOf(names["singular"]),
        shortNames: textsOf(names["shortNames"]),
        categories: textsOf(names["categories"]),
        namespaced: spec["scope"] === "Namespaced",
        verbs: VERBS,
        schema,
        custom: true,
        published: {
          props,
          preserveUnknownFields: spec["preserveUnknownFields"] === true,
          selectableFields: itemsOf(version["selectableFields"]).map((field) =>
            textOf(field["jsonPath"]).replace(/^\./, "")
          )
        },
        strategy: strategyOf(props, schema, subresources.has("status")),
        columns: columnsOf(version),
        selectableFields: selectableOf(version),
        subresources,
        storage: { prefix: `/registry/${group}/${resource}/`, group, version: stored }
      }
    })
}

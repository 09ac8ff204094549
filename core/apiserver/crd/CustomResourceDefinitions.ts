// CustomResourceDefinitions as a resource: their defaults, rules and columns.
// Owns what a definition may say; refuses to serve what it defines, which CustomResources.ts does.
import { isJsonObject, type JsonArray, type KubeObject } from "#kube"
import type { Definition, Draft } from "../Definition.ts"
import { column, nameColumn, wide } from "../resources/Columns.ts"
import { define } from "../resources/Define.ts"
import { fieldsIn, fieldsOf, itemsOf, textOf, textsOf } from "../resources/Fields.ts"
import { IMMUTABLE, invalid, oneOf, type Problems, required } from "../resources/Problems.ts"
import { celProblems } from "./CelRules.ts"
import { jsonPath } from "./JsonPath.ts"
import { propsOf, structuralProblems } from "./StructuralSchema.ts"

/** Holds a definition back until its objects are gone. */
export const CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"

const namesWithDefaults = (names: ReturnType<typeof fieldsOf>) => {
  const kind = textOf(names["kind"])
  return {
    ...names,
    ...(textOf(names["singular"]) === "" ? { singular: kind.toLowerCase() } : {}),
    ...(textOf(names["listKind"]) === "" ? { listKind: `${kind}List` } : {})
  }
}

const defaults = ({ spec }: Draft): void => {
  if (spec === undefined) return
  spec["names"] = namesWithDefaults(fieldsOf(spec["names"]))
  spec["conversion"] ??= { strategy: "None" }
}

const checkVersions = (spec: ReturnType<typeof fieldsOf>, problems: Problems): void => {
  const versions = itemsOf(spec["versions"])
  if (versions.length === 0) problems.push(required("spec.versions", "must have at least one version"))
  const stored = versions.filter((version) => version["storage"] === true).length
  if (versions.length > 0 && stored !== 1) {
    problems.push(invalid("spec.versions", spec["versions"], "must have exactly one version marked as storage version"))
  }
  for (const [at, version] of versions.entries()) checkVersion(version, `spec.versions[${at}]`, problems)
}

const COLUMN_TYPES: ReadonlySet<string> = new Set(["boolean", "date", "integer", "number", "string"])
const COLUMN_TYPE = `must be one of ${[...COLUMN_TYPES].join(",")}`

const checkVersion = (version: ReturnType<typeof fieldsOf>, path: string, problems: Problems): void => {
  const schema = propsOf(fieldsOf(version["schema"])["openAPIV3Schema"])
  if (schema === undefined) {
    problems.push(required(`${path}.schema.openAPIV3Schema`, "schemas are required"))
  } else {
    const place = `${path}.schema.openAPIV3Schema`
    if (schema["type"] !== "object") problems.push(invalid(`${place}.type`, schema["type"] ?? "", "must be object"))
    problems.push(...structuralProblems(schema, place), ...celProblems(schema, place))
  }
  for (const [at, printed] of itemsOf(version["additionalPrinterColumns"]).entries()) {
    const place = `${path}.additionalPrinterColumns[${at}]`
    if (textOf(printed["name"]) === "") problems.push(required(`${place}.name`))
    if (jsonPath(textOf(printed["jsonPath"])) === undefined) {
      problems.push(invalid(`${place}.jsonPath`, printed["jsonPath"] ?? "", "must be a simple json path"))
    }
    const type = textOf(printed["type"])
    if (type === "") problems.push(required(`${place}.type`, COLUMN_TYPE))
    else if (!COLUMN_TYPES.has(type)) problems.push(invalid(`${place}.type`, type, COLUMN_TYPE))
  }
  checkSelectable(version, path, problems)
}

const SELECTABLE: ReadonlySet<unknown> = new Set(["string", "boolean", "integer"])

/** Fields of selectors must be simple values that the schema knows. */
const checkSelectable = (version: ReturnType<typeof fieldsOf>, path: string, problems: Problems): void => {
  const schema = propsOf(fieldsOf(version["schema"])["openAPIV3Schema"])
  for (const [at, { jsonPath: selected }] of itemsOf(version["selectableFields"]).entries()) {
    const parts = textOf(selected).split(".").slice(1)
    const found = parts.reduce((props, part) => propsOf(propsOf(props?.["properties"])?.[part]), schema)
    if (SELECTABLE.has(found?.["type"])) continue
    const why =
      "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."
    problems.push(invalid(`${path}.selectableFields[${at}].jsonPath`, textOf(selected), why))
  }
}

const check = (object: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(object.spec)
  const names = fieldsOf(spec["names"])
  const wanted = `${textOf(names["plural"])}.${textOf(spec["group"])}`
  if (object.metadata.name !== wanted) {
    problems.push(invalid("metadata.name", object.metadata.name, 'must be spec.names.plural+"."+spec.group'))
  }
  if (textOf(spec["group"]) === "") problems.push(required("spec.group"))
  for (const name of ["plural", "kind"]) if (textOf(names[name]) === "") problems.push(required(`spec.names.${name}`))
  oneOf("spec.scope", spec["scope"], ["Cluster", "Namespaced"], problems)
  checkVersions(spec, problems)
}

const isEstablished = (object: KubeObject): boolean =>
  itemsOf(fieldsOf(object.status)["conditions"]).some(({ status, type }) => type === "Established" && status === "True")

const namesOf = ({ spec }: KubeObject) => fieldsOf(fieldsOf(spec)["names"])

const servedText = (versions: unknown): string =>
  itemsOf(versions)
    .filter((version) => version["served"] === true)
    .map((version) => `${textOf(version["name"])}${version["storage"] === true ? "(storage)" : ""}`)
    .sort()
    .join(",")

const checkUpdate = (object: KubeObject, old: KubeObject, problems: Problems): void => {
  const now = fieldsOf(object.spec)
  const before = fieldsOf(old.spec)
  if (now["group"] !== before["group"]) problems.push(invalid("spec.group", now["group"], IMMUTABLE))
  if (!isEstablished(old)) return
  if (now["scope"] !== before["scope"]) problems.push(invalid("spec.scope", now["scope"], IMMUTABLE))
  for (const name of ["kind", "plural"]) {
    const value = fieldsOf(now["names"])[name]
    if (value !== fieldsOf(before["names"])[name]) problems.push(invalid(`spec.names.${name}`, value, IMMUTABLE))
  }
}

const storedVersions = (draft: Draft): JsonArray =>
  itemsOf(draft.spec?.["versions"])
    .filter((version) => version["storage"] === true)
    .map((version) => textOf(version["name"]))

/** The definition of CustomResourceDefinitions. */
export const customResourceDefinitions = (): Definition =>
  define("apiextensions.k8s.io", "v1", "CustomResourceDefinition", {
    defaults,
    prepareForCreate: (draft) => {
      const finalizers = draft.metadata.finalizers ?? []
      if (!finalizers.includes(CLEANUP_FINALIZER)) draft.metadata.finalizers = [...finalizers, CLEANUP_FINALIZER]
      return undefined
    },
    prepareForUpdate: (draft, old) => {
      const known = fieldsIn(old.status)
      const before = Array.isArray(known?.["storedVersions"]) ? (known["storedVersions"] as JsonArray) : []
      const added = storedVersions(draft).filter((version) => !before.includes(version))
      if (added.length > 0 && isJsonObject(draft.status)) {
        draft.status = { ...draft.status, storedVersions: [...before, ...added] }
      }
      return undefined
    },
    initialStatus: (draft) => ({
      conditions: [],
      acceptedNames: { kind: "", plural: "" },
      storedVersions: storedVersions(draft)
    }),
    check,
    checkUpdate,
    generation: ["spec"],
    columns: [
      nameColumn,
      column("Scope", ({ spec }) => textOf(fieldsOf(spec)["scope"])),
      column("Versions", ({ spec }) => servedText(fieldsOf(spec)["versions"])),
      column("Created At", ({ metadata }) => metadata.creationTimestamp, "date"),
      wide("Group", ({ spec }) => textOf(fieldsOf(spec)["group"])),
      wide("Kind", (object) => textOf(namesOf(object)["kind"])),
      wide("ShortNames", (object) => textsOf(namesOf(object)["shortNames"]).join(",")),
      wide("Established", isEstablished, "boolean")
    ]
  })

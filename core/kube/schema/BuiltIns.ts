// The schemas of Kubernetes' own kinds, expanded from the tables when a definition is first asked for, and shared from then on.
// Owns names and kinds of definitions; refuses custom resources, whose schemas come from their CustomResourceDefinitions.
import type { GroupVersionKind } from "../Resource.ts"
import type { Schema } from "../Schema.ts"
import { type BuiltInResource, type CompactFacts, type CompactType, schemaTables } from "./SchemaTablesAdapter.ts"

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Strategies = NonNullable<Schema["patchStrategy"]>

const types: Readonly<Record<string, Schema["type"]>> = {
  s: "string",
  i: "integer",
  n: "number",
  b: "boolean",
  o: "object",
  x: "int-or-string",
  a: "any"
}

const expanded = new Map<number, Schema>()
let byName: Map<string, number> | undefined
let byKind: Map<string, number> | undefined

const scalar = (letters: string): Schema => {
  if (letters === "q") return { type: "string", format: "quantity" }
  const [letter = "", format] = letters.split(":")
  const type = types[letter] ?? "any"
  const open = type === "object" || type === "any"
  return { type, ...(format === undefined ? {} : { format }), ...(open ? { preserveUnknownFields: true } : {}) }
}

const facts = (compact: CompactFacts): Partial<Schema> => ({
  ...(compact.r === undefined ? {} : { required: compact.r }),
  ...(compact.d === undefined ? {} : { default: compact.d }),
  ...(compact.e === undefined ? {} : { enum: compact.e }),
  ...(compact.lt === undefined ? {} : { listType: compact.lt }),
  ...(compact.lk === undefined ? {} : { listMapKeys: compact.lk }),
  ...(compact.mt === undefined ? {} : { mapType: compact.mt }),
  // SAFETY: the strategies that Kubernetes knows; a test goes through all of them.
  ...(compact.ps === undefined ? {} : { patchStrategy: compact.ps.split(",") as unknown as Strategies }),
  ...(compact.mk === undefined ? {} : { patchMergeKey: compact.mk }),
  ...(compact.pu === undefined ? {} : { preserveUnknownFields: compact.pu }),
  ...(compact.er === undefined ? {} : { embeddedResource: compact.er })
})

const expand = (compact: CompactType): Schema => {
  if (typeof compact === "number") return definition(compact)
  if (typeof compact === "string") return scalar(compact)
  const base: Schema =
    compact.t !== undefined
      ? expand(compact.t)
      : compact.f !== undefined
        ? { type: "object", fields: new Map(Object.entries(compact.f).map(([name, type]) => [name, expand(type)])) }
        : compact.m !== undefined
          ? { type: "object", values: expand(compact.m) }
          : { type: "array", items: expand(compact.l ?? "a") }
  return { ...base, ...facts(compact) }
}

const definition = (number: number): Schema => {
  const known = expanded.get(number)
  if (known !== undefined) return known
  const [name, compact] = schemaTables().definitions[number]
  if (typeof compact !== "object" || compact.f === undefined) {
    const schema = { ...expand(compact), name }
    expanded.set(number, schema)
    return schema
  }
  // A definition may hold itself, so it is known before its fields are: whoever copies it shares the same map of fields.
  const fields = new Map<string, Schema>()
  const schema: Mutable<Schema> = { type: "object", name, fields, ...facts(compact) }
  expanded.set(number, schema)
  for (const [field, type] of Object.entries(compact.f)) fields.set(field, expand(type))
  return schema
}

const names = (): Map<string, number> => {
  byName ??= new Map(schemaTables().definitions.map(([name], at) => [name, at]))
  return byName
}

const kinds = (): Map<string, number> => {
  if (byKind === undefined) {
    byKind = new Map()
    for (const [at, [, type]] of schemaTables().definitions.entries()) {
      if (typeof type === "object" && type.g !== undefined) {
        byKind.set(`${type.g.group}/${type.g.version}/${type.g.kind}`, at)
      }
    }
  }
  return byKind
}

/** The schema of a definition, like "io.k8s.api.core.v1.PodSpec"; undefined when there is none. */
export const schemaNamed = (name: string): Schema | undefined => {
  const number = names().get(name)
  return number === undefined ? undefined : definition(number)
}

/** The schema of a kind that Kubernetes has itself; undefined when it has no such kind. */
export const schemaOfKind = (group: string, version: string, kind: string): Schema | undefined => {
  const number = kinds().get(`${group}/${version}/${kind}`)
  return number === undefined ? undefined : definition(number)
}

/** The kind that a definition is, where it is one. */
export const kindOfDefinition = (name: string): GroupVersionKind | undefined => {
  const number = names().get(name)
  const type = number === undefined ? undefined : schemaTables().definitions[number][1]
  return typeof type === "object" ? type.g : undefined
}

/** The names of all definitions, in alphabetical order. */
export const definitionNames = (): ReadonlyArray<string> => [...names().keys()]

/** The resources that a kube-apiserver of the tables' version serves by default, in the order of its discovery. */
export const builtInResources = (): ReadonlyArray<BuiltInResource> => schemaTables().resources

/** The version of Kubernetes that the tables were read from, like "1.37". */
export const builtInVersion = (): string => schemaTables().version

// Reads the types and resources of a real kube-apiserver into core/kube/schema/gen/tables.json (`npm run schemas`): facts
// alone, none of the descriptions. Owns the compact form's writing; core/kube/schema/SchemaTables.ts reads it.
import { writeFileSync } from "node:fs"
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { findAsset } from "#kind"
import { type RealApiServer, startApiServer } from "./RealApiServer.ts"

interface OpenApiSchema {
  readonly $ref?: string
  readonly allOf?: ReadonlyArray<OpenApiSchema>
  readonly oneOf?: ReadonlyArray<OpenApiSchema>
  readonly type?: string
  readonly format?: string
  readonly properties?: Readonly<Record<string, OpenApiSchema>>
  readonly additionalProperties?: OpenApiSchema
  readonly items?: OpenApiSchema
  readonly required?: ReadonlyArray<string>
  readonly default?: unknown
  readonly enum?: ReadonlyArray<unknown>
  readonly [extension: `x-kubernetes-${string}`]: unknown
}

type Schemas = Readonly<Record<string, OpenApiSchema>>

interface Tables {
  readonly version: string
  readonly definitions: ReadonlyArray<readonly [string, unknown]>
  readonly resources: ReadonlyArray<Record<string, unknown>>
}

const letters: Readonly<Record<string, string>> = { string: "s", integer: "i", number: "n", boolean: "b", object: "o" }

/** The extensions that carry over, with their short names. */
const extensions: Readonly<Record<string, string>> = {
  "x-kubernetes-list-type": "lt",
  "x-kubernetes-list-map-keys": "lk",
  "x-kubernetes-map-type": "mt",
  "x-kubernetes-patch-strategy": "ps",
  "x-kubernetes-patch-merge-key": "mk",
  "x-kubernetes-preserve-unknown-fields": "pu",
  "x-kubernetes-embedded-resource": "er"
}

const nameOf = (ref: string): string => ref.slice(ref.lastIndexOf("/") + 1)

/** The compact form of one schema; `numbers` are the places of the definitions. */
const compact = (schema: OpenApiSchema, schemas: Schemas, numbers: ReadonlyMap<string, number>): unknown => {
  const base = compactType(schema, schemas, numbers)
  const facts: Record<string, unknown> = {}
  if (schema.required !== undefined) facts["r"] = schema.required
  if (schema.enum !== undefined) facts["e"] = schema.enum
  if (schema.default !== undefined) facts["d"] = schema.default
  for (const [extension, short] of Object.entries(extensions)) {
    const value = schema[extension as `x-kubernetes-${string}`]
    if (value !== undefined) facts[short] = value
  }
  const kinds = schema["x-kubernetes-group-version-kind"]
  // Kinds that every group has (DeleteOptions, WatchEvent) are named in each document for its own group alone.
  if (Array.isArray(kinds) && kinds.length === 1) facts["g"] = kinds[0]
  if (typeof base === "object") return { ...base, ...facts }
  return Object.keys(facts).length === 0 ? base : { t: base, ...facts }
}

const compactType = (
  schema: OpenApiSchema,
  schemas: Schemas,
  numbers: ReadonlyMap<string, number>
): number | string | Record<string, unknown> => {
  const ref = schema.$ref ?? schema.allOf?.[0]?.$ref
  if (ref !== undefined) {
    const number = numbers.get(nameOf(ref))
    if (number === undefined) throw new Error(`no definition ${ref}`)
    return number
  }
  if (schema.oneOf !== undefined) return schema.format === "int-or-string" ? "x" : "q"
  if (schema.type === undefined) return "a"
  if (schema.type === "array") return { l: compact(schema.items ?? {}, schemas, numbers) }
  if (schema.properties !== undefined) {
    const fields = Object.entries(schema.properties).toSorted(([a], [b]) => (a < b ? -1 : 1))
    return { f: Object.fromEntries(fields.map(([name, field]) => [name, compact(field, schemas, numbers)])) }
  }
  if (schema.additionalProperties !== undefined) return { m: compact(schema.additionalProperties, schemas, numbers) }
  const letter = letters[schema.type]
  return schema.format === undefined ? letter : `${letter}:${schema.format}`
}

interface Kind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

interface DiscoveredResource {
  readonly resource: string
  readonly responseKind: Kind
  readonly scope: "Namespaced" | "Cluster"
  readonly singularResource: string
  readonly verbs: ReadonlyArray<string>
  readonly shortNames?: ReadonlyArray<string>
  readonly categories?: ReadonlyArray<string>
  readonly subresources?: ReadonlyArray<{
    readonly subresource: string
    readonly responseKind: Kind
    readonly verbs: ReadonlyArray<string>
  }>
}

interface Discovery {
  readonly items: ReadonlyArray<{
    readonly metadata: { readonly name?: string }
    readonly versions: ReadonlyArray<{
      readonly version: string
      readonly resources?: ReadonlyArray<DiscoveredResource>
    }>
  }>
}

const kindIn = (kind: Kind, group: string, version: string): Kind => ({
  group: kind.version === "" ? group : kind.group,
  version: kind.version === "" ? version : kind.version,
  kind: kind.kind
})

const compactResource = (group: string, version: string, found: DiscoveredResource): Record<string, unknown> => ({
  group,
  version,
  kind: found.responseKind.kind,
  resource: found.resource,
  singular: found.singularResource,
  namespaced: found.scope === "Namespaced",
  verbs: found.verbs,
  shortNames: found.shortNames ?? [],
  categories: found.categories ?? [],
  subresources: (found.subresources ?? []).map(({ responseKind, subresource, verbs }) => ({
    name: subresource,
    ...kindIn(responseKind, group, version),
    verbs
  }))
})

const aggregated = { accept: "application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io" }

const read = async <A>(server: RealApiServer, path: string, headers = {}): Promise<A> => {
  const answer = await server.call("GET", path, { headers })
  if (answer.code !== 200) throw new Error(`${path}: ${answer.code}`)
  return JSON.parse(answer.body) as A
}

/** All definitions that the server publishes: those of each group's OpenAPI v3, and what v2 alone names. */
export const readDefinitions = async (server: RealApiServer): Promise<Schemas> => {
  const { paths } = await read<{ paths: Record<string, unknown> }>(server, "/openapi/v3")
  const all: Record<string, OpenApiSchema> = {}
  for (const path of Object.keys(paths)) {
    const { components } = await read<{ components?: { schemas?: Schemas } }>(server, `/openapi/v3/${path}`)
    Object.assign(all, components?.schemas)
  }
  return all
}

/** The tables of a running API server. */
export const readTables = async (server: RealApiServer): Promise<Tables> => {
  const all = await readDefinitions(server)
  const names = Object.keys(all).toSorted()
  const numbers = new Map(names.map((name, at) => [name, at]))
  const groups = [await read<Discovery>(server, "/api", aggregated), await read<Discovery>(server, "/apis", aggregated)]
  const resources = groups.flatMap(({ items }) =>
    items.flatMap(({ metadata, versions }) =>
      versions.flatMap(({ resources = [], version }) =>
        resources.map((resource) => compactResource(metadata.name ?? "", version, resource))
      )
    )
  )
  const { info } = await read<{ info: { version: string } }>(server, "/openapi/v2")
  return {
    version: info.version,
    definitions: names.map((name) => [name, compact(all[name], all, numbers)]),
    resources
  }
}

const lines = (rows: ReadonlyArray<unknown>): string => rows.map((row) => JSON.stringify(row)).join(",\n")

/** As it is committed: one line for each definition and each resource, so that a new version of Kubernetes reads as a diff. */
export const tablesText = ({ definitions, resources, version }: Tables): string =>
  `{"version":${JSON.stringify(version)},\n"definitions":[\n${lines(definitions)}\n],\n"resources":[\n${lines(resources)}\n]}\n`

export const tablesFile = new URL("../../core/kube/schema/gen/tables.json", import.meta.url)

const assetPath = (name: "etcd" | "kube-apiserver"): Promise<string> =>
  findAsset(name).pipe(
    Effect.map(({ path }) => path),
    Effect.provide(NodeServices.layer),
    Effect.runPromise
  )

if (import.meta.main) {
  const server = await startApiServer({
    etcd: await assetPath("etcd"),
    "kube-apiserver": await assetPath("kube-apiserver")
  })
  try {
    writeFileSync(tablesFile, tablesText(await readTables(server)))
  } finally {
    await server.stop()
  }
}

// OpenAPI documents in versions 2 and 3, made from schemas and the list of resources that a server serves.
// Owns documents, their hashes and a cache of both, which is bounded by the number of group versions; refuses HTTP.
import { createHash } from "node:crypto"
import type { Json } from "../Json.ts"
import type { GroupVersion, GroupVersionKind } from "../Resource.ts"
import type { Schema } from "../Schema.ts"
import { builtInVersion, schemaNamed, schemaOfKind } from "./BuiltIns.ts"
import { customDefinition, type CustomSchema } from "./CustomOpenApi.ts"
import { groupVersionPath, type NameOfKind, type PublishedResource, resourcePaths } from "./OpenApiPaths.ts"
import { collectDefinitions, definitionOf, type Draft, type OpenApiVersion } from "./OpenApiSchemas.ts"

const META = "io.k8s.apimachinery.pkg.apis.meta.v1"
const COMMON = ["DeleteOptions", "Patch", "Status", "WatchEvent"].map((name) => `${META}.${name}`)

export interface OpenApiDocument {
  /** JSON. */
  readonly text: string
  /** Changes exactly when the text does. */
  readonly hash: string
}

/** The documents of a server's resources as they are now. */
export interface OpenApi {
  /** The answer of /openapi/v3: where each group version's document lies, with its hash. */
  readonly index: () => OpenApiDocument
  /** The document of /openapi/v3/PATH, PATH like "apis/apps/v1"; undefined when there is none. */
  readonly v3: (path: string) => OpenApiDocument | undefined
  readonly v2: () => OpenApiDocument
  /** To be called when the resources changed; with a group version, when only that one's did. */
  readonly changed: (groupVersion?: GroupVersion) => void
}

/** "com.example.stable.v1.CronTab": how the definition of a custom kind is called. */
export const customDefinitionName = ({ group, kind, version }: GroupVersionKind): string =>
  `${group.split(".").toReversed().join(".")}.${version}.${kind}`

const customRoot = (schema: Schema): Schema => ({
  ...schema,
  fields: new Map([
    ["apiVersion", { type: "string" }],
    ["kind", { type: "string" }],
    ...(schema.fields ?? []),
    ["metadata", schemaNamed(`${META}.ObjectMeta`) ?? { type: "object" }]
  ])
})

const customList = (kind: GroupVersionKind, item: Schema): Schema => ({
  type: "object",
  name: customDefinitionName(kind),
  fields: new Map([
    ["apiVersion", { type: "string" }],
    ["kind", { type: "string" }],
    ["items", { type: "array", items: item }],
    ["metadata", schemaNamed(`${META}.ListMeta`) ?? { type: "object" }]
  ]),
  required: ["items"]
})

interface Definitions {
  readonly found: Map<string, Schema>
  readonly kinds: Map<string, GroupVersionKind>
  /** By name: those that are written in the words of their definition. */
  readonly customs: Map<string, CustomSchema>
  readonly names: NameOfKind
}

const keyOf = ({ group, kind, version }: GroupVersionKind): string => `${group}/${version}/${kind}`

const definitionsOf = (resources: ReadonlyArray<PublishedResource>): Definitions => {
  const found = new Map<string, Schema>()
  const kinds = new Map<string, GroupVersionKind>()
  const custom = new Map<string, string>()
  const customs = new Map<string, CustomSchema>()
  const add = (schema: Schema, kind: GroupVersionKind): void => {
    const name = customDefinitionName(kind)
    custom.set(keyOf(kind), name)
    kinds.set(name, kind)
    collectDefinitions({ ...schema, name }, found)
  }
  for (const published of resources) {
    const { group, kind, listKind = `${kind}List`, schema, subresources, version } = published
    const builtIn = schemaOfKind(group, version, kind)
    if (builtIn !== undefined) {
      collectDefinitions(builtIn, found)
      collectDefinitions(schemaOfKind(group, version, listKind), found)
    } else {
      const own = { group, version, kind }
      const item = { ...customRoot(schema ?? { type: "object", preserveUnknownFields: true }) }
      add(item, own)
      if (published.custom !== undefined) customs.set(customDefinitionName(own), published.custom)
      const list = { group, version, kind: listKind }
      add(customList(list, { ...item, name: customDefinitionName(own) }), list)
    }
    for (const { group, kind, version } of subresources) collectDefinitions(schemaOfKind(group, version, kind), found)
  }
  for (const name of COMMON) collectDefinitions(schemaNamed(name), found)
  const names: NameOfKind = (kind) => custom.get(keyOf(kind)) ?? schemaOfKind(kind.group, kind.version, kind.kind)?.name
  return { found, kinds, customs, names }
}

/** Kinds that every group version has, so that clients find them whatever they ask. */
const everywhere = (groups: ReadonlyArray<GroupVersion>, kind: string): Json =>
  groups.map(({ group, version }) => ({ group, kind, version }))

const written = (
  { customs, found, kinds }: Definitions,
  groups: ReadonlyArray<GroupVersion>,
  version: OpenApiVersion
): Draft => {
  const out: Draft = {}
  for (const [name, schema] of [...found].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const kind = kinds.get(name)
    const custom = customs.get(name)
    if (custom !== undefined && kind !== undefined) {
      out[name] = customDefinition(custom, kind, version)
      continue
    }
    const body = definitionOf(schema, version, kind && { group: kind.group, kind: kind.kind, version: kind.version })
    const shared =
      name === `${META}.DeleteOptions` || name === `${META}.WatchEvent` ? name.split(".").at(-1) : undefined
    out[name] =
      shared === undefined
        ? body
        : { ...(body as Draft), "x-kubernetes-group-version-kind": everywhere(groups, shared) }
  }
  return out
}

const document = (value: Json): OpenApiDocument => {
  const text = JSON.stringify(value)
  return { text, hash: createHash("sha512").update(text).digest("hex").toUpperCase() }
}

const groupsOf = (resources: ReadonlyArray<PublishedResource>): ReadonlyArray<GroupVersion> => {
  const groups = new Map<string, GroupVersion>()
  for (const { group, version } of resources) groups.set(`${group}/${version}`, { group, version })
  return [...groups.values()]
}

const security = { BearerToken: { type: "apiKey", name: "authorization", in: "header" } }

const documentV3 = (resources: ReadonlyArray<PublishedResource>): OpenApiDocument => {
  const definitions = definitionsOf(resources)
  const paths: Draft = {}
  for (const resource of resources) Object.assign(paths, resourcePaths(resource, definitions.names, "v3"))
  return document({
    openapi: "3.0.0",
    info: { title: "Kubernetes", version: builtInVersion() },
    paths,
    components: { schemas: written(definitions, groupsOf(resources), "v3"), securitySchemes: security }
  })
}

const documentV2 = (resources: ReadonlyArray<PublishedResource>): OpenApiDocument => {
  const definitions = definitionsOf(resources)
  const paths: Draft = {}
  for (const resource of resources) Object.assign(paths, resourcePaths(resource, definitions.names, "v2"))
  return document({
    swagger: "2.0",
    info: { title: "Kubernetes", version: builtInVersion() },
    paths,
    definitions: written(definitions, groupsOf(resources), "v2"),
    securityDefinitions: security,
    security: [{ BearerToken: [] }]
  })
}

/** Publishes resources; `resources` is asked again after `changed`, and each document is made when it is first asked for. */
export const openApiOf = (resources: () => ReadonlyArray<PublishedResource>): OpenApi => {
  const documents = new Map<string, OpenApiDocument>()
  const remember = (path: string, make: () => OpenApiDocument): OpenApiDocument => {
    const made = documents.get(path) ?? make()
    documents.set(path, made)
    return made
  }
  const pathOf = (groupVersion: GroupVersion): string => groupVersionPath(groupVersion).slice(1)
  const v3 = (path: string): OpenApiDocument | undefined => {
    const own = resources().filter((resource) => pathOf(resource) === path)
    return own.length === 0 ? undefined : remember(path, () => documentV3(own))
  }
  const index = (): OpenApiDocument => {
    const rows = groupsOf(resources()).map((groupVersion) => {
      const path = pathOf(groupVersion)
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${v3(path)?.hash ?? ""}` }] as const
    })
    return document({ paths: Object.fromEntries(rows) })
  }
  return {
    index: () => remember("index", index),
    v3,
    v2: () => remember("v2", () => documentV2(resources())),
    changed: (groupVersion) => {
      if (groupVersion === undefined) return documents.clear()
      for (const path of ["index", "v2", pathOf(groupVersion)]) documents.delete(path)
    }
  }
}

// The paths of a resource and its subresources as OpenAPI documents list them, with the operations that its verbs allow.
// Owns operation names, parameters and Kubernetes' extensions of operations; refuses definitions (OpenApiSchemas.ts).
import type { Json } from "../Json.ts"
import type { GroupVersion, GroupVersionKind } from "../Resource.ts"
import type { Schema } from "../Schema.ts"
import type { CustomSchema } from "./CustomOpenApi.ts"
import { type Draft, type OpenApiVersion, refTo } from "./OpenApiSchemas.ts"
import type { BuiltInResource } from "./SchemaTablesAdapter.ts"

const META = "io.k8s.apimachinery.pkg.apis.meta.v1"

/** A resource to publish; one of Kubernetes' own needs no schema. */
export interface PublishedResource extends BuiltInResource {
  readonly schema?: Schema
  /** What a custom resource's definition says, to be published in its own words. */
  readonly custom?: CustomSchema
  /** Where it is not the kind with "List". */
  readonly listKind?: string
}

/** How definitions are called. */
export type NameOfKind = (kind: GroupVersionKind) => string | undefined

const capital = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1)

const camelGroup = (group: string): string =>
  group === ""
    ? "Core"
    : group
        .replace(/\.k8s\.io$/, "")
        .split(/[.-]/)
        .map(capital)
        .join("")

/** "/api/v1" or "/apis/apps/v1". */
export const groupVersionPath = ({ group, version }: GroupVersion): string =>
  group === "" ? `/api/${version}` : `/apis/${group}/${version}`

interface Operation {
  readonly method: "get" | "post" | "put" | "patch" | "delete"
  /** x-kubernetes-action. */
  readonly action: string
  /** What the operation's name starts with, and what follows the group version in it. */
  readonly title: string
  readonly infix?: string
  readonly query: ReadonlyArray<readonly [name: string, type: string]>
}

const write = [
  ["dryRun", "string"],
  ["fieldManager", "string"],
  ["fieldValidation", "string"]
] as const
const selection = [
  ["continue", "string"],
  ["fieldSelector", "string"],
  ["labelSelector", "string"],
  ["limit", "integer"],
  ["resourceVersion", "string"],
  ["resourceVersionMatch", "string"],
  ["sendInitialEvents", "boolean"],
  ["timeoutSeconds", "integer"]
] as const
const deletion = [
  ["dryRun", "string"],
  ["gracePeriodSeconds", "integer"],
  ["orphanDependents", "boolean"],
  ["propagationPolicy", "string"]
] as const
const watching = [
  ["allowWatchBookmarks", "boolean"],
  ["watch", "boolean"]
] as const

const collectionVerbs: Readonly<Record<string, Operation>> = {
  list: { method: "get", action: "list", title: "list", query: [...selection, ...watching] },
  create: { method: "post", action: "post", title: "create", query: write },
  deletecollection: {
    method: "delete",
    action: "deletecollection",
    title: "delete",
    infix: "Collection",
    query: [...selection, ...deletion]
  }
}

const objectVerbs: Readonly<Record<string, Operation>> = {
  get: { method: "get", action: "get", title: "read", query: [] },
  update: { method: "put", action: "put", title: "replace", query: write },
  patch: { method: "patch", action: "patch", title: "patch", query: [...write, ["force", "boolean"]] },
  delete: { method: "delete", action: "delete", title: "delete", query: deletion }
}

/** Strategic merges are of built-in kinds: kubectl reads here which patch it may send. */
const STRATEGIC = "application/strategic-merge-patch+json"
const PATCH_TYPES = [
  "application/json-patch+json",
  "application/merge-patch+json",
  STRATEGIC,
  "application/apply-patch+yaml",
  "application/apply-patch+cbor"
]

const parameter = (name: string, type: string, place: "query" | "path", version: OpenApiVersion): Json => {
  const required = place === "path" ? { required: true } : {}
  return version === "v2"
    ? { name, in: place, type, uniqueItems: true, ...required }
    : { name, in: place, schema: { type, uniqueItems: true }, ...required }
}

const content = (types: ReadonlyArray<string>, schema: Json): Json => ({
  content: Object.fromEntries(types.map((type) => [type, { schema }]))
})

interface Spoken {
  /** Group and version in operation names, and what stands after them. */
  readonly prefix: string
  readonly subject: string
  readonly kind: GroupVersionKind
  /** Names of definitions. */
  readonly body: string | undefined
  readonly answer: string | undefined
  /** Whether it is a custom resource's. */
  readonly custom: boolean
}

const bodySchema = (method: Operation["method"], { body }: Spoken, version: OpenApiVersion): Json | undefined => {
  if (method === "get") return undefined
  const name = method === "patch" ? `${META}.Patch` : method === "delete" ? `${META}.DeleteOptions` : body
  return name === undefined ? { type: "object" } : { $ref: refTo(name, version) }
}

const operationOf = (
  { action, infix = "", method, query, title }: Operation,
  spoken: Spoken,
  tag: string,
  version: OpenApiVersion
): Json => {
  const answer: Json = spoken.answer === undefined ? { type: "string" } : { $ref: refTo(spoken.answer, version) }
  const body = bodySchema(method, spoken, version)
  const types = ["application/json", "application/yaml"]
  const patch = method === "patch"
  const patches = spoken.custom ? PATCH_TYPES.filter((type) => type !== STRATEGIC) : PATCH_TYPES
  const ok = version === "v2" ? { schema: answer } : content(types, answer)
  const { group, kind, version: kindVersion } = spoken.kind
  const parameters = query.map(([name, type]) => parameter(name, type, "query", version))
  const out: Draft = {
    tags: [tag],
    operationId: `${title}${spoken.prefix}${infix}${spoken.subject}`,
    responses: { 200: { description: "OK", ...(ok as Draft) }, 401: { description: "Unauthorized" } },
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": { group, version: kindVersion, kind }
  }
  if (version === "v2") {
    const inBody = body === undefined ? [] : [{ name: "body", in: "body", schema: body, required: method !== "delete" }]
    return {
      ...out,
      consumes: patch ? patches : ["*/*"],
      produces: types,
      schemes: ["https"],
      parameters: [...inBody, ...parameters]
    }
  }
  if (parameters.length > 0) out["parameters"] = parameters
  if (body !== undefined) out["requestBody"] = content(patch ? patches : ["*/*"], body)
  return out
}

const pathParameters = (path: string, version: OpenApiVersion): ReadonlyArray<Json> => [
  ...Array.from(path.matchAll(/\{(\w+)\}/g), ([, name = ""]) => parameter(name, "string", "path", version)),
  parameter("pretty", "string", "query", version)
]

/** Every path of a resource, with its operations. */
export const resourcePaths = (resource: PublishedResource, names: NameOfKind, version: OpenApiVersion): Draft => {
  const { group, kind, namespaced, resource: plural, version: ofGroup } = resource
  const paths: Draft = {}
  const base = groupVersionPath({ group, version: ofGroup })
  const tag = `${camelGroup(group).replace(/^./, (first) => first.toLowerCase())}_${ofGroup}`
  const prefix = `${camelGroup(group)}${capital(ofGroup)}`
  const place = namespaced ? `${base}/namespaces/{namespace}/${plural}` : `${base}/${plural}`
  const scope = namespaced ? "Namespaced" : ""
  const own = { group, version: ofGroup, kind }
  const name = names(own)
  const list = names({ ...own, kind: resource.listKind ?? `${kind}List` })
  const add = (path: string, verbs: ReadonlyArray<string>, table: typeof objectVerbs, spoken: Spoken) => {
    const item: Draft = {}
    for (const verb of verbs) {
      const operation = table[verb]
      if (operation === undefined) continue
      const answer = operation.title === "list" ? list : operation.action.startsWith("delete") ? STATUS : spoken.answer
      item[operation.method] = operationOf(operation, { ...spoken, answer }, tag, version)
    }
    if (Object.keys(item).length > 0) paths[path] = { ...item, parameters: pathParameters(path, version) }
  }
  const custom = resource.schema !== undefined
  const spoken = { prefix, subject: `${scope}${kind}`, kind: own, body: name, answer: name, custom }
  add(place, resource.verbs, collectionVerbs, spoken)
  add(`${place}/{name}`, resource.verbs, objectVerbs, spoken)
  if (namespaced && resource.verbs.includes("list")) {
    add(`${base}/${plural}`, ["list"], collectionVerbs, { ...spoken, subject: `${kind}ForAllNamespaces` })
  }
  for (const subresource of resource.subresources) {
    // Streams (exec, proxy) are no operations on objects: no client reads how they are described.
    if (subresource.kind.endsWith("Options")) continue
    const { group, kind: speaks, version: speaksVersion } = subresource
    const sub = { group, version: speaksVersion, kind: speaks }
    const subject = `${scope}${kind}${subresource.name.split("/").map(capital).join("")}`
    const both = { prefix, subject, kind: sub, body: names(sub), answer: names(sub), custom }
    const table = { ...objectVerbs, ...(collectionVerbs["create"] && { create: collectionVerbs["create"] }) }
    add(`${place}/{name}/${subresource.name}`, subresource.verbs, table, both)
  }
  return paths
}

const STATUS = `${META}.Status`

// Discovery as one tenant sees it: upstream's, less what is not served to tenants and what is another's, under the tenant's own names.
// Owns the aggregated and the old documents; refuses to ask upstream, which the catalog does.
import { isJsonObject, type Json, type JsonObject } from "#kube"
import { parseAccept } from "#apiserver"
import type { TenantCall } from "../serve/TenantCall.ts"
import type { TenantScope } from "../serve/Scopes.ts"
import { isReadOnly, isServed, subresourceForm } from "../walls/Routes.ts"
import type { Catalog, ServedGroup, ServedResource, ServedVersion } from "./Catalog.ts"
import { notFound, sendDocument } from "./Documents.ts"

interface TenantVersion {
  readonly version: string
  readonly freshness: string
  readonly resources: ReadonlyArray<JsonObject>
}

interface TenantGroup {
  readonly name: string
  readonly versions: ReadonlyArray<TenantVersion>
}

const reading: ReadonlySet<string> = new Set(["get", "list", "watch"])

const withOwnGroup = (scope: TenantScope, kind: Json | undefined): Json => {
  if (!isJsonObject(kind)) return {}
  const group = kind["group"]
  return typeof group === "string" && group !== "" ? { ...kind, group: scope.names.groupDown(group) ?? group } : kind
}

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "")

const textsOf = (value: Json | undefined): ReadonlyArray<string> =>
  Array.isArray(value) ? value.filter((each) => typeof each === "string") : []

/** One entry in the tenant's names. */
const entryOf = (scope: TenantScope, served: ServedResource): JsonObject => {
  const { entry } = served
  const isPlatforms = isReadOnly(served)
  const subresources = (Array.isArray(entry["subresources"]) ? entry["subresources"] : []).filter(isJsonObject)
  const shown = subresources.filter(
    (each) => !isPlatforms && subresourceForm(served, textOf(each["subresource"])) !== undefined
  )
  const { subresources: _, ...rest } = entry
  return {
    ...rest,
    responseKind: withOwnGroup(scope, entry["responseKind"]),
    verbs: textsOf(entry["verbs"]).filter((verb) => !isPlatforms || reading.has(verb)),
    ...(shown.length === 0
      ? {}
      : { subresources: shown.map((each) => ({ ...each, responseKind: withOwnGroup(scope, each["responseKind"]) })) })
  }
}

const versionOf = (scope: TenantScope, { freshness, resources, version }: ServedVersion): TenantVersion => ({
  version,
  freshness,
  resources: resources.filter(isServed).map((each) => entryOf(scope, each))
})

const groupOf = (scope: TenantScope, group: ServedGroup): TenantGroup | undefined => {
  const name = scope.names.groupDown(group.name)
  if (name === undefined) return undefined
  const versions = group.versions.map((each) => versionOf(scope, each)).filter(({ resources }) => resources.length > 0)
  return versions.length === 0 ? undefined : { name, versions }
}

const groupsOf = (scope: TenantScope, catalog: Catalog): ReadonlyArray<TenantGroup> =>
  [...catalog.groups].flatMap((group) => groupOf(scope, group) ?? [])

const aggregated = (groups: ReadonlyArray<TenantGroup>, version: string) => ({
  kind: "APIGroupDiscoveryList",
  apiVersion: `apidiscovery.k8s.io/${version}`,
  metadata: {},
  items: groups.map(({ name, versions }) => ({
    metadata: name === "" ? { creationTimestamp: null } : { name, creationTimestamp: null },
    versions
  }))
})

const groupVersion = (group: string, version: string): string => (group === "" ? version : `${group}/${version}`)

const oldGroup = ({ name, versions }: TenantGroup) => {
  const all = versions.map(({ version }) => ({ groupVersion: groupVersion(name, version), version }))
  return { name, versions: all, preferredVersion: all[0] }
}

/** An entry of the old form: subresources stand beside their resource. */
const oldResources = (
  entry: JsonObject,
  about: { readonly group: string; readonly version: string }
): ReadonlyArray<JsonObject> => {
  const { categories, resource, responseKind, scope, shortNames, singularResource, subresources, verbs } = entry
  const namespaced = scope === "Namespaced"
  const kindOf = (kind: Json | undefined): JsonObject => {
    if (!isJsonObject(kind)) return { kind: "" }
    const other = kind["group"] !== about.group || kind["version"] !== about.version
    return other
      ? { group: kind["group"] ?? "", version: kind["version"] ?? "", kind: kind["kind"] ?? "" }
      : { kind: kind["kind"] ?? "" }
  }
  const own: JsonObject = {
    name: resource ?? "",
    singularName: singularResource ?? "",
    namespaced,
    ...kindOf(responseKind),
    verbs: verbs ?? [],
    ...(shortNames === undefined ? {} : { shortNames }),
    ...(categories === undefined ? {} : { categories })
  }
  const parts = (Array.isArray(subresources) ? subresources : []).filter(isJsonObject).map((each) => ({
    name: `${textOf(resource)}/${textOf(each["subresource"])}`,
    singularName: "",
    namespaced,
    ...kindOf(each["responseKind"]),
    verbs: each["verbs"] ?? []
  }))
  return textsOf(verbs).length === 0 ? parts : [own, ...parts]
}

const oldList = (group: TenantGroup, { resources, version }: TenantVersion) => ({
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion: groupVersion(group.name, version),
  resources: resources.flatMap((entry) => oldResources(entry, { group: group.name, version }))
})

/** The version of the aggregated form that a client wants most; undefined when it wants the old one. */
const aggregatedVersion = (accept: string | undefined): string | undefined => {
  for (const { parameters, subtype, type } of accept === undefined ? [] : parseAccept(accept)) {
    if (type !== "*" && subtype !== "*" && subtype !== "json") continue
    if (parameters.get("as") !== "APIGroupDiscoveryList" || parameters.get("g") !== "apidiscovery.k8s.io")
      return undefined
    const version = parameters.get("v")
    if (version === "v2" || version === "v2beta1") return version
  }
  return undefined
}

export class TenantDiscovery {
  private readonly catalog: Catalog

  constructor(catalog: Catalog) {
    this.catalog = catalog
  }

  /** Whether a path is one of discovery. */
  static isDiscovery(segments: ReadonlyArray<string>): boolean {
    return (segments[0] === "api" && segments.length <= 2) || (segments[0] === "apis" && segments.length <= 3)
  }

  /** Answers from what upstream serves now. */
  answer(call: TenantCall, segments: ReadonlyArray<string>): void {
    this.catalog.refresh((failure) => {
      if (call.over) return
      if (failure !== undefined && this.catalog.generation === 0) return call.fail(failure)
      this.send(call, segments)
    })
  }

  private send(call: TenantCall, segments: ReadonlyArray<string>): void {
    const [root, first, second] = segments
    const { scope } = call
    if (first === undefined) {
      const version = aggregatedVersion(call.exchange.header("accept"))
      const groups = groupsOf(scope, this.catalog).filter(({ name }) => (name === "") === (root === "api"))
      if (version !== undefined) return document(call, aggregated(groups, version), version)
      return document(
        call,
        root === "api" ? apiVersions : { kind: "APIGroupList", apiVersion: "v1", groups: groups.map(oldGroup) }
      )
    }
    const served = this.catalog.group(root === "api" ? "" : scope.names.groupUp(first))
    const group = served === undefined ? undefined : groupOf(scope, served)
    if (group === undefined || (root === "apis" && first === "")) return notFound(call)
    if (root === "apis" && second === undefined) {
      return document(call, { kind: "APIGroup", apiVersion: "v1", ...oldGroup(group) })
    }
    const version = group.versions.find((each) => each.version === (root === "api" ? first : second))
    if (version === undefined) return notFound(call)
    document(call, oldList(group, version))
  }
}

const apiVersions = {
  kind: "APIVersions",
  versions: ["v1"],
  serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: "" }]
}

const document = (call: TenantCall, value: unknown, version?: string): void => {
  const type =
    version === undefined
      ? "application/json"
      : `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`
  sendDocument(call, `${JSON.stringify(value)}\n`, type)
}

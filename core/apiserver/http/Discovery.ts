// Which groups, versions, resources and verbs are served, in the old form (a document for each group version) and in the
// aggregated one (one document with an ETag).
// Owns the documents and when they are made anew; refuses to know definitions beyond their registry.
import { createHash } from "node:crypto"
import type { Definition, Definitions, Subresource } from "../Definition.ts"
import { compareGroups, compareVersions } from "./GroupOrder.ts"
import { connectSubresources } from "./Streams.ts"

interface SubresourceEntry {
  readonly name: string
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly verbs: ReadonlyArray<string>
}

/** A document that is ready to be sent. */
export interface Document {
  readonly body: string
  readonly value: unknown
  /** Quoted, as it stands in the field. */
  readonly etag: string
}

export type DiscoveryForm = "v2" | "v2beta1"

const documentOf = (value: unknown): Document => {
  const body = `${JSON.stringify(value)}\n`
  return { body, value, etag: `"${createHash("sha512").update(body).digest("hex").toUpperCase()}"` }
}

const storageHash = (definition: Definition): string | undefined => {
  if (definition.storage === undefined) return undefined
  const { group, version } = definition.storage
  return createHash("sha256")
    .update(`${group}/${version}/${definition.kind}`)
    .digest()
    .subarray(0, 8)
    .toString("base64")
}

const subresourceKind = (definition: Definition, subresource: Subresource): Omit<SubresourceEntry, "name"> => {
  const { group, kind, version } = definition
  if (subresource.type === "scale") {
    return { group: "autoscaling", version: "v1", kind: "Scale", verbs: ["get", "patch", "update"] }
  }
  if (subresource.type === "action") return { ...subresource.kind, verbs: [...subresource.verbs].sort() }
  const verbs = subresource.type === "status" ? ["get", "patch", "update"] : [...subresource.verbs].sort()
  return { group, version, kind, verbs }
}

/** The subresources of a definition, declared or built in, by name. */
export const subresourcesOf = (definition: Definition): ReadonlyArray<SubresourceEntry> => {
  const shown = [...definition.subresources].filter(([, each]) => each.type !== "part" || each.hidden !== true)
  const declared = shown.map(([name, subresource]) => ({
    name,
    ...subresourceKind(definition, subresource)
  }))
  const names = new Set(declared.map(({ name }) => name))
  const connects = connectSubresources(definition)
    .filter(({ name }) => !names.has(name))
    .map(({ kind, name, verbs }) => ({ name, group: definition.group, version: definition.version, kind, verbs }))
  return [...declared, ...connects].sort((a, b) => (a.name < b.name ? -1 : 1))
}

const groupVersionText = (group: string, version: string): string => (group === "" ? version : `${group}/${version}`)

export class Discovery {
  private readonly definitions: Definitions
  private documents = new Map<string, Document | undefined>()

  constructor(definitions: Definitions) {
    this.definitions = definitions
    definitions.onChange(() => this.documents.clear())
  }

  private cached(key: string, make: () => unknown): Document | undefined {
    const known = this.documents.get(key)
    if (known !== undefined) return known
    const value = make()
    const document = value === undefined ? undefined : documentOf(value)
    if (document !== undefined) this.documents.set(key, document)
    return document
  }

  /** All group versions in the order in which they are told. */
  groups(): ReadonlyMap<string, ReadonlyArray<string>> {
    const versions = new Map<string, Set<string>>()
    for (const { group, version } of this.definitions.all()) {
      versions.set(group, (versions.get(group) ?? new Set()).add(version))
    }
    const ordered = [...versions].sort(([a], [b]) => compareGroups(a, b))
    return new Map(ordered.map(([group, of]) => [group, [...of].sort(compareVersions)]))
  }

  private of(group: string, version: string): ReadonlyArray<Definition> {
    return this.definitions
      .all()
      .filter((definition) => definition.group === group && definition.version === version)
      .sort((a, b) => (a.resource < b.resource ? -1 : a.resource > b.resource ? 1 : 0))
  }

  /** `/api`; the address is the one that clients reach the server under. */
  apiVersions(serverAddress: string): unknown {
    return {
      kind: "APIVersions",
      versions: [...(this.groups().get("") ?? [])],
      serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress }]
    }
  }

  private groupValue(group: string, versions: ReadonlyArray<string>): Record<string, unknown> {
    const all = versions.map((version) => ({ groupVersion: groupVersionText(group, version), version }))
    return { name: group, versions: all, preferredVersion: all[0] }
  }

  /** `/apis`. */
  groupList(): Document | undefined {
    return this.cached("apis", () => ({
      kind: "APIGroupList",
      apiVersion: "v1",
      groups: [...this.groups()].filter(([group]) => group !== "").map(([group, of]) => this.groupValue(group, of))
    }))
  }

  /** `/apis/<group>`. */
  group(group: string): Document | undefined {
    return this.cached(`group ${group}`, () => {
      const versions = group === "" ? undefined : this.groups().get(group)
      return versions === undefined
        ? undefined
        : { kind: "APIGroup", apiVersion: "v1", ...this.groupValue(group, versions) }
    })
  }

  /** `/api/v1` and `/apis/<group>/<version>`. */
  resources(group: string, version: string): Document | undefined {
    return this.cached(`resources ${group}/${version}`, () => {
      const definitions = this.of(group, version)
      if (definitions.length === 0) return undefined
      return {
        kind: "APIResourceList",
        ...(group === "" ? {} : { apiVersion: "v1" }),
        groupVersion: groupVersionText(group, version),
        resources: definitions.flatMap(legacyEntries)
      }
    })
  }

  /** `/api` and `/apis` for clients that ask for the aggregated form. */
  aggregated(core: boolean, form: DiscoveryForm): Document | undefined {
    return this.cached(`aggregated ${core} ${form}`, () => ({
      kind: "APIGroupDiscoveryList",
      apiVersion: `apidiscovery.k8s.io/${form}`,
      metadata: {},
      items: [...this.groups()]
        .filter(([group]) => (group === "") === core)
        .map(([group, versions]) => ({
          metadata: group === "" ? {} : { name: group },
          versions: versions.map((version) => ({
            version,
            resources: this.of(group, version).map(aggregatedEntry),
            freshness: "Current"
          }))
        }))
    }))
  }
}

/** Of custom resources in the order in which their server names them, of all others sorted. */
const verbsOf = ({ custom, verbs }: Definition): ReadonlyArray<string> => (custom === true ? verbs : [...verbs].sort())

const legacyEntries = (definition: Definition): ReadonlyArray<unknown> => {
  const { categories, group, kind, namespaced, resource, shortNames, singular, version } = definition
  const hash = storageHash(definition)
  return [
    {
      name: resource,
      singularName: singular,
      namespaced,
      kind,
      verbs: verbsOf(definition),
      ...(shortNames.length === 0 ? {} : { shortNames }),
      ...(categories.length === 0 ? {} : { categories }),
      ...(hash === undefined ? {} : { storageVersionHash: hash })
    },
    ...subresourcesOf(definition).map((each) => ({
      name: `${resource}/${each.name}`,
      singularName: "",
      namespaced,
      ...(each.group === group && each.version === version ? {} : { group: each.group, version: each.version }),
      kind: each.kind,
      verbs: each.verbs
    }))
  ]
}

const aggregatedEntry = (definition: Definition): unknown => {
  const { categories, group, kind, namespaced, resource, shortNames, singular, version } = definition
  const subresources = subresourcesOf(definition)
  return {
    resource,
    responseKind: { group: "", version: "", kind },
    scope: namespaced ? "Namespaced" : "Cluster",
    singularResource: singular,
    verbs: verbsOf(definition),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(subresources.length === 0
      ? {}
      : {
          subresources: subresources.map((each) => ({
            subresource: each.name,
            responseKind:
              each.group === group && each.version === version
                ? { group: "", version: "", kind: each.kind }
                : { group: each.group, version: each.version, kind: each.kind },
            verbs: each.verbs
          }))
        })
  }
}

// What the cluster behind us serves, by its aggregated discovery: the one list of kinds that routing and every tenant's discovery
// are made from.
// Owns asking for it, with ETags, and finding a kind in it; refuses to decide what a tenant may see of it.
import { ApiFailure, isJsonObject, type Json, type JsonObject } from "#kube"
import type { HttpFields } from "#net"
import { ask, fieldOf, jsonOf, type Upstream, type WholeAnswer } from "../upstream/Upstream.ts"

/** A kind that upstream serves, in upstream's names. */
export interface ServedResource {
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly kind: string
  readonly namespaced: boolean
  readonly verbs: ReadonlySet<string>
  /** What can be done with each subresource. */
  readonly subresources: ReadonlyMap<string, ReadonlySet<string>>
  /** The entry of apidiscovery.k8s.io/v2. */
  readonly entry: JsonObject
}

export interface ServedVersion {
  readonly version: string
  readonly freshness: string
  readonly resources: ReadonlyArray<ServedResource>
}

export interface ServedGroup {
  readonly name: string
  readonly versions: ReadonlyArray<ServedVersion>
}

const AGGREGATED: HttpFields = [["accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"]]

/** Callers that wait for one answer. */
const WAITING_MAX = 10_000

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "")

const objectsOf = (value: Json | undefined): ReadonlyArray<JsonObject> =>
  Array.isArray(value) ? value.filter(isJsonObject) : []

const textsOf = (value: Json | undefined): ReadonlyArray<string> =>
  Array.isArray(value) ? value.filter((each) => typeof each === "string") : []

const resourceOf = (group: string, version: string, entry: JsonObject): ServedResource => {
  const { responseKind } = entry
  const subresources = objectsOf(entry["subresources"]).map(
    (each) => [textOf(each["subresource"]), new Set(textsOf(each["verbs"]))] as const
  )
  return {
    group,
    version,
    resource: textOf(entry["resource"]),
    kind: isJsonObject(responseKind) ? textOf(responseKind["kind"]) : "",
    namespaced: entry["scope"] === "Namespaced",
    verbs: new Set(textsOf(entry["verbs"])),
    subresources: new Map(subresources),
    entry
  }
}

const groupOf = (item: JsonObject): ServedGroup => {
  const { metadata } = item
  const name = isJsonObject(metadata) ? textOf(metadata["name"]) : ""
  const versions = objectsOf(item["versions"]).map((version) => ({
    version: textOf(version["version"]),
    freshness: textOf(version["freshness"]),
    resources: objectsOf(version["resources"]).map((entry) => resourceOf(name, textOf(version["version"]), entry))
  }))
  return { name, versions }
}

/** One of the two documents that together tell everything. */
class Page {
  groups: ReadonlyArray<ServedGroup> = []
  etag = ""
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  /** Whether the answer changed anything, or why it says nothing. */
  take(answer: WholeAnswer | ApiFailure): boolean | ApiFailure {
    if (!(answer instanceof ApiFailure) && answer.code === 304) return false
    const value = jsonOf(answer)
    if (value instanceof ApiFailure) return value
    // SAFETY: parsed a moment ago; every access below looks at what it finds.
    this.groups = objectsOf((value as JsonObject)["items"]).map(groupOf)
    this.etag = answer instanceof ApiFailure ? "" : (fieldOf(answer.fields, "etag") ?? "")
    return true
  }
}

const keyOf = (group: string, version: string, resource: string): string => `${group}/${version}/${resource}`

export class Catalog {
  private readonly upstream: Upstream
  private readonly pages = [new Page("/api"), new Page("/apis")]
  private byKey = new Map<string, ServedResource>()
  private byGroup = new Map<string, ServedGroup>()
  private waiting: Array<(failure: ApiFailure | undefined) => void> | undefined
  /** Grows with every change. */
  generation = 0

  constructor(upstream: Upstream) {
    this.upstream = upstream
  }

  /** In upstream's order. */
  get groups(): IterableIterator<ServedGroup> {
    return this.byGroup.values()
  }

  group(name: string): ServedGroup | undefined {
    return this.byGroup.get(name)
  }

  find(group: string, version: string, resource: string): ServedResource | undefined {
    return this.byKey.get(keyOf(group, version, resource))
  }

  /** A kind of a group by its kind or its plural, whichever version has it. */
  custom(group: string, kindOrPlural: string): ServedResource | undefined {
    for (const { resources } of this.byGroup.get(group)?.versions ?? []) {
      for (const each of resources) if (each.kind === kindOrPlural || each.resource === kindOrPlural) return each
    }
    return undefined
  }

  /** Asks upstream anew, for all who wait at once; what was known stays when it cannot be asked. */
  refresh(done: (failure: ApiFailure | undefined) => void): void {
    if (this.waiting !== undefined) {
      // Who comes while an answer is under way might get one from before its own write: it waits for the next.
      if (this.next.length < WAITING_MAX) this.next.push(done)
      else done(undefined)
      return
    }
    this.waiting = [done]
    let open = this.pages.length
    let changed = false
    let failure: ApiFailure | undefined
    for (const page of this.pages) {
      const known: HttpFields = page.etag === "" ? AGGREGATED : [...AGGREGATED, ["if-none-match", page.etag]]
      ask(this.upstream, { method: "GET", path: page.path, fields: known }, undefined, (answer) => {
        const taken = page.take(answer)
        if (taken instanceof ApiFailure) failure = taken
        else changed ||= taken
        if (--open === 0) this.settle(changed, failure)
      })
    }
  }

  private next: Array<(failure: ApiFailure | undefined) => void> = []

  private settle(changed: boolean, failure: ApiFailure | undefined): void {
    if (changed) this.index()
    const waiting = this.waiting ?? []
    this.waiting = undefined
    const next = this.next
    this.next = []
    for (const done of waiting) done(failure)
    for (const done of next) this.refresh(done)
  }

  private index(): void {
    this.generation++
    this.byKey = new Map()
    this.byGroup = new Map()
    for (const { groups } of this.pages) {
      for (const group of groups) {
        this.byGroup.set(group.name, group)
        for (const { resources, version } of group.versions) {
          for (const each of resources) this.byKey.set(keyOf(group.name, version, each.resource), each)
        }
      }
    }
  }
}

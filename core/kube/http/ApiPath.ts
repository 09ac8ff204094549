// The lines of requests: which path and query stand for a call of the Client.
// Owns these texts; refuses to send them.
import type {
  Collection,
  DeleteOptions,
  GetOptions,
  ListOptions,
  Patch,
  PatchOptions,
  Selection,
  Target,
  WatchOptions,
  WriteOptions
} from "../Client.ts"
import type { JsonObject } from "../Json.ts"
import { apiVersionOf } from "../Resource.ts"

const collectionPath = ({ namespace, resource }: Collection): string => {
  const base = resource.group === "" ? `/api/${resource.version}` : `/apis/${apiVersionOf(resource)}`
  return namespace === ""
    ? `${base}/${resource.resource}`
    : `${base}/namespaces/${encodeURIComponent(namespace)}/${resource.resource}`
}

const isTarget = (target: Collection | Target): target is Target => "name" in target

/** The path of a collection, an object or a subresource, below the server's address. */
export const pathOf = (target: Collection | Target): string => {
  const path = collectionPath(target)
  if (!isTarget(target)) return path
  const { name, subresource } = target
  return `${path}/${encodeURIComponent(name)}${subresource === undefined ? "" : `/${subresource}`}`
}

type Pairs = ReadonlyArray<readonly [string, string | number | boolean | undefined]>

const queryOf = (pairs: Pairs): string => {
  let query = ""
  for (const [name, value] of pairs) {
    if (value === undefined || value === "" || value === false) continue
    query += `${query === "" ? "?" : "&"}${name}=${encodeURIComponent(value)}`
  }
  return query
}

const selectionPairs = ({ fieldSelector, labelSelector }: Selection): Pairs => [
  ["labelSelector", labelSelector],
  ["fieldSelector", fieldSelector]
]

const writePairs = ({ dryRun, fieldManager, fieldValidation }: WriteOptions): Pairs => [
  ["dryRun", dryRun === true ? "All" : undefined],
  ["fieldManager", fieldManager],
  ["fieldValidation", fieldValidation]
]

/** Each answers what follows the path, with its question mark. */
export const Queries = {
  get: ({ resourceVersion }: GetOptions): string => queryOf([["resourceVersion", resourceVersion]]),
  list: (options: ListOptions): string =>
    queryOf([
      ...selectionPairs(options),
      ["resourceVersion", options.resourceVersion],
      ["resourceVersionMatch", options.resourceVersionMatch],
      ["limit", options.limit === 0 ? undefined : options.limit],
      ["continue", options.continue]
    ]),
  watch: (options: WatchOptions): string =>
    queryOf([
      ["watch", 1],
      ...selectionPairs(options),
      ["resourceVersion", options.resourceVersion],
      ["allowWatchBookmarks", options.allowWatchBookmarks],
      ["sendInitialEvents", options.sendInitialEvents],
      // Servers insist on it beside sendInitialEvents.
      ["resourceVersionMatch", options.sendInitialEvents === undefined ? undefined : "NotOlderThan"],
      ["timeoutSeconds", options.timeoutSeconds]
    ]),
  write: (options: WriteOptions): string => queryOf(writePairs(options)),
  patch: (options: PatchOptions): string => queryOf([...writePairs(options), ["force", options.force]]),
  delete: (selection: ListOptions): string => Queries.list(selection)
} as const

/** The body of a delete: meta/v1 DeleteOptions. */
export const deleteBody = (options: DeleteOptions): JsonObject => ({
  kind: "DeleteOptions",
  apiVersion: "v1",
  ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
  ...(options.propagationPolicy === undefined ? {} : { propagationPolicy: options.propagationPolicy }),
  ...(options.preconditions === undefined ? {} : { preconditions: { ...options.preconditions } }),
  ...(options.dryRun === true ? { dryRun: ["All"] } : {})
})

/** The content type of a patch's body, which is JSON each time (YAML is a superset of it). */
export const patchTypes: Readonly<Record<Patch["type"], string>> = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml"
}

// What a watch asks for in its parameters, as far as a shared watch must know: where it begins, and which objects by their names.
// Owns reading them; refuses what upstream would refuse or read otherwise, which then goes to upstream as it was asked.
import { Failures, type ApiFailure, FieldSelector, parseFieldSelector, SelectorInvalid } from "#kube"
import type { Query } from "#apiserver"
import type { Selectors } from "../serve/UpstreamHead.ts"
import type { SourceEvent } from "./WatchSource.ts"

/** Where a watch begins. */
export interface WatchStart {
  /** A decimal number without leading zeros; empty: now. */
  readonly version: string
  /** Whether the state comes first, told as additions. */
  readonly state: boolean
  /** Whether a bookmark tells where the state ends. */
  readonly streams: boolean
  readonly bookmarks: boolean
}

/** As Kubernetes reads a boolean of a query. */
const isTrue = (text: string): boolean => text !== "" && text !== "0" && text.toLowerCase() !== "false"

const invalid = (field: string, why: string): ApiFailure => Failures.badRequest(`${field}: ${why}`)

/** Reads where a watch begins; a failure for what upstream has to judge. */
export const watchStart = (query: Query): WatchStart | ApiFailure => {
  const version = query.get("resourceVersion")
  if (!/^\d{0,20}$/.test(version)) return invalid("resourceVersion", `Invalid value: ${JSON.stringify(version)}`)
  if (!/^\d{0,15}$/.test(query.get("timeoutSeconds"))) return invalid("timeoutSeconds", "must be a number of seconds")
  if (query.get("continue") !== "") return invalid("continue", "a watch has no pages")
  const match = query.get("resourceVersionMatch")
  const bookmarks = isTrue(query.get("allowWatchBookmarks"))
  const plain = version.replace(/^0+(?=\d)/, "")
  const fromNow = plain === "" || plain === "0"
  if (!query.has("sendInitialEvents")) {
    if (match !== "")
      return invalid("resourceVersionMatch", "is forbidden for watch unless sendInitialEvents is provided")
    return { version: plain, state: fromNow, streams: false, bookmarks }
  }
  if (match !== "NotOlderThan") {
    return invalid("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
  }
  const streams = isTrue(query.get("sendInitialEvents"))
  if (streams && !bookmarks) return invalid("sendInitialEvents", "requires allowWatchBookmarks")
  if (!streams && fromNow) return invalid("sendInitialEvents", "without it a watch must say where it begins")
  return { version: plain, state: streams, streams, bookmarks }
}

/** A field selector's part that names decide, which never change, and the rest, which upstream must judge. */
export interface SplitFields {
  readonly passes: ((event: SourceEvent) => boolean) | undefined
  readonly rest: string
}

export const splitFields = (selector: Selectors["field"], namespaced: boolean): SplitFields => {
  const parsed = selector === "" ? undefined : parseFieldSelector(selector)
  if (parsed === undefined || parsed instanceof SelectorInvalid) return { passes: undefined, rest: selector }
  const isName = (field: string): boolean => field === "metadata.name" || (namespaced && field === "metadata.namespace")
  const names = new FieldSelector(parsed.requirements.filter(({ field }) => isName(field)))
  if (names.empty) return { passes: undefined, rest: selector }
  const rest = new FieldSelector(parsed.requirements.filter(({ field }) => !isName(field)))
  return {
    passes: ({ name, namespace }) => names.matches((field) => (field === "metadata.name" ? name : namespace)),
    rest: rest.toString()
  }
}

// What a namespace holds after a script was played, without all that must differ from run to run: names made up, uids, times, versions.
// Owns that reduction for comparing two control planes; refuses to compare.
import { Effect } from "effect"
import { type EffectClient, gvr, type GroupVersionResource, type KubeObject } from "#kube"

const UID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g
/** What servers append to generateName. */
const SUFFIX = /-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g
/** The minute in the name of a CronJob's job. */
const MINUTE = /-\d{8}\b/g

const text = (value: string, namespace: string): string =>
  value
    .replaceAll(namespace, "<ns>")
    .replace(UID, "<uid>")
    .replace(TIME, "<time>")
    .replace(MINUTE, "-<minute>")
    .replace(SUFFIX, "-*")

const METADATA = new Set(["creationTimestamp", "managedFields", "resourceVersion", "uid", "selfLink"])

/** A value without what differs from run to run; `key` is the field that it is. */
export const reduced = (value: unknown, namespace: string, key = ""): unknown => {
  if (typeof value === "string") return text(value, namespace)
  if (Array.isArray(value)) return value.map((one) => reduced(one, namespace))
  if (typeof value !== "object" || value === null) return value
  const entries = Object.entries(value)
    .filter(([name]) => !(key === "metadata" && METADATA.has(name)) && name !== "resourceVersion")
    .map(([name, part]) => [name, reduced(part, namespace, name)] as const)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

const byText = <A>(items: ReadonlyArray<A>): ReadonlyArray<A> =>
  items.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))

interface Event {
  readonly involvedObject: { readonly kind: string; readonly name: string }
  readonly type: string
  readonly reason: string
  readonly message: string
  readonly source: { readonly component: string }
  readonly count?: number
}

export interface SnapshotOptions {
  /** Whether the number of a kind of event is the same in every run. */
  readonly counted: (reason: string) => boolean
  /** Whether an event's line is there by chance only. */
  readonly isChance: (line: string) => boolean
}

/** Events as lines, with how often each was told; the same line of several objects is one line of their sum. */
const eventLines = (
  events: ReadonlyArray<KubeObject>,
  namespace: string,
  { counted, isChance }: SnapshotOptions
): ReadonlyArray<string> => {
  const counts = new Map<string, number>()
  for (const one of events) {
    const { count = 1, involvedObject, message, reason, source, type } = one as unknown as Event
    const about = text(`${involvedObject.kind}/${involvedObject.name}`, namespace)
    const line = `${source.component} ${about} ${type} ${reason}: ${text(message, namespace)}`
    counts.set(line, (counts.get(line) ?? 0) + (counted(reason) ? count : 0))
  }
  return Array.from(counts, ([line, count]) => `${line}${count === 0 ? "" : ` x${count}`}`)
    .filter((line) => !isChance(line))
    .sort()
}

const events = gvr("", "v1", "events")

/** Everything of these resources in a namespace, reduced, and the events. */
export const snapshot = Effect.fnUntraced(function* (
  client: EffectClient,
  namespace: string,
  resources: ReadonlyArray<GroupVersionResource>,
  options: SnapshotOptions
) {
  const found: Record<string, unknown> = {}
  for (const resource of resources) {
    const { items } = yield* client.list({ resource, namespace })
    found[resource.resource] = byText(
      items.map(({ apiVersion: _version, kind: _kind, ...rest }) => reduced(rest, namespace))
    )
  }
  const { items } = yield* client.list({ resource: events, namespace })
  found["events"] = eventLines(items, namespace, options)
  return found
})

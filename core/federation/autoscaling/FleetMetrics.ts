// Metrics of the fleet as one cluster: of pods those of all members, of one object what its copies come to, of things outside what the host
// serves or members report.
// Owns how answers become one; refuses to measure. What a member last reported of a thing outside counts on while the member does not
// answer: a sum without it would scale down on doubt. Bound: SERIES_MAX reports are remembered; the metric asked for longest ago goes.
import { Effect } from "effect"
import { fieldsOf, textOf } from "#apiserver"
import {
  ApiFailure,
  type Client,
  type Collection,
  effectClient,
  Failures,
  groupResource,
  type KubeList,
  type KubeObject,
  type ListOptions,
  milliQuantity,
  Quantity,
  quantityOf
} from "#kube"
import { isNotFound } from "../HostCalls.ts"
import { fleetName } from "./FleetPods.ts"

export interface FleetMetricsOptions {
  readonly host: Client
  readonly clusters: () => ReadonlyArray<string>
  readonly client: (cluster: string) => Client | undefined
  /** Members asked for metrics at once. Default 16. */
  readonly concurrency?: number
  /** How long a member may take to answer for its metrics. Default 5,000. */
  readonly timeoutMs?: number
}

const CONCURRENCY = 16
const TIMEOUT_MS = 5000
const SERIES_MAX = 10_000

const CUSTOM = "custom.metrics.k8s.io"
const EXTERNAL = "external.metrics.k8s.io"
const GROUPS: ReadonlySet<string> = new Set(["metrics.k8s.io", CUSTOM, EXTERNAL])

/** Whether a collection is one of metrics. */
export const isMetrics = ({ resource }: Collection): boolean => GROUPS.has(resource.group)

/** Of one object by its name ("services/web/requests"), not of pods by their selector. */
const isOfOneObject = ({ resource }: Collection): boolean =>
  resource.group === CUSTOM && resource.resource.split("/")[1] !== "*"

type Answers = ReadonlyMap<string, ReadonlyArray<KubeObject> | ApiFailure>

const listOf = (items: ReadonlyArray<KubeObject>): KubeList => ({
  apiVersion: "v1",
  kind: "List",
  metadata: { resourceVersion: "" },
  items
})

/** A member's metric under its fleet name: of the pod that it measures, or that it describes. */
const renamed = (cluster: string, item: KubeObject): KubeObject => {
  const described = fieldsOf(item["describedObject"])
  const name = textOf(described["name"])
  if (name !== "") return { ...item, describedObject: { ...described, name: fleetName(cluster, name) } }
  return { ...item, metadata: { ...item.metadata, name: fleetName(cluster, item.metadata.name ?? "") } }
}

const milliOf = ({ value }: KubeObject): number => {
  const quantity = typeof value === "string" || typeof value === "number" ? quantityOf(value) : milliQuantity(0)
  return quantity instanceof Quantity ? Number(quantity.milliValue()) : 0
}

/** One object's metric over the clusters that it is in: their average, as KubeAdmiral has it, in thousandths. */
const averaged = (items: ReadonlyArray<KubeObject>): ReadonlyArray<KubeObject> => {
  const [first] = items
  if (first === undefined || items.length === 1) return items
  const sum = items.reduce((all, item) => all + milliOf(item), 0)
  return [{ ...first, value: milliQuantity(Math.round(sum / items.length)).toString() }]
}

/** What a report is about: the metric and its labels, whoever reports it. */
const seriesOf = (item: KubeObject): string => {
  const labels = fieldsOf(item["metricLabels"])
  const pairs = Object.keys(labels)
    .sort()
    .map((name) => `${name}=${textOf(labels[name])}`)
  return `${textOf(item["metricName"])}{${pairs.join(",")}}`
}

/** Each thing outside once, by its newest report: it does not become more by being seen from many clusters. */
const newest = (reports: ReadonlyArray<KubeObject>): ReadonlyArray<KubeObject> => {
  const found = new Map<string, KubeObject>()
  for (const item of reports) {
    const series = seriesOf(item)
    const known = found.get(series)
    if (known === undefined || textOf(item["timestamp"]) > textOf(known["timestamp"])) found.set(series, item)
  }
  return [...found.values()]
}

/** Asks the host and members for metrics. */
export class FleetMetrics {
  readonly #options: FleetMetricsOptions
  /** What each cluster last reported of things outside, by what was asked. */
  readonly #reported = new Map<string, Map<string, ReadonlyArray<KubeObject>>>()
  #series = 0

  constructor(options: FleetMetricsOptions) {
    this.#options = options
  }

  /** One list of the fleet. One member that fails is missing in it; all failing is the first one's failure. */
  list = (collection: Collection, options: ListOptions): Effect.Effect<KubeList, ApiFailure> =>
    Effect.gen({ self: this }, function* () {
      const isExternal = collection.resource.group === EXTERNAL
      if (!isExternal && !isOfOneObject(collection)) {
        const answers = yield* this.#ask(collection, options)
        return listOf((yield* heard(answers)).flatMap(([cluster, items]) => items.map((one) => renamed(cluster, one))))
      }
      const own = yield* this.#ofHost(collection, options)
      if (own !== undefined) return own
      const answers = yield* this.#ask(collection, options)
      if (isExternal) return listOf(newest(yield* this.#remembering(collection, options, answers)))
      return listOf(averaged((yield* heard(answers)).flatMap(([, items]) => items)))
    })

  /** What the host itself serves is the truth of the whole fleet; undefined: it serves no such metrics. */
  #ofHost(collection: Collection, options: ListOptions): Effect.Effect<KubeList | undefined, ApiFailure> {
    return effectClient(this.#options.host)
      .list(collection, options)
      .pipe(Effect.catch((failure) => (isNotFound(failure) ? Effect.succeed(undefined) : Effect.fail(failure))))
  }

  #ask(collection: Collection, options: ListOptions): Effect.Effect<Answers> {
    const { client, clusters, concurrency = CONCURRENCY, timeoutMs = TIMEOUT_MS } = this.#options
    const asked = clusters().map((cluster) => {
      const member = client(cluster)
      const answer: Effect.Effect<ReadonlyArray<KubeObject> | ApiFailure> =
        member === undefined
          ? Effect.succeed(Failures.unavailable(`cluster ${cluster} cannot be reached`))
          : effectClient(member)
              .list(collection, options)
              .pipe(
                Effect.timeoutOrElse({
                  duration: timeoutMs,
                  orElse: () =>
                    Effect.fail(Failures.generic(504, "Timeout", `cluster ${cluster} did not answer in time`))
                }),
                Effect.map(({ items }) => items),
                Effect.catch((failure) => Effect.succeed(failure))
              )
      return Effect.map(answer, (items) => [cluster, items] as const)
    })
    return Effect.map(Effect.all(asked, { concurrency }), (pairs) => new Map(pairs))
  }

  /** All reports: those of now, and of members that do not answer their last ones. */
  #remembering(
    collection: Collection,
    options: ListOptions,
    answers: Answers
  ): Effect.Effect<ReadonlyArray<KubeObject>, ApiFailure> {
    const key = `${groupResource(collection.resource)}|${collection.namespace}|${options.labelSelector ?? ""}`
    const known = this.#reported.get(key) ?? new Map<string, ReadonlyArray<KubeObject>>()
    const now = new Map<string, ReadonlyArray<KubeObject>>()
    for (const [cluster, answer] of answers) {
      // A member without such metrics has said so; one that fails has said nothing.
      const items = !(answer instanceof ApiFailure) ? answer : isNotFound(answer) ? [] : known.get(cluster)
      if (items !== undefined && items.length > 0) now.set(cluster, items)
    }
    this.#keep(key, now)
    const items = [...now.values()].flat()
    return items.length === 0 ? Effect.flatMap(heard(answers), () => Effect.succeed(items)) : Effect.succeed(items)
  }

  #keep(key: string, reports: Map<string, ReadonlyArray<KubeObject>>): void {
    const count = (of: Map<string, ReadonlyArray<KubeObject>> | undefined): number =>
      [...(of?.values() ?? [])].reduce((sum, items) => sum + items.length, 0)
    this.#series += count(reports) - count(this.#reported.get(key))
    this.#reported.delete(key)
    this.#reported.set(key, reports)
    for (const [oldest, forgotten] of this.#reported) {
      if (this.#series <= SERIES_MAX || oldest === key) return
      this.#series -= count(forgotten)
      this.#reported.delete(oldest)
    }
  }
}

/** The answers that are none of failure; when all fail, the first failure. */
const heard = (
  answers: Answers
): Effect.Effect<ReadonlyArray<readonly [cluster: string, items: ReadonlyArray<KubeObject>]>, ApiFailure> => {
  let failure: ApiFailure | undefined
  const found: Array<readonly [string, ReadonlyArray<KubeObject>]> = []
  for (const [cluster, answer] of answers) {
    if (answer instanceof ApiFailure) failure ??= answer
    else found.push([cluster, answer])
  }
  return found.length === 0 && failure !== undefined ? Effect.fail(failure) : Effect.succeed(found)
}

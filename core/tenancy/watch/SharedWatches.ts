// The shared watches of this server, by what they ask: as many as there are different questions, however many tenants ask them.
// Owns finding and ending them, and whose an event's object is; refuses to serve anybody.
import { ApiFailure, type Cancel, type Clockwork, Failures } from "#kube"
import type { ServedResource } from "../discovery/Catalog.ts"
import { clusterNaming } from "../names/ClusterNames.ts"
import { prefixIn } from "../names/TenantId.ts"
import type { Upstream } from "../upstream/Upstream.ts"
import { resourceName } from "../walls/Routes.ts"
import { type OwnerOf, SharedWatch, type Subscriber } from "./SharedWatch.ts"
import type { WatchQuestion } from "./WatchSource.ts"

/** Different questions that are watched at the same time: kinds, times the selectors and forms in which clients want them. */
const QUESTIONS_MAX = 4096

/** Whose objects of a kind are, from their names alone; what names do not tell is offered to all, and the rewriting decides. */
export const ownerOfEvents = ({ group, namespaced, resource }: ServedResource): OwnerOf => {
  if (namespaced) return ({ namespace }) => prefixIn(namespace)
  switch (clusterNaming(resourceName(resource, group))) {
    case "namespace":
    case "prefixed":
      return ({ name }) => prefixIn(name)
    case "definition":
      return ({ name }) => prefixIn(name.slice(name.indexOf(".") + 1)) ?? ""
    case "withheld":
      return () => undefined
    default:
      return () => ""
  }
}

export interface SharedWatchesOptions {
  readonly upstream: Upstream
  readonly clockwork: Clockwork
  /** Events that each keeps of its recent past; default 10,000. */
  readonly pastMax?: number
}

const keyOf = ({ accept, parameters, path }: WatchQuestion): string => [path, accept, ...parameters].join("\n")

export class SharedWatches {
  private readonly options: SharedWatchesOptions
  private readonly watches = new Map<string, SharedWatch>()
  private readonly room = { bytes: 0 }

  constructor(options: SharedWatchesOptions) {
    this.options = options
  }

  /** Upstream watches that are held. */
  get size(): number {
    let size = 0
    for (const watch of this.watches.values()) size += watch.upstreamWatches
    return size
  }

  /** A failure when there is no room for another question, and this is one. */
  refusal(question: WatchQuestion): ApiFailure | undefined {
    return this.watches.size < QUESTIONS_MAX || this.watches.has(keyOf(question))
      ? undefined
      : Failures.tooManyRequests("too many different watches are open", 5)
  }

  subscribe(question: WatchQuestion, kind: ServedResource, subscriber: Subscriber): Cancel | ApiFailure {
    const refusal = this.refusal(question)
    if (refusal !== undefined) return refusal
    const key = keyOf(question)
    let watch = this.watches.get(key)
    if (watch === undefined) {
      watch = new SharedWatch({
        ...this.options,
        room: this.room,
        question,
        ownerOf: ownerOfEvents(kind),
        idle: () => this.drop(key)
      })
      this.watches.set(key, watch)
    }
    return watch.subscribe(subscriber)
  }

  private drop(key: string): void {
    this.watches.get(key)?.stop()
    this.watches.delete(key)
  }

  stop(): void {
    for (const watch of this.watches.values()) watch.stop()
    this.watches.clear()
  }
}

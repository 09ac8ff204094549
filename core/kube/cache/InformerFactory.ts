// One informer for each collection that anybody in a process follows, however many ask for it.
// Owns their sharing, starting and stopping; refuses to know what they are for.
import type { Client, Selection } from "../Client.ts"
import type { Clockwork } from "../Clockwork.ts"
import { type GroupVersionResource, groupResource } from "../Resource.ts"
import type { ApiFailure } from "../Status.ts"
import { Informer } from "./Informer.ts"

export interface InformerFactoryOptions {
  readonly clockwork: Clockwork
  readonly client: Client
  /** Informers follow this namespace only; all when absent. */
  readonly namespace?: string
  readonly streaming?: boolean
  readonly onFailure?: (failure: ApiFailure) => void
}

export interface InformerRequest extends Selection {
  /** Other than the factory's. */
  readonly namespace?: string
}

export class InformerFactory {
  readonly #options: InformerFactoryOptions
  readonly #informers = new Map<string, Informer>()
  #started = false

  constructor(options: InformerFactoryOptions) {
    this.#options = options
  }

  /** The shared informer of a collection; a factory that runs starts it. */
  informer(resource: GroupVersionResource, request: InformerRequest = {}): Informer {
    const { client, clockwork, onFailure, streaming } = this.#options
    const { fieldSelector, labelSelector } = request
    const namespace = request.namespace ?? this.#options.namespace ?? ""
    const key = [groupResource(resource), resource.version, namespace, labelSelector ?? "", fieldSelector ?? ""].join(
      "\n"
    )
    const known = this.#informers.get(key)
    if (known !== undefined) return known
    const informer = new Informer({
      clockwork,
      client,
      collection: { resource, namespace },
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
      ...(streaming === undefined ? {} : { streaming }),
      ...(onFailure === undefined ? {} : { onFailure })
    })
    this.#informers.set(key, informer)
    if (this.#started) informer.start()
    return informer
  }

  get hasSynced(): boolean {
    for (const informer of this.#informers.values()) if (!informer.hasSynced) return false
    return true
  }

  /** Calls back once, in a turn of its own, when all informers that exist now have synced. */
  onSynced(run: () => void): void {
    onAllSynced([...this.#informers.values()], this.#options.clockwork, run)
  }

  start(): void {
    this.#started = true
    for (const informer of this.#informers.values()) informer.start()
  }

  stop(): void {
    this.#started = false
    for (const informer of this.#informers.values()) informer.stop()
  }
}

/** Calls back once, in a turn of its own, when all of some informers have synced. */
export const onAllSynced = (informers: ReadonlyArray<Informer>, clockwork: Clockwork, run: () => void): void => {
  let missing = informers.length
  if (missing === 0) clockwork.defer(run)
  for (const informer of informers) {
    informer.onSynced(() => {
      missing--
      if (missing === 0) run()
    })
  }
}

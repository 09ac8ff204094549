// A Client that is watched over: every list, watch and acknowledged write that goes through it is held against the store's record.
// Owns what is checked of each call; refuses to change any of it. Objects whose events the record does not keep are passed over.
import {
  ApiFailure,
  type Client,
  type Collection,
  groupResource,
  type KubeList,
  type KubeObject,
  type WatchListener
} from "#kube"
import type { EventRecord } from "../history/EventRecord.ts"
import type { SimProcess } from "../time/SimProcess.ts"
import { ApiWatchChecker, stateProblem, storeKey } from "./ApiWatchChecker.ts"
import type { Violations } from "./Violations.ts"

export interface ClientChecks {
  readonly record: EventRecord
  readonly violations: Violations
  /** Where the objects of a collection's resource are in the store; undefined for what is not stored. */
  readonly prefixOf: (collection: Collection) => string | undefined
}

/** Lists under way in pages that are remembered; older ones are not judged as a whole. */
const PAGED_MAX = 1000

export class CheckedClients {
  readonly stats = { lists: 0, watches: 0, writes: 0 }
  private readonly checks: ClientChecks
  private readonly open = new Set<ApiWatchChecker>()
  private readonly paged = new Map<string, Map<string, number>>()
  private watches = 0

  constructor(checks: ClientChecks) {
    this.checks = checks
  }

  /** Called when all is quiet. */
  finished(): void {
    for (const checker of this.open) checker.finished()
  }

  /** The same client, watched over. */
  wrap(client: Client, process: SimProcess): Client {
    const written = (collection: Collection) => (answer: KubeObject | ApiFailure) =>
      this.written(collection, answer, process)
    return {
      ...client,
      list: (collection, options, done) =>
        client.list(collection, options, (answer) => {
          const isWhole = options.labelSelector === undefined && options.fieldSelector === undefined
          if (!(answer instanceof ApiFailure) && isWhole) this.listed(collection, options.continue, answer, process)
          done(answer)
        }),
      watch: (collection, options, listener) => {
        const checked = this.watch(collection, options, listener, process)
        const cancel = client.watch(collection, options, checked.listener)
        return () => {
          checked.stop()
          cancel()
        }
      },
      create: (target, object, options, done) => client.create(target, object, options, after(written(target), done)),
      update: (target, object, options, done) => client.update(target, object, options, after(written(target), done)),
      patch: (target, patch, options, done) => client.patch(target, patch, options, after(written(target), done))
    }
  }

  private watch(
    collection: Collection,
    options: Parameters<Client["watch"]>[1],
    listener: WatchListener,
    process: SimProcess
  ): { readonly listener: WatchListener; readonly stop: () => void } {
    const resourcePrefix = this.checks.prefixOf(collection)
    if (resourcePrefix === undefined) return { listener, stop: () => undefined }
    this.stats.watches++
    const checker = new ApiWatchChecker(this.checks.record, this.checks.violations, {
      name: `${process.name}'s watch ${this.watches++} of ${groupResource(collection.resource)}`,
      prefix: prefixOf(resourcePrefix, collection),
      resourcePrefix,
      startRevision: Number(options.resourceVersion ?? 0) || 0,
      selects: options.labelSelector !== undefined || options.fieldSelector !== undefined,
      initialEvents: options.sendInitialEvents === true
    })
    this.open.add(checker)
    const stop = (): void => void this.open.delete(checker)
    return {
      stop,
      listener: {
        event: (event) => {
          checker.event(event)
          listener.event(event)
        },
        ended: (failure) => {
          stop()
          listener.ended(failure)
        }
      }
    }
  }

  private listed(collection: Collection, token: string | undefined, list: KubeList, process: SimProcess): void {
    const resourcePrefix = this.checks.prefixOf(collection)
    if (resourcePrefix === undefined) return
    // The same place of the same revision has the same token in every resource.
    const pageOf = (page: string): string => `${process.name} ${resourcePrefix} ${page}`
    const shown = token === undefined ? new Map<string, number>() : this.paged.get(pageOf(token))
    if (shown === undefined) return
    if (token !== undefined) this.paged.delete(pageOf(token))
    const { record } = this.checks
    for (const item of list.items) {
      const key = storeKey(resourcePrefix, item)
      if (record.keeps(key)) shown.set(key, Number(item.metadata.resourceVersion))
    }
    const { continue: next, resourceVersion } = list.metadata
    if (next !== undefined && next !== "") {
      if (this.paged.size < PAGED_MAX) this.paged.set(pageOf(next), shown)
      return
    }
    if (!record.tells(Number(resourceVersion))) return
    this.stats.lists++
    const problem = stateProblem(record, prefixOf(resourcePrefix, collection), Number(resourceVersion), shown)
    if (problem !== undefined)
      this.checks.violations.report(
        "reads show one revision",
        `${process.name}'s list of ${groupResource(collection.resource)}: ${problem}`
      )
  }

  private written(collection: Collection, answer: KubeObject | ApiFailure, process: SimProcess): void {
    const resourcePrefix = this.checks.prefixOf(collection)
    if (answer instanceof ApiFailure || answer.kind === "Status" || resourcePrefix === undefined) return
    const revision = Number(answer.metadata.resourceVersion ?? 0)
    if (revision === 0) return
    const { record } = this.checks
    const key = storeKey(resourcePrefix, answer)
    if (!record.keeps(key) || !record.tells(revision)) return
    this.stats.writes++
    if (record.eventOf(key, revision) === undefined)
      this.checks.violations.report(
        "no lost acknowledged write",
        `${process.name}'s write of ${key} was acknowledged at ${revision} and is not there`
      )
  }
}

const prefixOf = (resourcePrefix: string, { namespace }: Collection): string =>
  namespace === "" ? resourcePrefix : `${resourcePrefix}${namespace}/`

const after =
  <A>(first: (answer: A) => void, then: (answer: A) => void) =>
  (answer: A): void => {
    first(answer)
    then(answer)
  }

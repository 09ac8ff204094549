// Follows one collection of an API server: a list and the watch after it, again and again, so that what it feeds is never wrong
// for long (client-go's reflector).
// Owns resuming, relisting, waiting and streaming the initial state; refuses to keep objects, which its sink does.
import type { Client, Collection, Form, ListOptions, Selection } from "../Client.ts"
import type { Cancel, Clockwork } from "../Clockwork.ts"
import type { KubeList, KubeObject } from "../KubeObject.ts"
import { ApiFailure, Failures } from "../Status.ts"
import { INITIAL_EVENTS_END, type WatchEvent } from "../WatchEvent.ts"
import { Backoff, reflectorBackoff } from "./Backoff.ts"

/** What a reflector feeds. Called in order, never within one another. */
export interface ReflectorSink {
  /** The whole state as of a resourceVersion. */
  readonly replace: (objects: ReadonlyArray<KubeObject>) => void
  /** ADDED, MODIFIED or DELETED. */
  readonly event: (event: WatchEvent) => void
  /** A call failed; the reflector goes on by itself. */
  readonly failed?: (failure: ApiFailure) => void
}

export interface ReflectorOptions extends Selection, Form {
  readonly clockwork: Clockwork
  readonly client: Client
  readonly collection: Collection
  /** Ask for the initial state as a stream (WatchList); falls back to lists for good where a server does not know it. Default true. */
  readonly streaming?: boolean
  /** Objects of a page of a list that the server reads from its store. Default 500. */
  readonly pageSize?: number
}

const WATCH_SECONDS_MIN = 300
const PAGE_SIZE = 500
/** A watch that ends sooner, with nothing said, is not asked for again at once. */
const SHORT_WATCH_MS = 1000
/** A watch that its server should have ended and has not is given up after this. */
const OVERDUE_MS = 30_000

const isExpired = (failure: ApiFailure): boolean => failure.code === 410

const isTooNew = (failure: ApiFailure): boolean =>
  failure.status.details?.causes?.some(({ reason }) => reason === "ResourceVersionTooLarge") === true

/** The server is there or will be again, and what was seen so far stands: no need to list. */
const isPassing = (failure: ApiFailure): boolean => failure.code === 429 || failure.code >= 500

export class Reflector {
  readonly #options: ReflectorOptions
  readonly #sink: ReflectorSink
  readonly #backoff: Backoff
  readonly #selection: Selection & Form
  #streaming: boolean
  #paging = true
  #running = false
  #cancel: Cancel | undefined
  #cancelOverdue: Cancel | undefined
  /** Answers of calls before the last start, stop or retry are not heard: each call is made in one generation. */
  #generation = 0
  #resourceVersion = ""
  /** The server no longer has, or does not have yet, the version that was seen last: the next list asks for the newest. */
  #lostVersion = false

  constructor(options: ReflectorOptions, sink: ReflectorSink) {
    this.#options = options
    this.#sink = sink
    this.#backoff = new Backoff(options.clockwork, reflectorBackoff)
    this.#streaming = options.streaming ?? true
    const { fieldSelector, labelSelector, metadataOnly } = options
    this.#selection = {
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
      ...(metadataOnly === undefined ? {} : { metadataOnly })
    }
  }

  /** What the sink has seen all of; empty before the first list. */
  get resourceVersion(): string {
    return this.#resourceVersion
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    this.#begin()
  }

  stop(): void {
    this.#running = false
    this.#endCall()
  }

  #endCall(): void {
    this.#generation++
    this.#cancel?.()
    this.#cancel = undefined
    this.#cancelOverdue?.()
    this.#cancelOverdue = undefined
  }

  #begin(): void {
    if (this.#streaming) this.#streamState()
    else this.#listState()
  }

  #again(then: () => void, delayMs: number): void {
    this.#endCall()
    this.#cancel = this.#options.clockwork.after(delayMs, () => {
      this.#cancel = undefined
      then()
    })
  }

  #failed(failure: ApiFailure): void {
    this.#sink.failed?.(failure)
  }

  /** Where a new start asks from: what it saw, so that time never runs backwards; "0" is whatever a server has at hand. */
  #startVersion(): string {
    if (this.#lostVersion) return ""
    return this.#resourceVersion === "" ? "0" : this.#resourceVersion
  }

  #listState(): void {
    const resourceVersion = this.#startVersion()
    // From a server's cache a list comes whole; only one that its store must read is worth paging.
    const limit = resourceVersion === "" && this.#paging ? (this.#options.pageSize ?? PAGE_SIZE) : undefined
    this.#listPage([], { ...this.#selection, resourceVersion, ...(limit === undefined ? {} : { limit }) })
  }

  #listPage(before: ReadonlyArray<KubeObject>, options: ListOptions): void {
    const generation = this.#generation
    const { client, collection } = this.#options
    client.list(collection, options, (answer) => {
      if (generation !== this.#generation) return
      if (answer instanceof ApiFailure) {
        // Pages outlived their version once, they would again.
        if (options.continue !== undefined && isExpired(answer)) this.#paging = false
        this.#listFailed(answer)
        return
      }
      this.#listed(before, answer, options)
    })
  }

  #listed(before: ReadonlyArray<KubeObject>, page: KubeList, options: ListOptions): void {
    const objects = before.length === 0 ? page.items : [...before, ...page.items]
    const next = page.metadata.continue ?? ""
    if (next !== "") {
      const { limit } = options
      this.#listPage(objects, { ...this.#selection, continue: next, ...(limit === undefined ? {} : { limit }) })
      return
    }
    this.#replace(objects, page.metadata.resourceVersion)
    this.#watch()
  }

  #listFailed(failure: ApiFailure): void {
    this.#failed(failure)
    const tooOldOrNew = isExpired(failure) || isTooNew(failure)
    const first = tooOldOrNew && !this.#lostVersion
    this.#lostVersion ||= tooOldOrNew
    this.#again(() => this.#begin(), first ? 0 : this.#backoff.next())
  }

  #replace(objects: ReadonlyArray<KubeObject>, resourceVersion: string): void {
    this.#resourceVersion = resourceVersion
    this.#lostVersion = false
    this.#sink.replace(objects)
  }

  #timeoutSeconds(): number {
    return Math.floor(WATCH_SECONDS_MIN * (1 + this.#options.clockwork.random()))
  }

  #listen(
    options: { readonly resourceVersion: string; readonly sendInitialEvents?: boolean },
    event: (event: WatchEvent) => void,
    ended: (failure: ApiFailure | undefined) => void
  ): void {
    const { client, clockwork, collection } = this.#options
    const generation = ++this.#generation
    const timeoutSeconds = this.#timeoutSeconds()
    const over = (failure: ApiFailure | undefined): void => {
      if (generation !== this.#generation) return
      // Over already: there is nothing left to cancel.
      this.#cancel = undefined
      this.#endCall()
      ended(failure)
    }
    this.#cancel = client.watch(
      collection,
      { ...this.#selection, ...options, allowWatchBookmarks: true, timeoutSeconds },
      {
        event: (received) => {
          if (generation === this.#generation) event(received)
        },
        ended: over
      }
    )
    this.#cancelOverdue = clockwork.after(timeoutSeconds * 1000 + OVERDUE_MS, () => {
      if (generation !== this.#generation) return
      this.#endCall()
      ended(Failures.timeout("the watch outlived its time", 0))
    })
  }

  #streamState(): void {
    let initial: Map<string, KubeObject> | undefined = new Map()
    const resourceVersion = this.#startVersion() === "0" ? "" : this.#startVersion()
    this.#listen(
      { resourceVersion, sendInitialEvents: true },
      (event) => {
        if (initial === undefined) this.#event(event)
        else if (event.type !== "BOOKMARK") collect(initial, event)
        else if (event.object.metadata.annotations?.[INITIAL_EVENTS_END] === "true") {
          const objects = [...initial.values()]
          initial = undefined
          this.#replace(objects, event.object.metadata.resourceVersion ?? "")
        }
      },
      (failure) => {
        if (initial === undefined) this.#watchEnded(failure)
        else this.#streamFailed(failure)
      }
    )
  }

  #streamFailed(failure: ApiFailure | undefined): void {
    if (failure !== undefined) this.#failed(failure)
    if (failure !== undefined && (isExpired(failure) || isTooNew(failure))) {
      const first = !this.#lostVersion
      this.#lostVersion = true
      this.#again(() => this.#begin(), first ? 0 : this.#backoff.next())
      return
    }
    // 400 and 422 are what servers answer that do not know the option; an end without a bookmark is another way not to.
    if (failure === undefined || failure.code === 400 || failure.code === 422) this.#streaming = false
    this.#again(() => this.#begin(), this.#streaming ? this.#backoff.next() : 0)
  }

  #watch(): void {
    const startedAt = this.#options.clockwork.monotonic()
    let silent = true
    this.#listen(
      { resourceVersion: this.#resourceVersion },
      (event) => {
        silent = false
        this.#event(event)
      },
      (failure) => {
        const short = silent && this.#options.clockwork.monotonic() - startedAt < SHORT_WATCH_MS
        if (failure === undefined && short) this.#again(() => this.#watch(), this.#backoff.next())
        else this.#watchEnded(failure)
      }
    )
  }

  #event(event: WatchEvent): void {
    const version = event.object.metadata.resourceVersion
    if (version !== undefined && version !== "") this.#resourceVersion = version
    if (event.type !== "BOOKMARK") this.#sink.event(event)
  }

  #watchEnded(failure: ApiFailure | undefined): void {
    if (failure === undefined) {
      this.#watch()
      return
    }
    this.#failed(failure)
    if (isExpired(failure)) this.#again(() => this.#begin(), 0)
    else if (isPassing(failure)) this.#again(() => this.#watch(), this.#backoff.next())
    else this.#again(() => this.#begin(), this.#backoff.next())
  }
}

const collect = (initial: Map<string, KubeObject>, { object, type }: WatchEvent): void => {
  const { name = "", namespace = "" } = object.metadata
  const key = `${namespace}/${name}`
  if (type === "DELETED") initial.delete(key)
  else initial.set(key, object)
}

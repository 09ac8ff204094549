// The state that a watch begins with: watched in each of a tenant's namespaces by itself until it has come, so that it costs what the
// tenant has.
// Owns when all of it has come and from which version everybody may go on; refuses to go on by itself.
import { ApiFailure, type Cancel, Failures } from "#kube"
import type { HttpFields } from "#net"
import type { TenantNamespaces } from "../lifecycle/TenantNamespaces.ts"
import type { Upstream, UpstreamCall } from "../upstream/Upstream.ts"
import { openSource, type SourceEvent, type WatchQuestion } from "./WatchSource.ts"

/** Namespaces whose state is read at the same time. */
const ABREAST = 8

export interface InitialEventsOptions {
  readonly upstream: Upstream
  readonly namespaces: TenantNamespaces
  readonly tenant: string
  /** The question of one namespace; of a kind in no namespace, the same for "". */
  readonly question: (namespace: string) => WatchQuestion
  /** The one namespace that is asked about, "" of a kind in none; undefined: all that the tenant has. */
  readonly only: string | undefined
  /** What the state must not be older than; empty: the newest. */
  readonly resourceVersion: string
  /** Upstream has begun to tell a namespace's state, and says this beside. */
  readonly opened: (fields: HttpFields) => void
  readonly event: (event: SourceEvent) => void
  /** All has come: `since` of each namespace, and the version from which a watch of all must go on. */
  readonly done: (state: InitialState | ApiFailure) => void
}

export interface InitialState {
  /** A bookmark that ends the initial events; undefined: there was nothing to ask about. */
  readonly bookmark: SourceEvent | undefined
  /** Everything up to this version has been told, in each namespace. */
  readonly from: string
  /** The version up to which a namespace's events have been told. */
  readonly since: ReadonlyMap<string, string>
}

export class InitialEvents {
  private readonly options: InitialEventsOptions
  private readonly open = new Set<UpstreamCall>()
  private readonly since = new Map<string, string>()
  private waiting: ReadonlyArray<string> = []
  private bookmark: SourceEvent | undefined
  private from = ""
  private over = false

  constructor(options: InitialEventsOptions) {
    this.options = options
  }

  begin(): Cancel {
    const { namespaces, only, tenant } = this.options
    if (only !== undefined) {
      this.waiting = [only]
      this.more()
    } else {
      namespaces.current(tenant, (found) => {
        if (this.over) return
        if (found instanceof ApiFailure) return this.end(found)
        this.from = found.resourceVersion
        this.waiting = found.names
        this.more()
      })
    }
    return () => this.cancel()
  }

  private cancel(): void {
    this.over = true
    for (const call of this.open) call.cancel()
    this.open.clear()
  }

  private end(state: InitialState | ApiFailure): void {
    this.cancel()
    this.options.done(state)
  }

  private more(): void {
    while (this.open.size < ABREAST && this.waiting.length > 0 && !this.over) {
      const [namespace = "", ...rest] = this.waiting
      this.waiting = rest
      this.read(namespace)
    }
    if (this.open.size === 0 && this.waiting.length === 0 && !this.over) {
      this.end({ bookmark: this.bookmark, from: this.from, since: this.since })
    }
  }

  private read(namespace: string): void {
    const { event, question, resourceVersion, upstream } = this.options
    const call = openSource(
      upstream,
      question(namespace),
      { resourceVersion, initial: true },
      {
        opened: (fields) => {
          if (!this.over) this.options.opened(fields)
        },
        event: (each) => {
          if (this.over) return
          if (!each.endsInitial) {
            if (each.type !== "BOOKMARK") event(each)
            return
          }
          this.open.delete(call)
          call.cancel()
          this.since.set(namespace, each.resourceVersion)
          this.bookmark = each
          if (this.from === "") this.from = each.resourceVersion
          this.more()
        },
        ended: (failure) => {
          if (this.over || !this.open.has(call)) return
          this.end(failure ?? Failures.internal("upstream ended a watch within its initial events"))
        }
      }
    )
    this.open.add(call)
  }
}

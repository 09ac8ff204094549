// One watch of upstream, as lines with what is needed to tell whose they are and where in time they stand.
// Owns reading and connecting anew from where it was; refuses to know tenants. Bound: one line of 16 MiB.
import { ApiFailure, type Cancel, type Clockwork, Failures } from "#kube"
import type { HttpFields } from "#net"
import {
  lostUpstream,
  type Upstream,
  type UpstreamCall,
  wholeAnswer,
  WHOLE_BYTES_MAX,
  jsonOf
} from "../upstream/Upstream.ts"
import { EventLines } from "./EventLines.ts"

/** One event as it was sent. */
export interface SourceEvent {
  readonly type: string
  readonly namespace: string
  readonly name: string
  readonly resourceVersion: string
  /** Of a bookmark: it ends the initial events. */
  readonly endsInitial: boolean
  /** What a Table says its columns are, as JSON; only a watch's first event does. */
  readonly columns?: string
  /** The line, without its end. */
  readonly bytes: Uint8Array
}

/** What is watched: a path with its query but for the version and the watch's own parameters. */
export interface WatchQuestion {
  readonly path: string
  /** Without "?", each as "name=value". */
  readonly parameters: ReadonlyArray<string>
  readonly accept: string
}

export interface SourceListener {
  /** Upstream has taken the watch; what it says beside. */
  readonly opened?: (fields: HttpFields) => void
  readonly event: (event: SourceEvent) => void
  /** It is over: in good order, or by a failure; 410 means that its version is too old. */
  readonly ended: (failure: ApiFailure | undefined) => void
}

interface Metadata {
  readonly namespace?: string
  readonly name?: string
  readonly resourceVersion?: string
  readonly annotations?: Readonly<Record<string, string>>
}

interface RawObject {
  readonly kind?: string
  readonly metadata?: Metadata
  readonly columnDefinitions?: ReadonlyArray<unknown> | null
  readonly rows?: ReadonlyArray<{ readonly object?: RawObject }>
  readonly code?: number
}

const decoder = new TextDecoder()

/** Reads one line; a failure when it says one, or nothing that can be read. */
export const sourceEvent = (bytes: Uint8Array): SourceEvent | ApiFailure => {
  let event: { readonly type?: string; readonly object?: RawObject }
  try {
    event = JSON.parse(decoder.decode(bytes)) as typeof event
  } catch {
    return Failures.internal("upstream sent an event that is no JSON")
  }
  const { object = {}, type = "" } = event
  if (type === "ERROR") {
    return jsonOf({ code: object.code ?? 500, fields: [], body: Buffer.from(JSON.stringify(object)) }) as ApiFailure
  }
  const own = object.metadata ?? {}
  // A Table's row has the object's metadata, the Table itself only the version.
  const { annotations, name = "", namespace = "", resourceVersion } = object.rows?.[0]?.object?.metadata ?? own
  const { columnDefinitions } = object
  return {
    type,
    name,
    namespace,
    resourceVersion: resourceVersion ?? own.resourceVersion ?? "",
    endsInitial: type === "BOOKMARK" && annotations?.["k8s.io/initial-events-end"] === "true",
    ...(object.kind === "Table" && columnDefinitions != null && columnDefinitions.length > 0
      ? { columns: JSON.stringify(columnDefinitions) }
      : {}),
    bytes
  }
}

/** Whether a version is after another: they are decimal numbers of any length. */
export const isAfter = (version: string, other: string): boolean =>
  version.length === other.length ? version > other : version.length > other.length

/** Watches from a version; `initial` asks for the state first, which is then not older than that. */
export const openSource = (
  upstream: Upstream,
  question: WatchQuestion,
  from: { readonly resourceVersion: string; readonly initial?: boolean },
  listener: SourceListener
): UpstreamCall => {
  const { accept, parameters, path } = question
  const initial = from.initial === true ? ["sendInitialEvents=true", "resourceVersionMatch=NotOlderThan"] : []
  const version = from.resourceVersion === "" ? [] : [`resourceVersion=${encodeURIComponent(from.resourceVersion)}`]
  const query = [...parameters, "watch=true", "allowWatchBookmarks=true", ...initial, ...version].join("&")
  let over = false
  let refusal: ReturnType<typeof wholeAnswer> | undefined
  const end = (failure: ApiFailure | undefined): void => {
    if (over) return
    over = true
    listener.ended(failure)
  }
  const lines = new EventLines((line) => {
    if (over) return
    const event = sourceEvent(line)
    if (event instanceof ApiFailure) {
      call.cancel()
      end(event)
    } else listener.event(event)
  })
  const fields: HttpFields = [["accept", accept]]
  const call = upstream.send({ method: "GET", path: `${path}?${query}`, fields }, undefined, {
    head: (code, head) => {
      if (code === 200) return listener.opened?.(head)
      refusal = wholeAnswer(WHOLE_BYTES_MAX, (answer) => {
        const value = jsonOf(answer)
        end(value instanceof ApiFailure ? value : Failures.internal(`upstream answered a watch with ${code}`))
      })
      refusal.head(code, head)
    },
    body: (bytes) => {
      if (refusal !== undefined) return refusal.body(bytes)
      if (!over && !lines.push(bytes)) {
        call.cancel()
        end(Failures.tooLarge("an event is longer than 16 MiB"))
      }
    },
    end: (trailers) => (refusal === undefined ? end(undefined) : refusal.end(trailers)),
    failed: (error, sent) => (refusal === undefined ? end(lostUpstream(error)) : refusal.failed(error, sent))
  })
  return call
}

/** Runs something after a growing pause; forgets the growth when told that all is well. */
export class Pauses {
  private readonly clockwork: Clockwork
  private delayMs = 0

  constructor(clockwork: Clockwork) {
    this.clockwork = clockwork
  }

  after(run: () => void): Cancel {
    const { delayMs } = this
    this.delayMs = Math.min(5000, Math.max(100, delayMs * 2))
    return this.clockwork.after(delayMs * (1 + this.clockwork.random()), run)
  }

  well(): void {
    this.delayMs = 0
  }
}

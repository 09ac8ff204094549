// What the tracing server answers, as a list that others add to: a route for a path, methods of gRPC, and what they may use.
// Owns the shape; refuses any path of its own.
import type { Clockwork } from "#kube"
import type { GrpcMethod, HttpExchange } from "#net"
import type { ReadGrant } from "../store/ScopedStore.ts"
import type { SpanStore } from "../store/SpanStore.ts"

/** Who asks: what a token or certificate proved. */
export interface Asker {
  readonly name: string
  /** Whether it may send audit events of a cluster. */
  readonly maySend: (cluster: string) => boolean
  /** What may be read: everything, nothing, or what is granted. */
  readonly mayRead: boolean | ReadonlyArray<ReadGrant>
}

export interface Route {
  /** A whole path, or the beginning of paths when it ends with a slash. */
  readonly path: string
  /** "read" answers those who may read traces; "open" everybody, who is told apart by the route itself. */
  readonly access: "read" | "open"
  /** `path` is without the query. */
  readonly answer: (exchange: HttpExchange, path: string, asker: Asker | undefined) => void
}

/** What routes stand on. */
export interface TracingParts {
  readonly store: SpanStore
  readonly clockwork: Clockwork
  /** Writes what nobody foresaw. */
  readonly onDefect: (defect: unknown) => void
}

/** A part of the server; it is made once the store is open, and stopped before the store closes. */
export interface Mount {
  readonly routes: ReadonlyArray<Route>
  readonly methods: ReadonlyArray<GrpcMethod>
  /** Lines for /metrics. */
  readonly metrics?: () => string
  readonly stop?: () => void
}

export type MakeMount = (parts: TracingParts) => Mount

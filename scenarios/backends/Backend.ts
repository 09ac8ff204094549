// The port to a system under test: find it, start it, know where it listens and which process to watch, stop it.
// A new backend is one file that exports a BackendKind, and one line in Registry.ts.
import { type Effect, type FileSystem, type Path, Schema, type Scope } from "effect"
import type { ChildProcessSpawner } from "effect/process"
import type { ServerFailed } from "#kind"
import type { ServerFault } from "../ServerFault.ts"

/** Where a server listens. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** How the runner wants a server to run; the same for every backend of a run. */
export interface ServerSettings {
  /** An empty directory on disk, removed after the run. */
  readonly dataDir: string
  readonly quotaBytes: number
  /** Whether an acknowledged write must have been flushed. */
  readonly fsync: boolean
  readonly maxRequestBytes?: number
  /** Processor time that each server process may use, as a part of one core. */
  readonly cpuShare?: number
}

/** A server that answers. */
export interface RunningServer {
  readonly endpoint: Endpoint
  /** All of them, where clients may go to several servers. */
  readonly endpoints?: ReadonlyArray<Endpoint>
  /** The process to sample; undefined when it is not ours. */
  readonly pid: () => number | undefined
  /** Stops the server and starts it again on the same data; gives the ms from start to readiness. */
  readonly restart: Effect.Effect<number, ServerFailed> | undefined
  /** Does that to the server that leads, and ends when it is back; tells what was done to whom. Undefined where nothing can be done. */
  readonly inflict?: (fault: ServerFault) => Effect.Effect<string, ServerFailed>
  /** Further server processes to sample, by name. */
  readonly beside?: ReadonlyArray<{ readonly name: string; readonly pid: () => number | undefined }>
  /** Put before every key, where the server's other contents must not be touched; else empty. */
  readonly keyPrefix: string
}

/** A backend that was found on this machine or was named by URL. */
export interface Backend {
  readonly name: string
  readonly version: string
  /** Whether it can flush to disk at all. */
  readonly durable: boolean
  /** What a reader of the report should know of how it was started. */
  readonly settings: Readonly<Record<string, string>>
  readonly open: (settings: ServerSettings) => Effect.Effect<RunningServer, ServerFailed, Scope.Scope>
}

/** What a backend may need of the platform. */
export type BackendServices = FileSystem.FileSystem | Path.Path | ChildProcessSpawner.ChildProcessSpawner

/** A kind of backend, as it is named on the command line: `name` or `name=argument`. */
export interface BackendKind {
  readonly name: string
  readonly note: string
  readonly find: (argument: string | undefined) => Effect.Effect<Backend, BackendMissing, BackendServices>
}

/** The backend is not on this machine, or its name is not known; says how to get it. */
export class BackendMissing extends Schema.TaggedError<BackendMissing>()("BackendMissing", {
  backend: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `backend ${this.backend}: ${this.reason}`
  }
}

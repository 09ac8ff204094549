// The port to what stands behind a front: where it listens, which processes it is, what it counted. A new one is one file and one
// line in openUpstream. Owns the shape and that choice.
import type { ServerFailed } from "#kind"
import type { FileSystem, Path, Scope } from "effect"
import { Effect } from "effect"
import type { ChildProcessSpawner } from "effect/process"
import type { BackendMissing } from "../../backends/Backend.ts"
import type { Front } from "../Front.ts"
import type { FrontProcess } from "../FrontProcess.ts"
import { openApiServer } from "./ApiServerUpstream.ts"
import { openFixed } from "./FixedUpstream.ts"
import type { FrontCertificates } from "./FrontCertificates.ts"
import { openKubeApiServer } from "./KubeApiServerUpstream.ts"

/** What an upstream needs to start. */
export interface UpstreamSettings {
  readonly front: Front
  readonly certificates: FrontCertificates
  /** An empty directory, removed after the run. */
  readonly directory: string
}

/** What an upstream counted so far; null where it cannot tell. */
export interface UpstreamCounts {
  /** Requests that are not health checks, nor the front's own reviews where they are told apart. */
  readonly requests: number | null
  readonly reviews: number | null
  /** Connections that are open now. */
  readonly connections: number | null
}

/** An upstream that answers. */
export interface RunningUpstream {
  readonly version: string
  readonly ports: ReadonlyArray<number>
  readonly processes: ReadonlyArray<FrontProcess>
  /** Authority of its serving certificate. */
  readonly ca: string
  readonly count: Effect.Effect<UpstreamCounts>
  /** Connections that are open now, asked every second; null where it cannot be seen. */
  readonly connections: Effect.Effect<number | null>
  /** Whether objects must be made before they can be read. */
  readonly keepsObjects: boolean
}

/** What finding programs needs. */
export type UpstreamServices = FileSystem.FileSystem | Path.Path | ChildProcessSpawner.ChildProcessSpawner

/** Starts the upstream that the scenario names; it lives as long as the scope. */
export const openUpstream = (
  settings: UpstreamSettings
): Effect.Effect<RunningUpstream, ServerFailed | BackendMissing, Scope.Scope | UpstreamServices> => {
  switch (settings.front.upstream) {
    case "fixed":
      return openFixed(settings)
    case "apiserver":
      return openApiServer(settings)
    case "kube-apiserver":
      return openKubeApiServer(settings)
  }
}

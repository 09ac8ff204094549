// The port to a front under test: find it, start it before an upstream, know where it listens and which processes to watch, change
// its configuration, stop it. A new one is one file and one line in FrontBackends.ts.
import type { ServerFailed } from "#kind"
import type { Effect, Scope } from "effect"
import type { BackendMissing, BackendServices } from "../../backends/Backend.ts"
import type { Front } from "../Front.ts"
import type { FrontProcess } from "../FrontProcess.ts"
import type { FrontName } from "../FrontRules.ts"
import type { FrontEndpoint, TenantCredentials } from "../load/FrontEndpoint.ts"
import type { FrontCertificates } from "../upstream/FrontCertificates.ts"
import type { RunningUpstream } from "../upstream/Upstream.ts"

/** What every front of a run starts with. */
export interface FrontSettings {
  readonly front: Front
  readonly certificates: FrontCertificates
  readonly upstream: RunningUpstream
  /** An empty directory, removed after the run. */
  readonly directory: string
}

/** A front that answers. */
export interface RunningFront {
  readonly targets: FrontEndpoint["targets"]
  /** Its processes: instances of the front, and a limiter. */
  readonly processes: ReadonlyArray<FrontProcess>
  /** Authority of its serving certificate. */
  readonly ca: string
  /** Whether tenants see clusters of their own. */
  readonly translates: boolean
  readonly tenants: ReadonlyArray<TenantCredentials>
  /** Applies a configuration that differs from the one before; `turn` counts from 1. Undefined where there is none. */
  readonly swap: ((turn: number) => Effect.Effect<void, ServerFailed>) | undefined
}

/** A front that was found on this machine. */
export interface FrontBackend {
  readonly name: FrontName
  readonly version: string
  /** What a reader of the report should know of how it was started. */
  readonly settings: Readonly<Record<string, string>>
  readonly open: (settings: FrontSettings) => Effect.Effect<RunningFront, ServerFailed, Scope.Scope>
}

/** A kind of front, as it is named on the command line. */
export interface FrontKind {
  readonly name: FrontName
  readonly note: string
  readonly find: Effect.Effect<FrontBackend, BackendMissing, BackendServices>
}

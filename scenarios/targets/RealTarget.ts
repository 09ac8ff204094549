// The port to where a scenario's cluster really lives: opened for one run, asked for its kubeconfig, told what faults do to it, closed
// with the scope. A new target is one file that fills this port, and one line where the runs choose.
import type { AssetMissing, KindUnavailable, PlaneServices, PlaneUnusable, RelayFailed, ServerFailed } from "#kind"
import type { RunRecord } from "#reports"
import { type Effect, Schema, type Scope } from "effect"
import type { Cluster } from "../cluster/Cluster.ts"
import type { ResourceSampler } from "../ResourceSampler.ts"
import type { LoadedScenario } from "../ScenarioFile.ts"
import type { PlaneCommand } from "../world/Protocol.ts"
import type { Finish, RunFront } from "./systems/System.ts"

/** A cluster that answers, for the length of one run. */
export interface OpenedCluster {
  /** Path of the kubeconfig, and the context in it. */
  readonly kubeconfig: string
  readonly context?: string
  /** Where the cluster is others' as well: the run's id, in whose own namespaces it stays. */
  readonly run?: string
  /** Whether pods are bound by a scheduler of the run, not by one of the cluster. */
  readonly binds: boolean
  /** Does to the cluster what a fault asks for; what fails is seen in the run itself. */
  readonly obey: (command: PlaneCommand) => Effect.Effect<void>
  /** Where clients of the run go instead of the API server itself. */
  readonly front?: RunFront
  /** Asked at the end of the cluster's life, while everything still answers. */
  readonly finish?: Effect.Effect<Finish>
  /** Samples of the cluster's programs, where they are on this machine. */
  readonly samplers: ReadonlyArray<ResourceSampler>
  /** The cluster as the record names it. */
  readonly backend: RunRecord["backend"]
}

/** A cluster cannot be used; the message says what to change. */
export class TargetRefused extends Schema.TaggedError<TargetRefused>()("TargetRefused", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

export type TargetError = AssetMissing | KindUnavailable | PlaneUnusable | RelayFailed | ServerFailed | TargetRefused

export interface RealTarget {
  readonly kind: "process" | "kind" | "kubeconfig"
  /** Its name among the runs, as a backend's. */
  readonly name: string
  readonly version: string
  readonly open: (
    loaded: LoadedScenario,
    cluster: Cluster,
    directory: string
  ) => Effect.Effect<OpenedCluster, TargetError, PlaneServices | Scope.Scope>
}

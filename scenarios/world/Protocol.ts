// What the runner and the world's process say to each other: JSON messages over the child's IPC channel.
// Owns the message shapes. The process lives through one cluster, or measures what clusters of some sizes cost, and ends.
import type { ClusterMark, CostPoint, RecordedCluster, Violation } from "#reports"
import type { Cluster } from "../cluster/Cluster.ts"
import type { ScenarioCase } from "./ScenarioCase.ts"

/** From the runner. */
export type WorldCommand =
  | {
      readonly type: "run"
      readonly seed: number
      readonly cluster: Cluster
      /** Where relative paths of traces and stage files begin. */
      readonly folder: string
      /** Real ms that shrinking a violation may take. */
      readonly shrinkMs: number
    }
  | {
      readonly type: "real"
      readonly seed: number
      readonly cluster: Cluster
      readonly folder: string
      /** Path of the kubeconfig of the control plane, and its context. */
      readonly kubeconfig: string
      readonly context?: string
      /** On an existing cluster: the id of the run, whose namespaces are its own. */
      readonly run?: string
      /** Where everyone, or users, watchers and readers, go instead of the API server. */
      readonly front?: { readonly kubeconfig: string; readonly clients: "all" | "users" }
      /** Whether pods are bound by a scheduler of the world's process, not by one of the control plane. */
      readonly binds: boolean
    }
  | { readonly type: "cost"; readonly seed: number; readonly nodes: number; readonly cluster: Cluster }

/** What a fault does to a control plane of real programs: its API server is killed and started, stopped and let go on, its store compacted. */
export type PlaneCommand =
  | { readonly kind: "kill" | "start" | "pause" | "resume" }
  | { readonly kind: "compact"; readonly keep: number }

/** How the cluster is at this moment. */
export interface WorldProgress {
  readonly type: "progress"
  readonly virtualMs: number
  readonly durationMs: number
  readonly wallMs: number
  /** Virtual time by real time since the last report. */
  readonly speed: number
  readonly zones: ReadonlyArray<{ readonly name: string; readonly nodes: number; readonly ready: number }>
  readonly pods: Readonly<Record<string, number>>
  readonly residentBytes: number
  readonly violations: number
  /** Marks whose time has come, the newest last; a few of them. */
  readonly marks: ReadonlyArray<ClusterMark>
  /** Said while a violation is made smaller. */
  readonly shrinking: boolean
}

/** A broken guarantee made as small as it would get. */
export interface ScenarioFinding {
  readonly case: ScenarioCase
  readonly guarantee: string
  readonly message: string
  readonly atMs: number
  readonly fromSteps: number
  readonly toSteps: number
  readonly runs: number
}

/** Everything that a run left behind. */
export interface WorldResult {
  readonly type: "result"
  readonly cluster: RecordedCluster
  readonly violations: ReadonlyArray<Violation>
  readonly counters: Readonly<Record<string, number>>
  readonly finding: ScenarioFinding | undefined
}

/** From the world's process. */
export type WorldReport =
  | WorldProgress
  | WorldResult
  | { readonly type: "plane"; readonly command: PlaneCommand }
  | { readonly type: "cost"; readonly point: CostPoint }
  | { readonly type: "failed"; readonly reason: string }

// The port to one of our systems in its real place around a control plane of real programs: opened for one run, asked at the end what it
// saw, closed with the scope. A new one is one file and one line in PlaneSystems.ts.
import { launch, type RunningPlane, type ServerFailed, stop } from "#kind"
import type { Violation } from "#reports"
import { Effect, type Scope } from "effect"
import { join } from "node:path"
import { packageRoot } from "../../PackageRoot.ts"

/** What is known at the end of a run, once the cluster's life is over and everything still answers. */
export interface Finish {
  /** Promises of the systems that were broken. */
  readonly violations: ReadonlyArray<Violation>
  /** What the programs say of themselves. */
  readonly facts: Readonly<Record<string, number>>
}

/** Where clients of the run go instead of the API server itself. */
export interface RunFront {
  readonly kubeconfig: string
  /** Everyone; or users, watchers and readers, while nodes and the observer stay at the API server. */
  readonly clients: "all" | "users"
}

/** A process beside the control plane, for sampling. */
export interface SystemProcess {
  readonly name: string
  readonly pid: () => number | undefined
}

export interface OpenedSystem {
  readonly processes: ReadonlyArray<SystemProcess>
  readonly front?: RunFront
  readonly finish?: Effect.Effect<Finish>
}

/** What every system starts with. */
export interface SystemPlace {
  readonly plane: RunningPlane
  /** A folder of its own, removed after the run. */
  readonly folder: string
}

/** Starts one of our own commands; it lives as long as the scope. */
export const openOwn = (
  name: string,
  args: ReadonlyArray<string>,
  folder: string,
  ready: Effect.Effect<boolean>
): Effect.Effect<SystemProcess, ServerFailed, Scope.Scope> =>
  Effect.acquireRelease(
    launch({ backend: name, command: join(packageRoot, "bin", "wharf"), args, directory: folder, ready }),
    (child) => stop(child)
  ).pipe(Effect.map((child) => ({ name, pid: () => child.process.pid })))

/** One series of a metric. */
export interface MetricSeries {
  /** With the metric's name before them, as in the text. */
  readonly labels: string
  readonly value: number
}

/** The series of a metric in Prometheus' text. */
export const metricSeries = (text: string, name: string): ReadonlyArray<MetricSeries> =>
  text
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`))
    .map((line) => {
      const end = line.lastIndexOf(" ")
      return { labels: line.slice(0, end), value: Number(line.slice(end + 1)) }
    })

/** The sum of a metric's series in Prometheus' text whose labels match. */
export const metricSum = (text: string, name: string, labels: RegExp = /./): number =>
  metricSeries(text, name)
    .filter((series) => labels.test(series.labels))
    .reduce((sum, { value }) => sum + value, 0)

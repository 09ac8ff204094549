// One run of Kubernetes' own e2e.test by ginkgo in several processes, against a kubeconfig.
// Owns the command line, the process group and the report's file; refuses to read the report. Interruption ends the whole group.
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import { join } from "node:path"
import { Effect, Schema } from "effect"
import { findAsset } from "#kind"
import { focusOf } from "./SpecList.ts"

export interface SuiteRun {
  readonly kubeconfig: string
  readonly names: ReadonlyArray<string>
  readonly procs: number
  /** After so long ginkgo ends what still runs. */
  readonly timeoutSeconds: number
  /** For the report and the output. */
  readonly directory: string
}

/** ginkgo could not be started. */
export class SuiteFailed extends Schema.TaggedError<SuiteFailed>()("SuiteFailed", { reason: Schema.String }) {
  override get message(): string {
    return `ginkgo ${this.reason}`
  }
}

const REPORT = "ginkgo.json"

/** How the suite is told to run where nodes are hollow and the server speaks JSON. */
const suiteFlags = (kubeconfig: string, kubectl: string): ReadonlyArray<string> => [
  `--kubeconfig=${kubeconfig}`,
  `--kubectl-path=${kubectl}`,
  "--provider=skeleton",
  "--disable-log-dump",
  "--allowed-not-ready-nodes=1",
  "--dump-logs-on-failure=false",
  "--kube-api-content-type=application/json"
]

const ended = (child: ChildProcess): Effect.Effect<void, SuiteFailed> =>
  Effect.callback<void, SuiteFailed>((resume) => {
    child.once("error", (error) => resume(new SuiteFailed({ reason: `cannot be started: ${error.message}` })))
    // What the suite ends with is in its report.
    child.once("exit", () => resume(Effect.void))
  })

const killGroup = ({ pid }: ChildProcess): void => {
  if (pid === undefined) return
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // It has ended.
  }
}

/** Runs the suite to its end; answers the file of ginkgo's JSON report. */
export const runSuite = Effect.fn("conformance.suite")(function* (run: SuiteRun) {
  const { directory, kubeconfig, names, procs, timeoutSeconds } = run
  const ginkgo = yield* findAsset("ginkgo")
  const suite = yield* findAsset("e2e.test")
  const kubectl = yield* findAsset("kubectl")
  const flags = [
    "--no-color",
    "--succinct",
    `--procs=${procs}`,
    `--timeout=${timeoutSeconds}s`,
    `--focus=${focusOf(names)}`,
    `--json-report=${REPORT}`,
    `--output-dir=${directory}`
  ]
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const log = openSync(join(directory, "ginkgo.log"), "w")
      const started = spawn(ginkgo.path, [...flags, suite.path, "--", ...suiteFlags(kubeconfig, kubectl.path)], {
        cwd: directory,
        detached: true,
        env: { ...process.env, HOME: directory, KUBECONFIG: kubeconfig },
        stdio: ["ignore", log, log]
      })
      closeSync(log)
      return started
    }),
    (started) => Effect.sync(() => killGroup(started))
  )
  yield* ended(child)
  return join(directory, REPORT)
}, Effect.scoped)

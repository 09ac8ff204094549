// `wharf conformance`: Kubernetes' own conformance tests against a cluster, and what came of each.
// Owns flags, the order of work and what is written where; the suite, the cluster and the report have files of their own.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { Clock, Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { findAsset } from "#kind"
import { ExitCode } from "#reports"
import { ClusterFailed, openCluster } from "./ConformanceCluster.ts"
import {
  conformanceExitCode,
  conformanceMarkdown,
  type ConformanceReport,
  conformanceReport,
  renderConformance,
  type RunFacts
} from "./ConformanceReport.ts"
import { GinkgoReportInvalid, readGinkgoReport } from "./GinkgoReport.ts"
import { runSuite } from "./RunSuite.ts"
import { hollowNodesList, readSpecList } from "./SpecList.ts"

const KUBERNETES = "1.37.2"

const flags = {
  kubeconfig: Flag.String("kubeconfig").pipe(
    Flag.withDescription("The cluster to judge; without it a simulated one is started"),
    Flag.optional
  ),
  nodes: Flag.Int("nodes").pipe(Flag.withDescription("Nodes of the simulated cluster"), Flag.withDefault(5)),
  list: Flag.String("list").pipe(
    Flag.withDescription("File of spec names, one a line; default: those that need no containers"),
    Flag.withDefault(hollowNodesList)
  ),
  only: Flag.String("only").pipe(
    Flag.withDescription("Of the list, the names that this pattern matches"),
    Flag.optional
  ),
  procs: Flag.Int("procs").pipe(Flag.withDescription("Specs that run at the same time"), Flag.withDefault(6)),
  timeout: Flag.Int("timeout").pipe(
    Flag.withDescription("Minutes after which what still runs is ended"),
    Flag.withDefault(60)
  ),
  atLeast: Flag.Int("at-least").pipe(
    Flag.withDescription("Passes that are enough; default: every spec asked for"),
    Flag.optional
  ),
  out: Flag.String("out").pipe(
    Flag.withDescription("Folder of the reports; by default runs/conformance-<time>"),
    Flag.optional
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print the report as JSON and nothing else"),
    Flag.withDefault(false)
  )
}

/** The command without what differs from machine to machine. */
const commandOf = (given: {
  readonly list: string
  readonly only: Option.Option<string>
  readonly nodes: number
  readonly procs: number
}): string =>
  [
    "wharf conformance",
    ...(given.nodes === 5 ? [] : [`--nodes ${given.nodes}`]),
    ...(given.list === hollowNodesList ? [] : [`--list ${given.list}`]),
    ...Option.match(given.only, { onNone: () => [], onSome: (pattern) => [`--only '${pattern}'`] }),
    `--procs ${given.procs}`
  ].join(" ")

const readReport = Effect.fnUntraced(function* (file: string, names: ReadonlyArray<string>) {
  if (!existsSync(file))
    return yield* new GinkgoReportInvalid({ message: "ginkgo wrote no report; see ginkgo.log beside it" })
  const outcome = readGinkgoReport(readFileSync(file, "utf8"), names)
  return outcome instanceof GinkgoReportInvalid ? yield* outcome : outcome
})

const write = (directory: string, report: ConformanceReport): Effect.Effect<void> =>
  Effect.sync(() => {
    writeFileSync(join(directory, "conformance.json"), `${JSON.stringify(report, undefined, 2)}\n`)
    writeFileSync(join(directory, "conformance.md"), conformanceMarkdown(report))
  })

const stamp = (ms: number): string => new Date(ms).toISOString()

/** `wharf conformance`. */
export const conformanceCommand = Command.make(
  "conformance",
  flags,
  Effect.fn("conformance")(
    function* (given) {
      const { json, list, nodes, procs, timeout } = given
      const names = yield* readSpecList(list, Option.getOrUndefined(given.only))
      // Before a cluster is started: whether there is a suite at all.
      yield* findAsset("e2e.test")
      const startedMs = yield* Clock.currentTimeMillis
      const startedAt = stamp(startedMs)
      const directory = resolve(
        Option.getOrElse(given.out, () => join("runs", `conformance-${startedAt.replaceAll(/[:.]/g, "-")}`))
      )
      mkdirSync(directory, { recursive: true })
      const kubeconfig = Option.isSome(given.kubeconfig)
        ? resolve(given.kubeconfig.value)
        : yield* openCluster(directory, nodes)
      if (!json)
        yield* Console.error(`${names.length} specs, ${procs} at a time; ginkgo's output: ${directory}/ginkgo.log`)
      const file = yield* runSuite({ kubeconfig, names, procs, timeoutSeconds: timeout * 60, directory })
      const facts: RunFacts = {
        kubernetes: KUBERNETES,
        command: commandOf(given),
        server: Option.isSome(given.kubeconfig) ? "the kubeconfig's" : `wharf serve cluster --nodes ${nodes}`,
        startedAt,
        seconds: ((yield* Clock.currentTimeMillis) - startedMs) / 1000,
        atLeast: Option.getOrElse(given.atLeast, () => names.length)
      }
      const report = conformanceReport(facts, yield* readReport(file, names))
      yield* write(directory, report)
      yield* Console.log(json ? JSON.stringify(report) : renderConformance(report))
      if (!json) yield* Console.log(`report: ${directory}/conformance.md`)
      process.exitCode = conformanceExitCode(report)
    },
    Effect.scoped,
    Effect.catch((error) =>
      Effect.andThen(
        Console.error(error.message),
        Effect.sync(() => {
          process.exitCode =
            error instanceof ClusterFailed || error instanceof GinkgoReportInvalid ? ExitCode.invalid : ExitCode.usage
        })
      )
    )
  )
).pipe(
  Command.withDescription(
    "Run Kubernetes' own conformance tests against a cluster; exit code 6 when a spec does not pass"
  ),
  Command.withExamples([
    { command: "wharf conformance", description: "All specs that need no containers, against a simulated cluster" },
    {
      command: "wharf conformance --only 'Garbage|Watchers' --procs 2",
      description: "Some of them, while mending"
    },
    {
      command: "wharf conformance --kubeconfig ~/.kube/config --list specs.txt",
      description: "Against a cluster of yours"
    }
  ])
)

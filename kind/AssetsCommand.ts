// `wharf assets`: the command line of this room. It prints what Assets.ts found, for people or as JSON, and hands the
// names after `build` to AssetBuild.ts; it decides nothing itself.
import { Console, Effect } from "effect"
import { Argument, CliError, Command, Flag } from "effect/cli"
import { buildAssets } from "./AssetBuild.ts"
import { type AssetReport, type AssetsDocument, cacheDirectory, surveyAssets } from "./Assets.ts"

const line = (report: typeof AssetReport.Type): string => {
  const name = report.name.padEnd(24)
  if (report.path !== undefined) {
    return `${name} ${(report.version ?? "-").padEnd(14)} ${report.path} (${report.source ?? "cache"})`
  }
  return `${name} ${"missing".padEnd(14)} ${report.purpose}; get it with: ${report.get}`
}

const notes = (report: typeof AssetReport.Type): ReadonlyArray<string> =>
  report.passedOver.map(({ path, reason }) => `${"".padEnd(24)} passed over ${path}: ${reason}`)

/** The table that `wharf assets` prints: one line for each program, and one for each that was passed over. */
export const renderAssets = (reports: ReadonlyArray<typeof AssetReport.Type>): string =>
  reports.flatMap((report) => [line(report), ...notes(report)]).join("\n")

const build = Command.make(
  "build",
  {
    names: Argument.String("name").pipe(
      Argument.withDescription("a program, or a group: default, kubernetes, suites, e2e"),
      Argument.variadic()
    )
  },
  ({ names }) =>
    buildAssets(names).pipe(Effect.mapError((cause) => new CliError.UserError({ cause, userMessage: cause.message })))
).pipe(
  Command.withDescription(
    "Build the Go-built programs into the user's cache; what is there in the right version stays"
  ),
  Command.withExamples([
    {
      command: "wharf assets build",
      description: "etcd, kwok and the Kubernetes control plane (about 12 minutes, once)"
    },
    { command: "wharf assets build etcd etcdctl", description: "only these two" },
    { command: "wharf assets build suites", description: "etcd's and kube-apiserver's own test suites" },
    { command: "wharf assets build e2e", description: "Kubernetes' conformance tests (about 7 minutes, once)" }
  ])
)

/** `wharf assets` and `wharf assets build`. */
export const assetsCommand = Command.make(
  "assets",
  {
    json: Flag.Boolean("json").pipe(
      Flag.withDescription("Print one JSON document instead of a table"),
      Flag.withDefault(false)
    )
  },
  Effect.fn("assets")(function* ({ json }) {
    const assets = yield* surveyAssets
    const document: typeof AssetsDocument.Type = { cache: yield* cacheDirectory, assets }
    yield* Console.log(json ? JSON.stringify(document, undefined, 2) : renderAssets(assets))
  })
).pipe(
  Command.withDescription("Say which real programs are on this machine, in which version, and how to get the others"),
  Command.withExamples([
    { command: "wharf assets", description: "a table for people" },
    { command: "wharf assets --json", description: "the same for programs" },
    { command: "wharf assets build etcd", description: "build what is missing" }
  ]),
  Command.withSubcommands([build])
)

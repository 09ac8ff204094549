// `wharf scenario`: look at scenarios without running them. Owns its three subcommands and what they print.
// Starts no server and no load.
import { Console, Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { explain } from "./Explain.ts"
import { scenarioJsonSchemaText } from "./JsonSchema.ts"
import type { Scenario } from "./Scenario.ts"
import { loadScenario } from "./ScenarioFile.ts"
import { shippedScenarios } from "./Shipped.ts"

/** What a scenario holds, in a few words. */
const contentsOf = ({ cluster, federation, front, phases, slo, tracing }: Scenario): string => {
  const nodes = cluster?.nodeGroups.reduce((sum, { count }) => sum + count, 0) ?? 0
  const parts = [
    ...(cluster === undefined ? [] : [`a cluster of ${nodes.toLocaleString("en")} nodes`]),
    ...(phases.length === 0 ? [] : [`${phases.length} phases`]),
    ...(federation === undefined
      ? []
      : [
          `a federation of ${federation.members.count.toLocaleString("en")} members`,
          `${federation.steps.length} steps`
        ]),
    ...(front === undefined ? [] : [`fronts before ${front.upstream}`, `${front.phases.length} phases`]),
    ...(tracing === undefined ? [] : [`a tracing server`, `${tracing.phases.length} phases`]),
    `${slo.length} targets`
  ]
  return parts.join(", ")
}

const validate = Command.make(
  "validate",
  {
    files: Argument.String("file").pipe(Argument.withDescription("Scenario files (YAML)"), Argument.atLeast(1)),
    set: Flag.String("set").pipe(
      Flag.withDescription("Change a field first: path=value; may be repeated"),
      Flag.atLeast(0)
    )
  },
  Effect.fn("wharf.scenario.validate")(function* ({ files, set }) {
    for (const file of files) {
      yield* loadScenario(file, set).pipe(
        Effect.flatMap(({ scenario }) => Console.log(`${file}: ${scenario.name} is valid: ${contentsOf(scenario)}`)),
        Effect.catch(explain)
      )
    }
  })
).pipe(
  Command.withDescription("Check scenario files; every problem is shown with its line and column"),
  Command.withExamples([
    { command: "wharf scenario validate scenarios/*.yaml", description: "Check all files of a folder" }
  ])
)

const list = Command.make(
  "list",
  { json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false)) },
  Effect.fn("wharf.scenario.list")(function* ({ json }) {
    const scenarios = yield* shippedScenarios()
    if (json) return yield* Console.log(JSON.stringify(scenarios, null, 2))
    const width = Math.max(...scenarios.map(({ name }) => name.length))
    for (const { name, summary } of scenarios) yield* Console.log(`${name.padEnd(width)}  ${summary}`)
  })
).pipe(
  Command.withDescription("List the scenarios that ship with wharf"),
  Command.withExamples([{ command: "wharf scenario list", description: "What there is to run" }])
)

const schema = Command.make("schema", {}, () => Console.log(scenarioJsonSchemaText().trimEnd())).pipe(
  Command.withDescription("Print the JSON Schema of scenario files, for editors and programs"),
  Command.withExamples([
    { command: "wharf scenario schema > scenario.schema.json", description: "Keep it beside your files" }
  ])
)

/** `wharf scenario`. */
export const scenarioCommand = Command.make("scenario").pipe(
  Command.withDescription("Check and list scenario files"),
  Command.withSubcommands([validate, list, schema]),
  Command.withExamples([{ command: "wharf scenario list", description: "What there is to run" }])
)

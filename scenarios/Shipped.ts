// The scenarios that ship with this package: which there are, and what each says of itself.
// Reads the folder anew each time; knows no scenario by name.
import { Effect, FileSystem, Path, Result } from "effect"
import { packageRoot } from "./PackageRoot.ts"
import { parseScenario } from "./ScenarioFile.ts"

/** A scenario file of this package. */
export interface ShippedScenario {
  readonly name: string
  readonly file: string
  /** The first sentence of its description; what is wrong, for a file that is not a scenario. */
  readonly summary: string
}

const firstSentence = (text: string): string =>
  /^[\s\S]*?[.!?](?=\s|$)/.exec(text.trim())?.[0].replaceAll(/\s+/g, " ") ?? text

/** Every shipped scenario, by name. */
export const shippedScenarios = Effect.fn("scenarios.shippedScenarios")(function* () {
  const files = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  const folder = paths.join(packageRoot, "scenarios")
  const names = (yield* files.readDirectory(folder)).filter((name) => name.endsWith(".yaml")).toSorted()
  return yield* Effect.forEach(names, (name) =>
    Effect.gen(function* () {
      const file = paths.join(folder, name)
      const parsed = parseScenario(file, yield* files.readFileString(file))
      const summary = Result.match(parsed, {
        onFailure: ({ message }) => message,
        onSuccess: ({ scenario }) => firstSentence(scenario.description)
      })
      return { name: name.replace(/\.yaml$/, ""), file: paths.relative(".", file), summary }
    })
  )
})

// Which specs of Kubernetes' own tests are asked for: a list of full names, one a line, as ginkgo reports them.
// Owns reading and narrowing the list and the expression that makes ginkgo run exactly these; refuses to run anything. The list that
// ships names what a real 1.37 control plane with hollow nodes passes: specs that need no containers.
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Effect, Schema } from "effect"

/** The list that is taken when none is given. */
export const hollowNodesList = fileURLToPath(new URL("./hollow-nodes.txt", import.meta.url))

/** A list that cannot be used; the message says why. */
export class SpecListInvalid extends Schema.TaggedError<SpecListInvalid>()("SpecListInvalid", {
  message: Schema.String
}) {}

/** The names in a list's text; empty lines and those that begin with # are passed over. */
export const parseSpecList = (text: string): ReadonlyArray<string> => [
  ...new Set(
    text
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "" && !line.startsWith("#"))
  )
]

/** The names in a file that a pattern matches. */
export const readSpecList = (
  file: string,
  pattern: string | undefined
): Effect.Effect<ReadonlyArray<string>, SpecListInvalid> =>
  Effect.try({
    try: () => {
      const names = parseSpecList(readFileSync(file, "utf8"))
      const only = pattern === undefined ? undefined : new RegExp(pattern)
      const left = only === undefined ? names : names.filter((name) => only.test(name))
      if (left.length === 0)
        throw new Error(only === undefined ? "it names no spec" : `no name in it matches ${pattern}`)
      return left
    },
    catch: (error) =>
      new SpecListInvalid({ message: `${file}: ${error instanceof Error ? error.message : String(error)}` })
  })

/** What ginkgo's --focus must be for exactly these names; Go's expressions escape as these do. */
export const focusOf = (names: ReadonlyArray<string>): string =>
  names.map((name) => `${name.replace(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)}$`).join("|")

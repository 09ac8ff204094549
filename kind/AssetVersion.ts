// Which version a program is: asks the program itself and reads the answer, however it is phrased.
// It does not decide whether a version is good enough for a purpose; it only orders versions.
import { Effect, Stream } from "effect"
import { ChildProcess } from "effect/process"

const answerBytesMax = 65_536
const dotted = /(?<![\w.])(?:v|go)?(\d+\.\d+(?:\.\d+)*(?:-[0-9A-Za-z.-]+)?)/

/**
 * The version that a program's answer names, without a leading `v` or `go`, or undefined when it names none.
 * A line that speaks of a version is believed before any other, since some programs warn first.
 */
export const parseVersion = (answer: string): string | undefined => {
  const lines = answer.split("\n")
  for (const line of [...lines.filter((text) => /version/i.test(text)), ...lines]) {
    const found = dotted.exec(line)
    if (found !== null) return found[1]
  }
  return undefined
}

const numbersOf = (version: string): ReadonlyArray<number> => (version.split("-")[0] ?? "").split(".").map(Number)

/** Whether `version` is `wanted` or newer; missing parts count as zero, a pre-release counts as its release. */
export const isAtLeast = (version: string, wanted: string): boolean => {
  const [left, right] = [numbersOf(version), numbersOf(wanted)]
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return true
}

/**
 * Runs `path` with the arguments that make it tell its version. Undefined when it cannot be run, says nothing that
 * looks like a version, or takes longer than 10 s; at most 64 KiB of what it prints are read.
 */
export const askVersion = Effect.fnUntraced(
  function* (path: string, versionArguments: ReadonlyArray<string>) {
    const process = yield* ChildProcess.make(path, versionArguments, { stdin: "ignore", extendEnv: true })
    const text = (stream: typeof process.stdout) =>
      stream.pipe(
        Stream.decodeText(),
        Stream.runFold(
          () => "",
          (all, part) => (all.length < answerBytesMax ? all + part : all)
        )
      )
    const [out, error] = yield* Effect.all([text(process.stdout), text(process.stderr)], { concurrency: 2 })
    return parseVersion(out) ?? parseVersion(error)
  },
  (effect) =>
    effect.pipe(
      Effect.scoped,
      Effect.timeout("10 seconds"),
      Effect.orElseSucceed(() => undefined)
    )
)

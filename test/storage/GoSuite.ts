// Runs a test binary made by `go test -c` and reads its verdicts.
// Owns the process and the parsing of `--- PASS` lines; knows no suite by name.
import { spawn } from "node:child_process"

/** What a Go test binary said. */
export interface GoVerdicts {
  readonly passed: ReadonlyArray<string>
  readonly failed: ReadonlyArray<string>
  readonly skipped: ReadonlyArray<string>
  readonly output: string
}

export interface GoRun {
  readonly binary: string
  readonly args: ReadonlyArray<string>
  readonly folder: string
  readonly environment?: Readonly<Record<string, string>>
  readonly withinMs: number
}

const verdictRule = /^ *--- (PASS|FAIL|SKIP): (\S+)/gm

/** The verdicts in a `-test.v` output. */
export const parseGoVerdicts = (output: string): GoVerdicts => {
  const found = [...output.matchAll(verdictRule)]
  const named = (verdict: string) => found.filter((match) => match[1] === verdict).map((match) => match[2])
  return { passed: named("PASS"), failed: named("FAIL"), skipped: named("SKIP"), output }
}

/** Runs the binary to its end; it is killed, with what it says so far as the error, when it takes too long. */
export const runGoSuite = ({ args, binary, environment, folder, withinMs }: GoRun): Promise<GoVerdicts> =>
  new Promise((resolve, reject) => {
    const child = spawn(binary, args, {
      cwd: folder,
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let output = ""
    const gather = (chunk: Buffer): void => void (output += chunk.toString())
    child.stdout.on("data", gather)
    child.stderr.on("data", gather)
    const timer = setTimeout(() => child.kill("SIGKILL"), withinMs)
    child.once("error", reject)
    child.once("close", (code, signal) => {
      clearTimeout(timer)
      const ended = code === 0 || code === 1
      if (ended) resolve(parseGoVerdicts(output))
      else reject(new Error(`${binary} ended with ${code ?? signal}: ${output.slice(-2000)}`))
    })
  })

/** The part of the output that belongs to one top-level test. */
export const outputOf = ({ output }: GoVerdicts, test: string): string => {
  const from = output.indexOf(`=== RUN   ${test}\n`)
  const to = output.indexOf(`--- FAIL: ${test} `)
  return from < 0 || to < from ? "" : output.slice(from, to).slice(-3000)
}

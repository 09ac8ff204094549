// Profiles a wharf command, or any script: `npm run profile -- [--tool TOOL] <wharf arguments | script.ts arguments>`.
// Results go to runs/profiles. It measures nothing itself and compares nothing; reports do.
import { spawn } from "node:child_process"
import { globSync, mkdirSync, renameSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const results = join("runs", "profiles")

interface Invocation {
  readonly command: string
  readonly args: ReadonlyArray<string>
}

const usage = `npm run profile -- [--tool TOOL] <arguments of wharf, or a script.ts and its arguments>

  flame      CPU and heap as HTML and Markdown (the default)
  cpu-prof   Node's own .cpuprofile, for Chrome's developer tools
  clinic     clinic doctor, fetched by npx; clinic-flame, clinic-bubbleprof and clinic-heapprofiler are its other tools

  npm run profile -- run scenarios/quickstart.yaml
  npm run profile -- --tool cpu-prof assets --json`

/** What to start for a tool and the words after it; undefined for a tool that is not known. */
export const invocationOf = (tool: string, words: ReadonlyArray<string>): Invocation | undefined => {
  const target = /\.[cm]?[jt]s$/.test(words[0] ?? "") ? words : [join(root, "wharf.ts"), ...words]
  if (tool === "flame") return { command: "flame", args: ["run", "--delay=none", "--", ...target] }
  if (tool === "cpu-prof") return { command: "node", args: ["--cpu-prof", `--cpu-prof-dir=${results}`, ...target] }
  const clinic = /^clinic(?:-(flame|bubbleprof|heapprofiler))?$/.exec(tool)
  if (clinic === null) return undefined
  const args = [
    "--yes",
    "clinic@13.0.0",
    clinic[1] ?? "doctor",
    "--open=false",
    "--dest",
    results,
    "--",
    "node",
    ...target
  ]
  return { command: "npx", args }
}

/** The tool that the words choose (`--tool X`, or `--cpu-prof` for short) and the words that are left. */
export const toolOf = (words: ReadonlyArray<string>): readonly [string, ReadonlyArray<string>] => {
  const [first, second = "", ...rest] = words
  if (first === "--tool") return [second, rest]
  if (first?.startsWith("--tool=") === true) return [first.slice("--tool=".length), words.slice(1)]
  return first === "--cpu-prof" ? ["cpu-prof", words.slice(1)] : ["flame", words]
}

const start = ({ args, command }: Invocation): void => {
  mkdirSync(join(root, results), { recursive: true })
  const child = spawn(command, args, { cwd: root, stdio: "inherit" })
  // An interrupt goes to the whole group; the profiled process decides when it has written its profile.
  process.on("SIGINT", () => {})
  child.on("error", (error) => {
    console.error(`${command} did not start: ${error.message}`)
    process.exitCode = 1
  })
  child.on("exit", (code) => {
    // flame writes into the folder that it runs in.
    for (const file of globSync("{cpu,heap}-profile-*", { cwd: root })) {
      renameSync(join(root, file), join(root, results, basename(file)))
    }
    console.log(`profiles are in ${results}`)
    process.exitCode = code ?? 1
  })
}

if (import.meta.main) {
  const [tool, words] = toolOf(process.argv.slice(2))
  const invocation = words.length === 0 || words[0] === "--help" ? undefined : invocationOf(tool, words)
  if (invocation === undefined) {
    console.error(usage)
    process.exitCode = 2
  } else start(invocation)
}

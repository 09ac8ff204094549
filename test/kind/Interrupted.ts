// Ctrl-C at an early, a middle and a late moment of everything that starts real programs: what is left behind afterwards, as processes
// (each carries a mark in its environment, which its children inherit) and as files (temporary folders and the run's own).
// Prints one row a command and moment, and ends with 1 if anything is left. Run: `node test/kind/Interrupted.ts [name …]` (all: 9 min).
import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const MARK = "WHARF_INTERRUPTED"
/** A process is given this long to end, and reapers to remove what it left. */
const END_WITHIN_MS = 40_000
const REAPED_WITHIN_MS = 8000
const LOOK_MS = 100
const root = fileURLToPath(new URL("../..", import.meta.url))
const wharf = join(root, "bin", "wharf")

interface Subject {
  readonly command: (out: string) => ReadonlyArray<string>
  /** Seconds from the start: while programs start, in the middle, and near the end. */
  readonly moments: ReadonlyArray<number>
}

const run = (scenario: string) => (out: string) => [
  wharf,
  "run",
  `scenarios/${scenario}.yaml`,
  "--target",
  "process",
  "--out",
  join(out, "run")
]

const subjects: Readonly<Record<string, Subject>> = {
  all: { command: run("process-all"), moments: [0.8, 6, 45] },
  storage: { command: run("process-storage"), moments: [0.8, 3, 20] },
  gateway: { command: run("process-gateway"), moments: [0.8, 5, 25] },
  tenancy: { command: run("process-tenancy"), moments: [0.8, 5, 25] },
  federation: { command: run("process-federation"), moments: [0.8, 9, 35] },
  tracing: { command: run("process-tracing"), moments: [0.8, 5, 25] },
  calibrate: { command: (out) => [wharf, "calibrate", "--out", join(out, "constants.json")], moments: [0.8, 6, 40] },
  faults: { command: () => [process.execPath, "test/kind/FaultRuns.ts", "20", "1"], moments: [0.8, 4, 15] },
  beside: { command: () => [process.execPath, "test/kind/StoreBeside.ts", "1", "1"], moments: [0.8, 3, 10] }
}

const pause = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms))

/** Living processes that carry the mark, by what they are. */
const marked = (mark: string): ReadonlyArray<string> =>
  readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      if (!readFileSync(`/proc/${name}/environ`, "latin1").split("\0").includes(`${MARK}=${mark}`)) return []
      const command = readFileSync(`/proc/${name}/cmdline`, "latin1").split("\0").slice(0, 3).join(" ")
      return command === "" ? [] : [`${name} ${command}`]
    } catch {
      return []
    }
  })

const filesIn = (folder: string): ReadonlyArray<string> => readdirSync(folder, { recursive: true }).map(String)

const ended = async (child: ChildProcess): Promise<string> => {
  const since = performance.now()
  while (child.exitCode === null && child.signalCode === null) {
    if (performance.now() - since > END_WITHIN_MS) return "does not end"
    await pause(LOOK_MS)
  }
  return `${child.exitCode ?? child.signalCode} after ${((performance.now() - since) / 1000).toFixed(1)} s`
}

/** What stays, once nothing of it changes any more. */
const remains = async (mark: string, folders: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const since = performance.now()
  for (;;) {
    const left = [...marked(mark), ...folders.flatMap((folder) => filesIn(folder).map((file) => join(folder, file)))]
    if (left.length === 0 || performance.now() - since > REAPED_WITHIN_MS) return left
    await pause(LOOK_MS)
  }
}

const interrupt = async (name: string, atS: number): Promise<number> => {
  const folder = mkdtempSync(join(tmpdir(), "wharf-interrupted-"))
  const [temporary, out] = [join(folder, "tmp"), join(folder, "out")]
  for (const place of [temporary, out]) mkdirSync(place)
  const mark = `${name}-${atS}-${process.pid}`
  try {
    const [command = "", ...args] = subjects[name].command(out)
    // A terminal's Ctrl-C reaches the whole group of the foreground.
    const child = spawn(command, args, {
      cwd: root,
      detached: true,
      stdio: "ignore",
      env: { ...process.env, TMPDIR: temporary, [MARK]: mark }
    })
    await pause(atS * 1000)
    const seen = marked(mark).length
    if (child.exitCode !== null || child.pid === undefined) {
      console.log(`| ${name} | ${atS} s | over by then (${child.exitCode}) | | |`)
      return 1
    }
    process.kill(-child.pid, "SIGINT")
    const how = await ended(child)
    const left = await remains(mark, [temporary, out])
    console.log(`| ${name} | ${atS} s | ${seen} | ${how} | ${left.length === 0 ? "nothing" : left.join("; ")} |`)
    for (const process_ of marked(mark)) process.kill(Number(process_.split(" ", 1)[0]), "SIGKILL")
    return left.length
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const given = process.argv.slice(2)
let left = 0
console.log("| Command | Interrupted at | Processes then | Ended with | Left behind |")
console.log("|---|---|---|---|---|")
for (const name of given.length === 0 ? Object.keys(subjects) : given)
  for (const atS of subjects[name].moments) left += await interrupt(name, atS)
process.exit(left === 0 ? 0 : 1)

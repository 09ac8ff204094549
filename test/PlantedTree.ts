// A throw-away tree of planted files with the real linter's configuration, to see that the linter refuses what the
// house refuses. It runs oxlint without type information, which none of the house's own rules needs.
import { execFile } from "node:child_process"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { onTestFinished } from "vitest"
import { readLinter } from "./Rooms.ts"

const root = fileURLToPath(new URL("..", import.meta.url))

/** One complaint of the linter: the file, relative to the planted tree, and the rule. */
export interface Complaint {
  readonly path: string
  readonly rule: string
}

/** Writes files and the linter's configuration into a new folder, removed when the test ends; returns the folder. */
export const plant = async (files: Readonly<Record<string, string>>): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "wharf-planted-"))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), `${text}\n`)
  }
  await writeFile(join(folder, ".oxlintrc.json"), JSON.stringify({ ...readLinter(), options: {} }))
  return folder
}

interface OxlintReport {
  readonly diagnostics: ReadonlyArray<{ readonly code: string; readonly filename: string }>
}

/** What oxlint says about a planted folder. */
export const oxlintOf = (folder: string): Promise<ReadonlyArray<Complaint>> =>
  new Promise((resolve, reject) => {
    const oxlint = join(root, "node_modules", "oxlint", "bin", "oxlint")
    execFile(
      process.execPath,
      [oxlint, "--format=json", "."],
      { cwd: folder, maxBuffer: 1 << 26 },
      (_, stdout, stderr) => {
        try {
          // SAFETY: oxlint's own report format.
          const { diagnostics } = JSON.parse(stdout) as OxlintReport
          resolve(diagnostics.map(({ code, filename }) => ({ path: filename, rule: code })))
        } catch {
          reject(new Error(`oxlint did not report: ${stdout}${stderr}`))
        }
      }
    )
  })

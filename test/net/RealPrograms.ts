// Runs real programs for the tests of this room, and finds the two that test/Judges.ts does not know: go and openssl. Without
// one a test is skipped with a line that says how to get it; with CI=true it fails.
import { execFile, spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import type { TestContext } from "vitest"

const howToGet = { go: "https://go.dev/dl, 1.25 or newer", openssl: "Debian package openssl" } as const

/** The path of a tool on PATH, or the test is skipped. */
export const tool = (name: keyof typeof howToGet, context: TestContext): string => {
  const folders = (process.env["PATH"] ?? "").split(delimiter)
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
  if (found !== undefined) return found
  const message = `${name} is missing; get it: ${howToGet[name]}`
  if (process.env["CI"] === "true") throw new Error(message)
  process.stderr.write(`skipped: ${message}\n`)
  return context.skip(message)
}

/** What a program printed (both streams) and its exit code. */
export const run = (
  file: string,
  args: ReadonlyArray<string>,
  options: { readonly cwd?: string; readonly timeoutMs?: number; readonly env?: Readonly<Record<string, string>> } = {}
): Promise<{ readonly code: number; readonly text: string }> =>
  new Promise((resolve) => {
    const settings = {
      timeout: options.timeoutMs ?? 60_000,
      maxBuffer: 1 << 26,
      env: { ...process.env, ...options.env }
    }
    execFile(
      file,
      args,
      { ...settings, ...(options.cwd === undefined ? {} : { cwd: options.cwd }) },
      (error, out, err) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1
        resolve({ code, text: out + err })
      }
    )
  })

/** Runs openssl to its end; raises what it complained of. */
export const openssl = (args: ReadonlyArray<string>): string => {
  const { error, status, stderr, stdout } = spawnSync("openssl", args, { encoding: "utf8" })
  if (error !== undefined) throw new Error(`openssl is missing; get it: ${howToGet.openssl}`)
  if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`)
  return stdout
}

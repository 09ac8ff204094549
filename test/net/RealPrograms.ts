// Finds the real programs that judge this room. A test whose program is missing is skipped with a line that says how to get it.
import { execFile, spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { delimiter, join } from "node:path"
import type { TestContext } from "vitest"

const howToGet: Readonly<Record<string, string>> = {
  h2spec: "go install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1",
  h2load: "Debian package nghttp2-client",
  nghttp: "Debian package nghttp2-client",
  curl: "Debian package curl",
  openssl: "Debian package openssl",
  go: "https://go.dev/dl, 1.26 or newer"
}

/** The path of a program, or the test is skipped. */
export const realProgram = (name: string, context: TestContext): string => {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), join(homedir(), ".cache/wharf/judges")]
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
  if (found !== undefined) return found
  return context.skip(`${name} is missing; get it: ${howToGet[name] ?? "?"}`)
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

/** Like `run`, before anything else runs. */
export const runSync = (file: string, args: ReadonlyArray<string>): string => {
  const { status, stderr, stdout } = spawnSync(file, args, { encoding: "utf8" })
  if (status !== 0) throw new Error(`${file} ${args.join(" ")}: ${stderr}`)
  return stdout
}

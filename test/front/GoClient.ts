// Builds the client-go program in informer/, with the flags of the other Go programs, whose compiled packages it then shares.
// Owns the folder it is built in; without Go the test is skipped.
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestContext } from "vitest"
import { run, tool } from "../net/RealPrograms.ts"

/** The path of the program, for a test that is skipped without Go. */
export const goClient = (context: TestContext): Promise<string> => buildGoClient(tool("go", context))

/** The path of the program, built by that Go. */
export const buildGoClient = async (go: string): Promise<string> => {
  const program = join(mkdtempSync(join(tmpdir(), "go-client-")), "informer")
  const built = await run(go, ["build", "-trimpath", "-ldflags", "-s -w", "-o", program, "."], {
    cwd: new URL("informer", import.meta.url).pathname,
    env: { CGO_ENABLED: "0" },
    timeoutMs: 600_000
  })
  if (built.code !== 0) throw new Error(built.text)
  return program
}

// Our own servers as processes of a run: `wharf serve SYSTEM`, by its command line alone.
// Owns the program's path and the question whether this release has the command; flags are each backend's.
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { BackendMissing } from "../../backends/Backend.ts"
import { packageRoot } from "../../PackageRoot.ts"

/** The program of this package. */
export const wharfProgram = join(packageRoot, "bin", "wharf")

const askWithinMs = 30_000

/** Fails when `wharf serve SYSTEM` is no command here. */
export const hasServer = (system: string): Effect.Effect<void, BackendMissing> =>
  Effect.callback((resume) => {
    execFile(wharfProgram, ["serve", system, "--help"], { timeout: askWithinMs }, (cause, output) => {
      const known = cause === null && output.includes(`serve ${system}`)
      const reason = `wharf serve ${system} is not in this release`
      resume(known ? Effect.void : new BackendMissing({ backend: system, reason }))
    })
  })

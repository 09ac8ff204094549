// Where this package lies, whether it runs from its sources or from the emitted JavaScript, and which version it is.
// Owns these three answers, so that no other file counts folders upward.
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const find = (from: string): string => {
  for (let directory = from; ; directory = dirname(directory)) {
    if (existsSync(join(directory, "bin", "wharf"))) return directory
    if (dirname(directory) === directory) return from
  }
}

/** The folder with package.json, bin/ and scenarios/; in the package, dist/ has a package.json of its own. */
export const packageRoot = find(dirname(fileURLToPath(import.meta.url)))

/** This package's version. */
export const packageVersion = (): string => {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"))
  const version =
    typeof manifest === "object" && manifest !== null && "version" in manifest ? manifest.version : undefined
  return typeof version === "string" ? version : "0.0.0"
}

// Makes dist/, what the npm package carries, because Node strips no types under node_modules: JavaScript by tsc, every
// other file of the rooms as it is, and a package.json of its own that maps the #doors to the emitted files. It builds
// no Go program and publishes nothing. Run by `npm run build` and, through prepack, by `npm pack`.
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const dist = join(root, "dist")
const rooms = ["core", "sim", "scenarios", "reports", "kind"]

const emit = (): void => {
  rmSync(dist, { recursive: true, force: true })
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
  const { status } = spawnSync(process.execPath, [tsc, "-p", join(root, "test", "tsconfig.build.json")], {
    stdio: "inherit"
  })
  if (status !== 0) throw new Error(`tsc ended with ${status}`)
}

const copyAssets = (): void => {
  for (const room of rooms) {
    const source = join(root, room)
    if (!existsSync(source)) continue
    cpSync(source, join(dist, room), {
      recursive: true,
      filter: (file) => !file.endsWith(".ts") && !file.startsWith(join(root, "reports", "published"))
    })
  }
}

/** Turns the `.ts` of a relative URL, which tsc leaves alone, into the `.js` that stands in its place. */
export const rewriteUrls = (code: string): string =>
  code.replace(/(new URL\(\s*["'`]\.{1,2}\/[^"'`]+)\.ts(["'`],\s*import\.meta\.url\s*\))/g, "$1.js$2")

/** Relative paths to `.ts` files that are left in emitted code; each would be missing once installed. */
export const sourcePathsIn = (code: string): ReadonlyArray<string> =>
  Array.from(code.matchAll(/["'`](\.{1,2}\/[^"'`\s]+\.ts)["'`]/g), ([, path = ""]) => path)

const rewriteEmitted = (): void => {
  for (const file of globSync("**/*.js", { cwd: dist })) {
    const path = join(dist, file)
    const code = rewriteUrls(readFileSync(path, "utf8"))
    const left = sourcePathsIn(code)
    if (left.length > 0) throw new Error(`dist/${file} still names ${left.join(", ")}`)
    writeFileSync(path, code)
  }
}

interface Manifest {
  readonly name: string
  readonly version: string
  readonly imports: Record<string, string>
}

const writeManifest = (): void => {
  // SAFETY: our own package.json, whose shape the installed package is tested with.
  const { imports, name, version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest
  const emitted = Object.entries(imports).map(([door, file]) => [door, file.replace(/\.ts$/, ".js")] as const)
  const doors = Object.fromEntries(emitted.filter(([, file]) => existsSync(join(dist, file))))
  writeFileSync(
    join(dist, "package.json"),
    `${JSON.stringify({ name, version, type: "module", imports: doors }, undefined, 2)}\n`
  )
}

if (import.meta.main) {
  emit()
  copyAssets()
  rewriteEmitted()
  writeManifest()
}

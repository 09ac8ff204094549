// Keeps package-lock.json whole: npm leaves out the builds for platforms that the registry at hand does not serve, and
// `npm ci` then refuses the lock everywhere. This adds them from what each package declares (`npm run lock`). It
// changes no entry that is there, and knows no checksum, so those few are checked by their pinned version alone.
import { readFileSync, writeFileSync } from "node:fs"

interface Entry {
  readonly version?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly hasInstallScript?: boolean
  readonly os?: ReadonlyArray<string> | string
  readonly cpu?: ReadonlyArray<string> | string
  readonly libc?: ReadonlyArray<string>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** As much of a lock file as matters here. */
export interface Lock {
  readonly packages: Readonly<Record<string, Entry>>
}

const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"]
const processors = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64"]

// Platform packages say in their names what they are for: @oxfmt/binding-linux-arm-musleabihf.
const platformOf = (name: string): Pick<Entry, "os" | "cpu" | "libc"> => {
  const words = name.split(/[/-]/)
  const os = systems.find((system) => words.includes(system))
  const cpu = processors.find((processor) => words.includes(processor))
  if (os === undefined || cpu === undefined) throw new Error(`${name} does not say which platform it is for`)
  const wordOf = (start: string): boolean => words.some((word) => word.startsWith(start))
  const libc = wordOf("musl") ? ["musl"] : wordOf("gnu") ? ["glibc"] : undefined
  return { cpu: [cpu], ...(libc === undefined ? {} : { libc }), os: [os] }
}

const resolves = (lock: Lock, from: string, name: string): boolean => {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("node_modules/") - 1))) {
    if (lock.packages[`${folder === "" ? "" : `${folder}/`}node_modules/${name}`] !== undefined) return true
    if (folder === "") return false
  }
}

/** Optional dependencies that the lock declares and does not contain, with the package that declares each. */
export const missingFrom = (
  lock: Lock
): ReadonlyArray<{ readonly name: string; readonly version: string; readonly by: string }> =>
  Object.entries(lock.packages).flatMap(([by, { optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies)
      .filter(([name]) => !resolves(lock, by, name))
      .map(([name, version]) => ({ name, version, by }))
  )

/** The lock with an entry for each of them. Throws when one is not pinned or names no platform. */
export const completeLock = <L extends Lock>(lock: L): L => {
  const added = missingFrom(lock).map(({ by, name, version }): [string, Entry] => {
    if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
      throw new Error(`${by} asks for ${name} ${version}, which is no one version`)
    const { cpu, ...rest } = platformOf(name)
    const dev = lock.packages[by]?.dev === true ? { dev: true } : {}
    return [`node_modules/${name}`, { version, ...(cpu === undefined ? {} : { cpu }), ...dev, optional: true, ...rest }]
  })
  const sorted = [...Object.entries(lock.packages), ...added].toSorted(([left], [right]) =>
    left.localeCompare(right, "en")
  )
  return { ...lock, packages: Object.fromEntries(sorted) }
}

const file = new URL("../package-lock.json", import.meta.url)

/** The lock as it stands in the tree. */
// SAFETY: npm wrote it, and `npm ci` has read it before anything of ours runs.
export const readLock = (): Lock => JSON.parse(readFileSync(file, "utf8")) as Lock

if (import.meta.main) writeFileSync(file, `${JSON.stringify(completeLock(readLock()), undefined, 2)}\n`)

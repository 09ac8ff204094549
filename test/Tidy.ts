// House rules that the linter cannot express, as functions from a tree of files to complaints. A tree is a map from
// path to text, so that each rule is also tried on planted violations. Reads the real tree through git; changes nothing.
import { execFileSync } from "node:child_process"
import { lstatSync, readFileSync } from "node:fs"
import { dirname, join, posix } from "node:path"
import { fileURLToPath } from "node:url"
import { adapterPatterns, rooms } from "./Rooms.ts"

/** File text by path, relative to the root of the tree. */
export type Tree = ReadonlyMap<string, string>

/** One sentence for each violation; none when all is well. */
export type Rule = (tree: Tree) => ReadonlyArray<string>

const root = fileURLToPath(new URL("..", import.meta.url))
const linesMax = 500
const medianMax = 160

/** The working tree as git sees it: tracked files and new ones that are not ignored, binary ones left out. */
export const readTree = (): Tree => {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root })
  const tree = new Map<string, string>()
  for (const path of new Set(listed.toString().split("\0"))) {
    // A file deleted in the working tree is still in the index.
    if (path === "" || !lstatSync(join(root, path), { throwIfNoEntry: false })?.isFile()) continue
    const text = readFileSync(join(root, path), "utf8")
    if (!text.includes("\0")) tree.set(path, text)
  }
  return tree
}

const isGenerated = (path: string): boolean => path.includes("/gen/")

const roomOf = (path: string) => rooms.find(({ folder }) => path.startsWith(`${folder}/`))

const sources = (tree: Tree): ReadonlyArray<readonly [string, string]> =>
  Array.from(tree).filter(
    ([path]) => path.endsWith(".ts") && !isGenerated(path) && (path === "wharf.ts" || roomOf(path))
  )

const linesOf = (text: string): number => text.split("\n").length - 1

const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, "")

const matches = (text: string, pattern: RegExp): ReadonlyArray<string> =>
  Array.from(withoutComments(text).matchAll(pattern), ([, specifier = ""]) => specifier)

/** What a file imports or has resolved as a module. */
const modulesOf = (text: string): ReadonlyArray<string> =>
  matches(
    text,
    /(?:\bfrom\s*|\bimport\s*\(?\s*|(?:require|meta|createRequire\([^)]*\))\.resolve\(\s*)["'`]([^"'`\n]+)["'`]/g
  )

/** Files that it names relative to itself: workers and child processes start so, and assets are read so. */
const neighboursOf = (text: string): ReadonlyArray<string> =>
  matches(text, /\bnew URL\(\s*["'`]([^"'`\n$]+)["'`],\s*import\.meta\.url/g)

interface Manifest {
  readonly imports?: Record<string, string>
  readonly scripts?: Record<string, string>
  readonly dependencies?: Record<string, string>
  readonly devDependencies?: Record<string, string>
  readonly optionalDependencies?: Record<string, string>
}

const manifestOf = (tree: Tree): Manifest =>
  // SAFETY: npm has read the same file before any test runs.
  JSON.parse(tree.get("package.json") ?? "{}") as Manifest

/** Rooms that stand have a door, package.json opens each of them by it, and names no door outside the table. */
export const doorsStand: Rule = (tree) => {
  const { imports = {} } = manifestOf(tree)
  const standing = rooms.filter(({ folder }) => Array.from(tree.keys()).some((path) => path.startsWith(`${folder}/`)))
  const complaints: Array<string> = []
  for (const { folder, name } of standing) {
    if (imports[`#${name}`] !== `./${folder}/index.ts`) complaints.push(`package.json has no #${name} for ${folder}`)
    if (!tree.has(`${folder}/index.ts`)) complaints.push(`${folder} has no door index.ts`)
  }
  for (const door of Object.keys(imports)) {
    if (!rooms.some(({ name }) => door === `#${name}`)) complaints.push(`package.json names ${door}, which is no room`)
  }
  return complaints
}

/** Every source file is reached from a door or from wharf.ts; what nobody reaches is dead code. */
export const everythingIsReached: Rule = (tree) => {
  const files = new Map(sources(tree))
  const pending = ["wharf.ts", ...rooms.map(({ folder }) => `${folder}/index.ts`)]
  const reached = new Set<string>()
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const text = files.get(path)
    if (text === undefined || reached.has(path)) continue
    reached.add(path)
    const modules = modulesOf(text).filter((specifier) => specifier.startsWith("."))
    for (const next of [...modules, ...neighboursOf(text)]) pending.push(posix.join(posix.dirname(path), next))
  }
  return Array.from(files.keys(), (path) => (reached.has(path) ? [] : [`${path} is reached from no door`])).flat()
}

/** Files are named after what they export, folders are lower case, and no name says nothing. */
export const namesSpeak: Rule = (tree) =>
  Array.from(tree.keys()).flatMap((path) => {
    if (!path.endsWith(".ts") || isGenerated(path)) return []
    const parts = path.split("/")
    const file = parts.pop()?.replace(/(\.(test|bench))?\.ts$/, "") ?? ""
    const isSpecial = ["index", "main", "wharf", "tidy", "package", "profile", "vitest.config"].includes(file)
    return [
      ...(isSpecial || /^[A-Z][A-Za-z0-9]*$/.test(file) ? [] : [`${path} is not named in PascalCase`]),
      ...(parts.every((folder) => /^[a-z0-9.-]+$/.test(folder)) ? [] : [`${path} stands in a folder with capitals`]),
      ...([file, ...parts].some((part) =>
        /^(utils?|common|helpers?|types?|misc)$|(Utils?|Helpers?|Common)$/i.test(part)
      )
        ? [`${path} has a name that says nothing`]
        : [])
    ]
  })

/** No source file is longer than the limit, and half of them are short. */
export const filesAreShort: Rule = (tree) => {
  const lengths = sources(tree).map(([path, text]) => [path, linesOf(text)] as const)
  const middle = lengths.map(([, lines]) => lines).toSorted((left, right) => left - right)[lengths.length >> 1] ?? 0
  return [
    ...lengths.filter(([, lines]) => lines > linesMax).map(([path, lines]) => `${path} has ${lines} lines`),
    ...(middle > medianMax ? [`the median file has ${middle} lines, more than ${medianMax}`] : [])
  ]
}

/** A source file opens with two to six lines that say what it owns and what it refuses to own. */
export const headersStand: Rule = (tree) =>
  sources(tree).flatMap(([path, text]) => {
    const header = /^(?:#!.*\n)?((?:\/\/.*\n)*)/.exec(text)?.[1] ?? ""
    const lines = linesOf(header)
    return lines >= 2 && lines <= 6 ? [] : [`${path} opens with ${lines} comment lines instead of 2 to 6`]
  })

const matchesPattern = (file: string, pattern: string): boolean =>
  new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", ".*")}$`).test(file)

/** Simulated code reaches the real clock, scheduler and randomness by no back door that the linter does not see. */
export const simulatedCodeStaysInside: Rule = (tree) =>
  sources(tree).flatMap(([path, text]) => {
    const file = posix.basename(path)
    if (roomOf(path)?.simulated !== true || adapterPatterns.some((pattern) => matchesPattern(file, pattern))) return []
    const doors =
      /globalThis\b|process\.(hrtime|nextTick|uptime)|["'](node:)?timers|["'](node:)?perf_hooks|randomBytes|randomUUID|getRandomValues/g
    return Array.from(
      withoutComments(text).matchAll(doors),
      ([door]) => `${path} uses ${door}, but the simulator runs it`
    )
  })

/** What runs for users is a dependency; a developer's package is not there once installed. */
export const runtimeNeedsNoDeveloper: Rule = (tree) => {
  const { dependencies = {} } = manifestOf(tree)
  return sources(tree).flatMap(([path, text]) =>
    modulesOf(text)
      .filter((specifier) => !/^[.#/]|^node:|^[a-z]+:\/\//.test(specifier))
      .map((specifier) =>
        specifier
          .split("/")
          .slice(0, specifier.startsWith("@") ? 2 : 1)
          .join("/")
      )
      .filter((name) => /^(@[\w.-]+\/)?[\w.-]+$/.test(name) && dependencies[name] === undefined)
      .map((name) => `${path} imports ${name}, which is not among the dependencies`)
  )
}

/** Dependencies are pinned to one version. */
export const versionsArePinned: Rule = (tree) => {
  const { dependencies = {}, devDependencies = {}, optionalDependencies = {} } = manifestOf(tree)
  return Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
    .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    .map(([name, version]) => `${name} is not pinned: ${version}`)
}

/** Nothing tracked names a place on one machine or the host of a registry. */
export const nothingIsLocal: Rule = (tree) => {
  const here = dirname(root.replace(/\/$/, ""))
  const local = /(?<![\w.~}])\/(?:root|home|Users)\/[\w.-]+|https?:\/\/(?:registry|proxy|sum|deb)\.[\w.-]+/g
  return Array.from(tree).flatMap(([path, text]) => [
    ...Array.from(text.matchAll(local), ([place]) => `${path} names ${place}`),
    // A checkout directly below / or /tmp has a parent too short to mean anything.
    ...(here.split("/").length > 2 && text.includes(`${here}/`) ? [`${path} names the folder of this checkout`] : [])
  ])
}

/** Every npm command that a Markdown page shows is a script of package.json. */
export const commandsExist: Rule = (tree) => {
  const scripts = Object.keys(manifestOf(tree).scripts ?? {})
  return Array.from(tree).flatMap(([path, text]) => {
    if (!path.endsWith(".md")) return []
    const shown = Array.from(
      text.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g),
      ([, run, short]) => run ?? short ?? ""
    )
    return shown
      .filter((name) => !scripts.includes(name))
      .map((name) => `${path} shows npm ${name}, which is no script`)
  })
}

/** Tests assert something, are not switched off by hand, and stand in the folder of a room or at the top. */
export const testsAreHonest: Rule = (tree) =>
  Array.from(tree).flatMap(([path, text]) => {
    if (!path.endsWith(".test.ts")) return []
    const [, folder = ""] = path.split("/")
    const known = folder.endsWith(".test.ts") || rooms.some(({ name }) => name === folder)
    return [
      ...(/\b(assert|expect)\b/.test(text) ? [] : [`${path} asserts nothing`]),
      ...Array.from(
        withoutComments(text).matchAll(/^\s*(?:it|test|describe)(?:\.\w+)*\.(?:skip|todo|only)\(/gm),
        ([call]) => `${path} has ${call.trim()}`
      ),
      ...(path.startsWith("test/") && known ? [] : [`${path} mirrors no room`])
    ]
  })

/** Nothing is left for later in the code. */
export const nothingIsUnfinished: Rule = (tree) =>
  sources(tree).flatMap(([path, text]) =>
    Array.from(text.matchAll(/\b(TODO|FIXME|XXX|HACK)\b/g), ([word]) => `${path} says ${word}`)
  )

/** Every rule on the tree alone, by name. */
export const treeRules: Readonly<Record<string, Rule>> = {
  doorsStand,
  everythingIsReached,
  namesSpeak,
  filesAreShort,
  headersStand,
  simulatedCodeStaysInside,
  runtimeNeedsNoDeveloper,
  versionsArePinned,
  nothingIsLocal,
  commandsExist,
  testsAreHonest,
  nothingIsUnfinished
}

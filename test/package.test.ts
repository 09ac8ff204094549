// The package as a user gets it: packed, installed into empty places by npm with install scripts refused, and run from
// there. What stands in it must run without a type stripper, without our sources and without a developer's packages.
import { execFile, type ExecFileOptions } from "node:child_process"
import { existsSync, globSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { rewriteUrls, sourcePathsIn } from "./Build.ts"

const root = fileURLToPath(new URL("..", import.meta.url))

interface Outcome {
  readonly code: number
  readonly out: string
}

const run = (file: string, args: ReadonlyArray<string>, options: ExecFileOptions = {}): Promise<Outcome> =>
  new Promise((resolve) => {
    execFile(file, args, { timeout: 240_000, maxBuffer: 1 << 26, ...options }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1
      resolve({ code, out: `${String(stdout)}${String(stderr)}` })
    }).stdin?.end()
  })

// What npm told the test run about this project must not reach the npm of another project.
const cleanEnvironment = (extra: Record<string, string> = {}): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) =>
        !/^npm_(package|lifecycle|command|execpath|node)/.test(name) && !/^npm_config_(local_)?prefix$/.test(name)
    )
  ),
  ...extra
})

const npm = async (args: ReadonlyArray<string>, cwd: string): Promise<string> => {
  const { code, out } = await run("npm", args, { cwd, env: cleanEnvironment() })
  assert.strictEqual(code, 0, out)
  return out
}

// A machine whose own Node is no help: only the shell's tools are on PATH.
const bare = { env: cleanEnvironment({ PATH: "/nonexistent:/usr/bin:/bin" }) }

const packed = mkdtempSync(join(realpathSync(tmpdir()), "wharf-packed-"))
const project = join(packed, "a project")
const prefix = join(packed, "global")
const install = ["install", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"]
let tarball = ""

beforeAll(async () => {
  await npm(["pack", "--pack-destination", packed], root)
  const [file] = globSync("kubewharf-*.tgz", { cwd: packed })
  assert.isDefined(file)
  tarball = join(packed, file)
  await run("mkdir", ["-p", project])
  writeFileSync(join(project, "package.json"), '{ "name": "a-project", "private": true }\n')
  await npm([...install, tarball], project)
}, 300_000)

afterAll(() => rmSync(packed, { recursive: true, force: true }))

describe("the installed package", () => {
  const wharf = join(project, "node_modules", ".bin", "wharf")

  it("brings Node 26 though install scripts are refused", async () => {
    const [node] = globSync("node_modules/node-*/bin/node", { cwd: project })
    assert.isDefined(node, "no platform package of Node was installed")
    assert.match((await run(join(project, node), ["--version"])).out, /^v26\./)
  })

  it("answers --version and --help", async () => {
    const version = await run(wharf, ["--version"], bare)
    assert.strictEqual(version.code, 0, version.out)
    // SAFETY: our own package.json.
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string }
    assert.include(version.out, manifest.version)
    const help = await run(wharf, ["--help"], bare)
    assert.strictEqual(help.code, 0, help.out)
    assert.include(help.out, "assets")
  })

  it("answers as etcd", async () => {
    const etcd = await run(join(project, "node_modules", ".bin", "etcd"), ["--version"], bare)
    assert.strictEqual(etcd.code, 0, etcd.out)
    assert.match(etcd.out, /\d+\.\d+\.\d+/)
  })

  it("carries what its rooms read: modules of Go programs, and whatever else is not TypeScript", async () => {
    const assets = await run(wharf, ["assets", "--json"], bare)
    assert.strictEqual(assets.code, 0, assets.out)
    const listing = await run("git", ["ls-files", "core", "sim", "scenarios", "reports", "kind"], { cwd: root })
    const wanted = listing.out
      .split("\n")
      .filter((file) => file !== "" && !file.endsWith(".ts") && !file.startsWith("reports/published/"))
    assert.include(wanted, "kind/modules/etcd/go.mod")
    const missing = wanted.filter((file) => !existsSync(join(project, "node_modules/kubewharf/dist", file)))
    assert.deepStrictEqual(missing, [])
  })

  it("carries neither sources nor tests", () => {
    const carried = globSync("**/*", { cwd: join(project, "node_modules", "kubewharf") })
    assert.deepStrictEqual(
      carried.filter((file) => (file.endsWith(".ts") && !file.startsWith("node_modules")) || file.startsWith("test/")),
      []
    )
  })

  it("says what it needs when there is no Node 26", async () => {
    const alone = join(packed, "alone")
    await run("mkdir", ["-p", join(alone, "bin")])
    await run("cp", [join(root, "bin", "wharf"), join(alone, "bin")])
    const answer = await run(join(alone, "bin", "wharf"), ["--version"], {
      env: { PATH: "/nonexistent:/usr/bin:/bin" }
    })
    // A machine with Node 26 of its own gets further, to the missing program.
    assert.match(answer.out, /wharf runs on Node 26|Cannot find module/)
    assert.notStrictEqual(answer.code, 0)
  })
})

describe("a global installation", () => {
  it("runs from the folder of global programs", async () => {
    await npm([...install, "--global", "--prefix", prefix, tarball], packed)
    const { code, out } = await run(join(prefix, "bin", "wharf"), ["--version"], bare)
    assert.strictEqual(code, 0, out)
  }, 240_000)
})

describe("the build", () => {
  it("points relative URLs at emitted files and leaves other text alone", () => {
    assert.strictEqual(
      rewriteUrls('new Worker(new URL("./Jobs.ts", import.meta.url)); const s = "./Jobs.ts"'),
      'new Worker(new URL("./Jobs.js", import.meta.url)); const s = "./Jobs.ts"'
    )
  })

  it("finds paths to sources that it cannot rewrite", () => {
    assert.deepStrictEqual(sourcePathsIn('fork("./Child.ts"); import "./Child.js"; "a.ts"'), ["./Child.ts"])
  })
})

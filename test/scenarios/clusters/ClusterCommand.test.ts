// `wharf cluster`: a cluster comes up, is listed, runs pods on hollow nodes for kubectl, and goes down without a trace.
import { execFile, execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, assert, expect, it } from "vitest"
import { packageRoot } from "../../../scenarios/PackageRoot.ts"
import { describeWith } from "../../Judges.ts"

const state = mkdtempSync(join(tmpdir(), "wharf-clusters-"))
afterAll(() => rmSync(state, { recursive: true, force: true }))
const env = { ...process.env, XDG_STATE_HOME: state }
const run = promisify(execFile)
const wharf = (...words: ReadonlyArray<string>) =>
  run(process.execPath, [join(packageRoot, "wharf.ts"), "cluster", ...words], { env, timeout: 200_000 })

const alive = (): ReadonlyArray<string> =>
  execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes(state))

describeWith(
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubectl"
)("wharf cluster", ({ kubectl }) => {
  it("brings a cluster up, lists it, lets kubectl use it, and takes it down", async () => {
    const { stdout: said } = await wharf("up", "one", "--nodes", "3", "--backend", "memory")
    const kubeconfig = /^export KUBECONFIG=(.*)$/m.exec(said)?.[1] ?? ""
    assert.isTrue(existsSync(kubeconfig), said)
    try {
      const { stdout: listed } = await wharf("list", "--json")
      expect(JSON.parse(listed)).toMatchObject([
        { name: "one", nodes: 3, store: "memory", target: "process", up: true }
      ])
      const asKubectl = (...words: ReadonlyArray<string>) => run(kubectl, ["--kubeconfig", kubeconfig, ...words])
      const { stdout: nodes } = await asKubectl("get", "nodes", "-o", "name")
      assert.deepStrictEqual(nodes.trim().split("\n"), ["node/node-0", "node/node-1", "node/node-2"])
      await asKubectl("create", "deployment", "web", "--image", "web", "--replicas", "4")
      await asKubectl("wait", "--for", "condition=Available", "deployment/web", "--timeout", "60s")
      const again = await wharf("up", "one").catch((failure: { readonly stderr: string }) => failure)
      assert.match(again.stderr, /a cluster named one is up; take it down first/)
    } finally {
      await wharf("down", "one")
    }
    assert.deepStrictEqual(alive(), [])
    assert.deepStrictEqual(readdirSync(join(state, "wharf", "clusters")), [])
  }, 200_000)
})

it("says why a cluster cannot come up, and keeps nothing of it", async () => {
  const failed = await wharf("up", "two", "--backend", "nothing").catch(
    (failure: { readonly stderr: string }) => failure
  )
  assert.match(failed.stderr, /two did not come up: .*backend nothing: is not known/s)
  assert.notInclude(readdirSync(join(state, "wharf", "clusters")), "two")
  const unknown = await wharf("down", "three").catch((failure: { readonly stderr: string }) => failure)
  assert.match(unknown.stderr, /there is no cluster named three/)
})

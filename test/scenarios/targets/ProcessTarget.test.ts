// A scenario's cluster on real programs: the same file lives in virtual time and on a real control plane over our store, with our gateway
// before it, our tracing behind its audit and our scheduler in kube-scheduler's place, its API server killed in between; then on an existing cluster, in namespaces of its own. Nothing stays behind, also when the runner is killed.
import { execFile, execFileSync, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, assert, it } from "vitest"
import type { RunRecord } from "../../../reports/index.ts"
import { packageRoot } from "../../../scenarios/PackageRoot.ts"
import { describeWith } from "../../Judges.ts"
import { startApiServer } from "../../kube/RealApiServer.ts"

const folder = mkdtempSync(join(tmpdir(), "wharf-target-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const file = join(folder, "one.yaml")
writeFileSync(
  file,
  `apiVersion: wharf/v1
kind: Scenario
name: one
description: One small cluster, wherever it lives
params: { crashAt: 8s }
cluster:
  duration: 14s
  nodeGroups: [{ name: node, count: 4 }]
  registerOver: 1s
  settle: 3s
  systems: [gateway, tracing, scheduler]
  workloads: [{ name: web, replicas: 6, at: 3s }]
  watchers: [{ name: proxy, resource: endpointslices.discovery.k8s.io, count: 3 }]
  faults:
    - { kind: apiserver-crash, at: "\${crashAt}", for: 1s }
    - { kind: partition, at: 4s, for: 2s, side: [proxy], other: [apiserver] }
slo:
  - { metric: pods.running, atLeast: 100 }
`
)
const wharf = join(packageRoot, "wharf.ts")
const run = promisify(execFile)

const record = async (...words: ReadonlyArray<string>): Promise<RunRecord> => {
  const out = join(folder, "out")
  const { stdout } = await run(process.execPath, [wharf, "run", file, "--json", "--out", out, ...words], {
    timeout: 150_000,
    maxBuffer: 64 * 2 ** 20
  })
  const records: ReadonlyArray<RunRecord> = JSON.parse(stdout)
  assert.lengthOf(records, 1)
  return records[0]
}

/** Programs of a control plane whose command lines name the folder. */
const programsIn = (text: string): ReadonlyArray<string> =>
  execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes(text) && /kube-|serve/.test(line))

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 100))
}

describeWith(
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler"
)("a scenario's cluster", (programs) => {
  it("lives on a real control plane as in virtual time, through the death of its API server", async () => {
    const real = await record("--target", "process", "--backend", "lmdb")
    assert.strictEqual(real.target, "process")
    assert.strictEqual(real.backend.name, "lmdb")
    assert.deepStrictEqual(
      real.slos.map(({ verdict }) => verdict),
      ["pass"]
    )
    assert.deepStrictEqual(real.violations, [])
    const names = real.components.map(({ name }) => name)
    const systems = ["tracing", "gateway", "scheduler"]
    assert.deepStrictEqual(names, ["store", "kube-apiserver", "kube-controller-manager", ...systems, "nodes and users"])
    const { facts = {} } = real.cluster ?? {}
    for (const fact of ["gateway: requests", "tracing: objects judged at the end", "tracing: audit events"])
      assert.isAbove(facts[fact] ?? 0, 0, fact)
    // Nobody of the run hangs up on a request that was sent, also not at its end.
    assert.deepStrictEqual(
      Object.keys(facts).filter((fact) => /cut short.*client_gone/.test(fact)),
      []
    )
    assert.isAbove(real.cluster?.podStarts.whole.count ?? 0, 5)
    const simulated = await record()
    const resources = ({ cluster }: RunRecord) =>
      new Set(cluster?.calls.filter(({ verb }) => verb === "create").map(({ resource }) => resource))
    assert.deepStrictEqual(
      [...resources(real)].filter((name) => !resources(simulated).has(name)),
      []
    )
    assert.deepStrictEqual(programsIn(folder), [])
    assert.deepStrictEqual(
      readdirSync(join(folder, "out")).filter((name) => name.startsWith("data-")),
      []
    )
  }, 200_000)

  it("leaves no process and no folder when its runner is killed", async () => {
    const out = join(folder, "killed")
    const child = spawn(process.execPath, [wharf, "run", file, "--target", "process", "--out", out], {
      stdio: "ignore"
    })
    await until(() => programsIn(out).some((line) => line.includes("scheduler.conf")))
    child.kill("SIGKILL")
    await until(() => programsIn(out).length === 0)
    await until(() =>
      readdirSync(out).every((name) => !name.startsWith("data-") || readdirSync(join(out, name)).length === 0)
    )
  }, 120_000)

  it("stays in namespaces of its own on an existing cluster, and deletes them, also when interrupted", async () => {
    const server = await startApiServer(programs)
    try {
      const kubeconfig = join(folder, "existing")
      writeFileSync(
        kubeconfig,
        `apiVersion: v1
kind: Config
current-context: it
clusters: [{ name: it, cluster: { server: "${server.url}", insecure-skip-tls-verify: true } }]
contexts: [{ name: it, context: { cluster: it, user: it } }]
users: [{ name: it, user: { token: ${server.token} } }]
`
      )
      const names = async (): Promise<ReadonlyArray<string>> => {
        const { body } = await server.call("GET", "/api/v1/namespaces")
        const { items } = JSON.parse(body) as { readonly items: ReadonlyArray<{ readonly metadata: { name: string } }> }
        return items.map(({ metadata }) => metadata.name)
      }
      const before = await names()
      const child = spawn(
        process.execPath,
        [
          wharf,
          "run",
          file,
          "--target",
          "kubeconfig",
          "--kubeconfig",
          kubeconfig,
          "--out",
          join(folder, "there"),
          "--set",
          "cluster.faults=[]",
          "--set",
          "cluster.systems=[]",
          "--set",
          "cluster.duration=60s"
        ],
        { stdio: ["ignore", "ignore", "pipe"] }
      )
      let said = ""
      child.stderr.on("data", (part: Buffer) => (said += part.toString()))
      let made: ReadonlyArray<string> = []
      while (made.length === 0) {
        assert.isNull(child.exitCode, said)
        made = (await names()).filter((name) => !before.includes(name))
      }
      assert.match(made.join(), /^wharf-[0-9a-z]{6}-default$/)
      child.kill("SIGINT")
      // Nobody finishes namespaces here, where no controller runs: what can be seen is that they were asked to go.
      const going = async (): Promise<boolean> => {
        const { body, code } = await server.call("GET", `/api/v1/namespaces/${made[0]}`)
        return code === 404 || body.includes('"deletionTimestamp"')
      }
      while (!(await going())) await new Promise((resolve) => setTimeout(resolve, 100))
      child.kill("SIGKILL")
      assert.deepStrictEqual(
        (await names()).filter((name) => !before.includes(name) && !made.includes(name)),
        []
      )
    } finally {
      await server.stop()
    }
  }, 120_000)
})

it("says what is not done to clusters of others", async () => {
  const refused = await run(process.execPath, [
    wharf,
    "run",
    file,
    "--target",
    "kubeconfig",
    "--kubeconfig",
    join(folder, "none"),
    "--out",
    join(folder, "refused")
  ]).then(
    () => "",
    ({ stderr }: { readonly stderr: string }) => stderr
  )
  assert.match(refused, /apiserver-crash is not done to a cluster with target kubeconfig/)
})

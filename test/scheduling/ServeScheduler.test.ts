// `wharf serve scheduler` and `wharf explain pod` as a user has them: processes of their own on a cluster that has no scheduler.
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, it } from "vitest"
import { describeWith } from "../Judges.ts"

const run = promisify(execFile)
const wharf = fileURLToPath(new URL("../../bin/wharf", import.meta.url))
const TIMEOUT_MS = 60_000

/** A command of ours that goes on; ready when it has said a word. */
const started = (args: ReadonlyArray<string>, word: string): Promise<ChildProcess> =>
  new Promise((ready, failed) => {
    const child = spawn(wharf, args, { stdio: ["ignore", "pipe", "pipe"] })
    let said = ""
    const hear = (text: Buffer): void => {
      said += String(text)
      if (said.includes(word)) ready(child)
    }
    child.stdout.on("data", hear)
    child.stderr.on("data", hear)
    child.once("exit", (code) => failed(new Error(`${args.join(" ")} ended with ${code}: ${said}`)))
  })

const ended = (child: ChildProcess | undefined): Promise<number | null> =>
  new Promise((done) => {
    if (child === undefined) return done(null)
    child.removeAllListeners("exit").once("exit", (code) => done(code))
    child.kill("SIGTERM")
  })

describeWith("kubectl")("wharf serve scheduler", ({ kubectl }) => {
  const directory = mkdtempSync(join(tmpdir(), "scheduler-"))
  const config = join(directory, "admin.conf")
  const env = { ...process.env, HOME: directory, KUBECONFIG: config }
  const ask = async (...args: ReadonlyArray<string>): Promise<string> =>
    (await run(kubectl, args, { env, timeout: TIMEOUT_MS })).stdout.trim()
  const explain = async (pod: string, ...args: ReadonlyArray<string>): Promise<string> =>
    (await run(wharf, ["explain", "pod", pod, "--kubeconfig", config, ...args], { env, timeout: TIMEOUT_MS })).stdout
  const pod = (name: string, cpu: string, more: object = {}): Promise<string> => {
    const spec = { containers: [{ name: "c", image: "i", resources: { requests: { cpu } } }], ...more }
    return ask("run", name, "--image", "i", "--overrides", JSON.stringify({ spec }))
  }
  let cluster: ChildProcess
  let scheduler: ChildProcess | undefined

  beforeAll(async () => {
    const place = ["--listen", "127.0.0.1:0", "--kubeconfig", config]
    cluster = await started(["serve", "cluster", "--nodes", "4", "--no-scheduler", ...place], "4 nodes ready")
  })
  afterAll(async () => {
    await ended(scheduler)
    await ended(cluster)
    rmSync(directory, { recursive: true })
  })

  it("is foretold by explain, which changes nothing", async () => {
    await pod("small", "100m")
    await pod("large", "500")
    expect(await explain("default/large")).toBe(
      "default/large: 0 of 4 nodes will do\n  4 NodeResourcesFit: Insufficient cpu\n"
    )
    const small = await explain("small", "--best", "2")
    expect(small).toMatch(/^default\/small: 4 of 4 nodes will do\n( {2}node-\d: \d+ \(TaintToleration \d+, .*\)\n){2}$/)
    expect(await ask("get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}")).toBe("")
  })

  it("binds what fits while it holds the lease, and says why the rest has to wait", async () => {
    scheduler = await started(["serve", "scheduler", "--kubeconfig", config], "leads: holds the lease")
    await ask("wait", "--for=condition=Ready", "pod/small", "--timeout=30s")
    const wait = ["wait", "--for=condition=PodScheduled=false", "pod/large", "--timeout=30s"]
    await ask(...wait)
    expect(await ask("get", "pod", "large", "-o", "jsonpath={.status.conditions[0].message}")).toBe(
      "0/4 nodes are available: 4 Insufficient cpu. preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
    )
    expect(await explain("small")).toMatch(/^default\/small is on node node-\d already\n$/)
    expect(
      await ask("get", "lease", "-n", "kube-system", "kube-scheduler", "-o", "jsonpath={.spec.holderIdentity}")
    ).not.toBe("")
  })

  it("gives the lease up when it is asked to stop", async () => {
    expect(await ended(scheduler)).toBe(0)
    scheduler = undefined
    expect(
      await ask("get", "lease", "-n", "kube-system", "kube-scheduler", "-o", "jsonpath={.spec.holderIdentity}")
    ).toBe("")
  })

  it("schedules for another name by a configuration of its own, beside no lease", async () => {
    const file = join(directory, "scheduler.yaml")
    writeFileSync(
      file,
      `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: false}
profiles:
- schedulerName: packed
  pluginConfig:
  - name: NodeResourcesFit
    args: {scoringStrategy: {type: MostAllocated}}
  plugins: {score: {disabled: [{name: NodeResourcesBalancedAllocation}, {name: PodTopologySpread}]}}
`
    )
    scheduler = await started(["serve", "scheduler", "--kubeconfig", config, "--config", file], "packed")
    for (const name of ["p1", "p2", "p3"]) await pod(name, "1", { schedulerName: "packed" })
    await ask("wait", "--for=condition=Ready", "pod/p1", "pod/p2", "pod/p3", "--timeout=30s")
    const nodes = await ask("get", "pods", "p1", "p2", "p3", "-o", "jsonpath={.items[*].spec.nodeName}")
    expect(new Set(nodes.split(" ")).size).toBe(1)
  })

  it("refuses a configuration that it cannot follow, with the field and the rule", async () => {
    const file = join(directory, "wrong.yaml")
    writeFileSync(
      file,
      "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles:\n- plugins: {score: {enabled: [{name: Nonsense}]}}\n"
    )
    const refused = run(wharf, ["serve", "scheduler", "--kubeconfig", config, "--config", file], { env })
    await expect(refused).rejects.toMatchObject({
      stderr: expect.stringMatching(/profiles\[0\]\.plugins: there is no plugin Nonsense/) as unknown
    })
  })
})
